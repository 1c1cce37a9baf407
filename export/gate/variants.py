"""Try graphs in another precision: measure what they gain and cost, and pack those that win.

The reference is the float32 graph, which the gate has proven equal to Keras, on the provider that
would serve it. Records are the gate's own: held-out histories with and without gaps. A second
measurement puts one extreme record into each batch: where a batch shares a scale, as in int8, it
changes the outputs of the others, which no float32 graph does.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from export.gate.histories import patterns
from export.precision import to_precision
from export.specification import SPECIFICATIONS, GraphSpecification
from records.arrays import Floats
from records.cohort import Cohort
from scoring.bundle.manifest import GraphFacts, Variant
from scoring.bundle.reader import Bundle, sha256
from scoring.precision import Precision, variant_file
from scoring.runtime.onnx_runtime import onnxruntime
from scoring.runtime.providers import Provider, active_provider, open_session
from scoring.runtime.scorer import CHUNK, pad_periods

# Rows of the executions that are timed: one student, a class, a full execution of the scorer.
SIZES = (1, 32, CHUNK)
_ROUNDS, _RUNS = 25, 4
# Far beyond any fence, still finite when scaled.
_EXTREME = np.float32(1e6)


@dataclass(frozen=True)
class Limits:
    """What a variant may cost and must gain to be packed.

    Attributes:
        changed: Largest share of tier decisions that fall otherwise.
        difference: Largest difference, as a share of the output's range.
        gain: Least speed, float32 being 1, at the best of the sizes.
        loss: Least speed at the worst of them.
    """

    changed: float = 0.005
    difference: float = 0.03
    gain: float = 1.05
    loss: float = 0.95


def add_variants(
    bundle: Bundle, heldout: Cohort, precisions: Sequence[Precision], limits: Limits
) -> tuple[tuple[Variant, ...], dict[str, str]]:
    """Try every graph of a proven bundle in other precisions and write those that win beside it.

    Args:
        bundle: Proven; what is written into its folder is still to be listed in its manifest.
        heldout: Records that no model was fitted on.
        precisions: Which to try.
        limits: What counts as winning.

    Returns:
        What was measured, and file -> SHA-256 of what was written.
    """
    rows, files = [], {}
    for precision in precisions:
        for specification in SPECIFICATIONS:
            name = specification.name
            facts = bundle.manifest.graphs[name]
            graph = to_precision((bundle.path / facts.file).read_bytes(), precision)
            row = measure(bundle, specification, graph, precision, heldout)
            why = row.why or refusal(row, limits, specification.output_range(bundle.contract))
            rows.append(row.model_copy(update={"packed": not why, "why": why}))
            if not why:
                file = bundle.path / variant_file(facts.file, precision)
                file.write_bytes(graph)
                files[file.name] = sha256(file)
    return tuple(rows), files


def refusal(row: Variant, limits: Limits, width: float) -> str:
    """Say in one line why a variant does not win; empty where it does.

    Args:
        row: What was measured.
        limits: What counts as winning.
        width: Range of the output, in its unit.
    """
    best, worst = max(row.speed.values()), min(row.speed.values())
    if max(row.changed, row.company_changed) > limits.changed:
        what = "of tiers change" if row.changed > limits.changed else _COMPANY
        share = row.changed if row.changed > limits.changed else row.company_changed
        return f"{share:.2%} {what}, {limits.changed:.2%} allowed"
    if row.largest_difference > limits.difference * width:
        return f"up to {row.largest_difference:.3g} away, {limits.difference * width:.3g} allowed"
    if row.company_difference > limits.difference * width:
        return (
            f"up to {row.company_difference:.3g} away in a batch with an extreme record, "
            f"{limits.difference * width:.3g} allowed"
        )
    if best < limits.gain or worst < limits.loss:
        return f"{worst:.2f} to {best:.2f} times as fast as float32"
    return ""


_COMPANY = "of tiers change in a batch with an extreme record"


def measure(
    bundle: Bundle,
    specification: GraphSpecification,
    graph: bytes,
    precision: Precision,
    heldout: Cohort,
) -> Variant:
    """Compare a variant with the float32 graph on the provider that answers, and time both."""
    facts = bundle.manifest.graphs[specification.name]
    plain = open_session(bundle.path / facts.file, Provider.AUTO, threads=1)
    name = specification.name
    row = Variant(graph=name, precision=precision, provider=active_provider(plain))
    provider = next(p for p in Provider if row.provider.lower().startswith(p.value))
    try:
        other = open_session(graph, provider, strict=True, threads=1)
    except Exception as error:  # noqa: BLE001 - ONNX Runtime has a type for each way to fail
        reason = str(error).splitlines()[0].split(" : ")[-1]
        return row.model_copy(update={"why": f"does not load on {row.provider} ({reason})"})
    tiers = bundle.tiers.decide
    distances, company = [], []
    counts = {"decisions": 0, "changed": 0, "company_changed": 0}
    for histories in patterns(heldout):
        for start in range(0, len(histories.values), CHUNK):
            values = histories.values[start : start + CHUNK]
            expected, actual = _run(plain, facts, values), _run(other, facts, values)
            distances.append(np.abs(actual.astype(np.float64) - expected).ravel())
            crowd = np.concatenate((values, np.full_like(values[:1], _EXTREME)))
            crowded = _run(other, facts, crowd)[:-1]
            company.append(float(np.abs(crowded.astype(np.float64) - expected).max()))
            if specification.decides:
                counts["decisions"] += expected.size
                counts["changed"] += int((tiers(expected) != tiers(actual)).sum())
                counts["company_changed"] += int((tiers(expected) != tiers(crowded)).sum())
    distance = np.concatenate(distances)
    decisions = counts["decisions"]
    return row.model_copy(
        update={
            "values": distance.size,
            "largest_difference": float(distance.max()),
            "mean_difference": float(distance.mean()),
            "decisions": decisions,
            "changed": counts["changed"] / max(decisions, 1),
            "company_difference": max(company),
            "company_changed": counts["company_changed"] / max(decisions, 1),
            "speed": {
                size: round(_speed(plain, other, facts, _rows(heldout, size)), 3) for size in SIZES
            },
        }
    )


def _rows(heldout: Cohort, size: int) -> Floats:
    """Return `size` held-out histories, repeated where there are fewer."""
    return np.asarray(np.resize(heldout.values, (size, *heldout.values.shape[1:])), np.float32)


def _run(session: onnxruntime.InferenceSession, facts: GraphFacts, values: Floats) -> Floats:
    padded = pad_periods(values, facts.periods or values.shape[1])
    output: Floats = session.run([facts.output], {facts.input: padded})[0]
    return output


def _speed(
    plain: onnxruntime.InferenceSession,
    other: onnxruntime.InferenceSession,
    facts: GraphFacts,
    values: Floats,
) -> float:
    """Time both in turn; medians over rounds, so that what else the machine does hits both."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(_ROUNDS):
        for session, spent in zip((plain, other), seconds, strict=True):
            start = time.perf_counter()
            for _ in range(_RUNS):
                _run(session, facts, values)
            spent.append(time.perf_counter() - start)
    return float(np.median(seconds[0]) / np.median(seconds[1]))
