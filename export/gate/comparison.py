"""Compare what a graph computed with what Keras computed: numbers first, then tiers."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from export.errors import GateError
from export.specification import GraphSpecification
from records.arrays import Bools, Floats, Ints
from records.contract import Contract
from scoring.bundle.manifest import Parity
from scoring.policy.tiers import Tiers
from scoring.rounding import RISK_DECIMALS

# Tiers are decided on rounded probabilities; rounding moves each by up to half a unit.
_ROUNDING = 0.5 * 10.0**-RISK_DECIMALS


@dataclass(frozen=True)
class Subject:
    """What is compared with Keras.

    Attributes:
        specification: Of the graph.
        contract: Gives the range of the output.
        tiers: Decides tiers.
        provider: Execution provider, as ONNX Runtime names it.
        path: The graph alone ('session'), or the code that answers requests ('scorer').
    """

    specification: GraphSpecification
    contract: Contract
    tiers: Tiers
    provider: str
    path: Literal["session", "scorer"]

    @property
    def tolerance(self) -> float:
        """Largest allowed difference, in the output's own unit."""
        return self.specification.allowed(self.contract)


@dataclass(frozen=True)
class Difference:
    """What comparing one execution gave: see `scoring.bundle.manifest.Parity`."""

    values: int
    largest: float
    decisions: int
    at_threshold: int


def compare(
    subject: Subject,
    expected: Floats,
    actual: Floats,
    *,
    due: Bools,
    records: Ints,
    case: str,
) -> Difference:
    """Compare one execution with Keras.

    Args:
        subject: What computed `actual`.
        expected: (rows, periods[, subjects]) from Keras.
        actual: The same from the graph.
        due: (rows, periods) where an answer is due; NaN is due everywhere else.
        records: (rows,) positions in the held-out part, for the message.
        case: The execution in words, for the message.

    Raises:
        GateError: Another shape, a number where none is due, a difference above the tolerance, or
            another tier.
    """
    name = subject.specification.name
    where = f"({case}; {subject.provider}, {subject.path})"
    if actual.shape != expected.shape:
        raise GateError(
            f"gives shape {actual.shape} instead of {expected.shape} {where}.", graph=name
        )
    if not np.isnan(actual[~due]).all():
        raise GateError(f"gives numbers beyond the end of a history {where}.", graph=name)
    distance = np.where(
        due.reshape(*due.shape, *[1] * (expected.ndim - 2)),
        np.abs(actual.astype(np.float64) - expected),
        0.0,
    )
    distance[np.isnan(distance)] = np.inf
    _refuse(
        subject,
        distance,
        distance > subject.tolerance,
        records=records,
        why=f"{{distance}} away from Keras, {subject.tolerance:.1g} allowed {where}",
    )
    decisions = at_threshold = 0
    if subject.specification.decides:
        other, excusable = tiers_apart(subject.tiers, expected, actual, subject.tolerance)
        _refuse(
            subject,
            distance,
            other & ~excusable & due,
            records=records,
            why=f"another tier than Keras, {{distance}} away from it {where}",
        )
        decisions, at_threshold = int(due.sum()), int((other & due).sum())
    return Difference(
        values=int(due.sum()) * int(np.prod(expected.shape[2:])),
        largest=float(distance.max(initial=0.0)),
        decisions=decisions,
        at_threshold=at_threshold,
    )


def tiers_apart(
    tiers: Tiers, expected: Floats, actual: Floats, tolerance: float
) -> tuple[Bools, Bools]:
    """Find the probabilities whose tiers differ, and those for which a threshold excuses it.

    Returns:
        Two arrays of the shape of `expected`: the tier differs; and both probabilities lie within
        the tolerance (and rounding) of one and the same threshold.
    """
    other = tiers.decide(expected) != tiers.decide(actual)
    reach = tolerance + _ROUNDING
    near = [
        np.maximum(np.abs(expected - bound), np.abs(actual - bound)) <= reach
        for bound in tiers.bounds(expected.shape[1])
    ]
    return np.asarray(other), np.asarray(np.any(near, axis=0))


def summary(subject: Subject, differences: Iterable[Difference]) -> Parity:
    """Sum the comparisons of one subject up for the manifest."""
    parts = list(differences)
    return Parity(
        graph=subject.specification.name,
        provider=subject.provider,
        path=subject.path,
        cases=len(parts),
        values=sum(part.values for part in parts),
        largest_difference=max((part.largest for part in parts), default=0.0),
        tolerance=subject.tolerance,
        decisions=sum(part.decisions for part in parts),
        at_threshold=sum(part.at_threshold for part in parts),
    )


def _refuse(
    subject: Subject,
    distance: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    wrong: Bools,
    *,
    records: Ints,
    why: str,
) -> None:
    """Raise for the worst of the `wrong` places, if there are any."""
    if not wrong.any():
        return
    row, period, *_ = np.unravel_index(np.where(wrong, distance, -1).argmax(), distance.shape)
    record, step, far = int(records[row]), int(period) + 1, float(distance[row, period].max())
    period_name = subject.contract.periods.name
    raise GateError(
        f"held-out record {record}, {period_name} {step}: {why.format(distance=f'{far:.3g}')}; "
        f"{int(wrong.sum())} of {wrong.size} values are wrong there. The graph does not compute "
        "what the network does and must not be served.",
        graph=subject.specification.name,
        record=record,
        step=step,
        distance=far,
    )
