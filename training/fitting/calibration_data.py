"""Records that no weights saw, to learn on what a network's outputs mean there.

Where the validation part is later than the training part, or the split is by chance, the served
network's own word on the validation part is what there is to learn from. Where validation and
training come from the same cohorts, it does not show how a network fares on a cohort that it
does not know. Then the latest training cohorts are left out in turn, the last of them being a
forward chain: a network fitted on the others is asked about the one left out, and the served
weights are fitted on all of them. Both directions count: one step forward cannot tell a trend from
the difference between an intake in autumn and one in spring.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from records.arrays import Floats
from records.cohort import Cohort
from records.errors import CohortError
from training.data.parts import Parts
from training.data.prepare import Prepared
from training.data.statistics import learn_statistics
from training.data.sufficiency import check_parts
from training.model import Fitted

# Each costs a fit of its own.
_LEFT_OUT = 2
# Fewer records than this tell less of a cohort than of chance.
_FEWEST = 100


@dataclass(frozen=True, eq=False)
class HeldOutRecords:
    """Records, and which network to ask about them.

    Attributes:
        cohort: The records.
        without: What to fit a network on that does not know them; None for the served network,
            whose weights never saw them: they decided at most when to stop.
        name: Which records, in words.
    """

    cohort: Cohort
    without: Prepared | None
    name: str


@dataclass(frozen=True, eq=False)
class HeldOutPredictions:
    """A network's predictions for records that it was not fitted on.

    Attributes:
        predicted: (records, periods[, subjects]), NaN after each record's end.
        cohort: The records.
        name: Which records, in words.
    """

    predicted: Floats
    cohort: Cohort
    name: str


def held_out_records(prepared: Prepared) -> list[HeldOutRecords]:
    """Choose the records: the validation part first, then cohorts left out, the latest last."""
    train, validation = prepared.parts.train, prepared.parts.validation
    kind = "later cohorts" if _later(train, validation) else "students"
    found = [HeldOutRecords(validation, None, f"{kind} of the validation part")]
    names = np.unique(train.cohorts[train.cohorts != ""]).tolist()
    temporal = _later(train, prepared.parts.test)
    if kind == "students" and temporal and len(names) > 1:
        found += _left_out(prepared, names[-_LEFT_OUT:])
    return found


def predict_held_out(
    chosen: list[HeldOutRecords], served: Fitted, fit: Callable[[Prepared, str], Fitted]
) -> list[HeldOutPredictions]:
    """Ask the networks about the records.

    Args:
        chosen: By `held_out_records`.
        served: The network that will answer requests.
        fit: Fits a network of the same kind on what is given, for the named stage.
    """
    return [
        HeldOutPredictions(
            (served if one.without is None else fit(one.without, one.name)).predict(one.cohort),
            one.cohort,
            one.name,
        )
        for one in chosen
    ]


def _left_out(prepared: Prepared, names: list[str]) -> Iterator[HeldOutRecords]:
    train, validation = prepared.parts.train, prepared.parts.validation
    for name in names:
        cohort = train.take(train.cohorts == name)
        known = ~np.isin(train.students, cohort.students)
        rest = train.take((train.cohorts != name) & known)
        stopping = validation.take(validation.cohorts != name)
        parts = Parts(train=rest, validation=stopping, test=cohort)
        try:
            check_parts(parts)
        except CohortError:
            continue
        if len(cohort) >= _FEWEST:
            without = replace(prepared, parts=parts, statistics=learn_statistics(rest))
            yield HeldOutRecords(cohort, without, f"cohort {name}, left out")


def _later(train: Cohort, other: Cohort) -> bool:
    """Whether every record of `other` is of a later cohort than every record of `train`."""
    if not len(train) or not len(other) or (train.cohorts == "").any():
        return False
    return bool(min(other.cohorts.tolist()) > max(train.cohorts.tolist()))
