"""What a network's answers rest on: permutation importance by feature and period.

Breiman 2001, "Random forests", section 10: swap a feature's values between records and see by how
much the error rises. Here also for one span of periods at a time. Only records observed in a period
give and take values there, so that no one gets a gap that another's history ends with.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from records.arrays import Bools, Doubles, Floats
from records.cohort import Cohort

# (predicted, actual) -> error of each, in the same shape.
Loss = Callable[[Doubles, Doubles], Doubles]

_SPANS = 8
_REPEATS = 2
# Enough for an order of the features; every one costs as many passes as there are spans.
_RECORDS = 200
# A mean over fewer steps is chance.
_FEWEST = 30


@dataclass(frozen=True, eq=False)
class Contribution:
    """By how much the mean error rises where a feature is permuted.

    Attributes:
        figure: Name of the error.
        records: How many held-out records were asked about.
        spans: First and last period of each span, counted from 1.
        whole: (features,) rise over all steps, the feature permuted in every period.
        by_span: (features, spans) rise over the steps of that span and later, the feature
            permuted in that span alone; NaN where too few steps count.
    """

    figure: str
    records: int
    spans: tuple[tuple[int, int], ...]
    whole: Doubles
    by_span: Doubles


def contribution(
    cohort: Cohort,
    predict: Callable[[Floats], Floats],
    actual: Floats,
    known: Bools,
    loss: Loss,
    *,
    figure: str,
    seed: int = 0,
) -> Contribution:
    """Measure every feature of a cohort.

    Args:
        cohort: Held-out records; some of them are drawn where they are many.
        predict: (records, periods, features) -> (records, periods[, subjects]).
        actual: In the shape of what `predict` gives.
        known: Likewise, which steps count.
        loss: Error of each prediction.
        figure: Name of the mean of it.
        seed: Of the draw and the permutations.
    """
    chance = np.random.default_rng(seed)
    counting = np.flatnonzero(known.reshape(len(cohort), -1).any(axis=1))
    rows = np.sort(chance.permutation(counting)[:_RECORDS])
    longest = int(cohort.lengths[rows].max(initial=1))
    values, lengths = cohort.values[rows, :longest], cohort.lengths[rows]
    truth, counts = actual[rows, :longest].astype(np.float64), known[rows, :longest]
    # Equal widths, so that the spans can be compared; the last holds what is left over.
    spans = list(itertools.pairwise([*range(0, longest, -(-longest // _SPANS)), longest]))
    rings = [chance.permutation(len(rows)) for _ in range(_REPEATS)]

    def errors(changed: Floats) -> Doubles:
        """(variants, records, periods, …) errors; NaN where a step does not count."""
        predicted = predict(changed.reshape(-1, *values.shape[1:])).astype(np.float64)
        predicted = predicted.reshape(len(changed), *truth.shape)
        return np.where(counts, loss(predicted, np.where(counts, truth, 0)), np.nan)

    before = errors(values[None])[0]
    whole = np.zeros(values.shape[2])
    by_span = np.full((values.shape[2], len(spans)), np.nan)
    for feature in range(values.shape[2]):
        changed = np.stack(
            [
                permuted(values, lengths, feature, range(*span), ring)
                for span in [(0, longest), *spans]
                for ring in rings
            ]
        )
        after = errors(changed).reshape(-1, _REPEATS, *before.shape)
        rise = after - before
        whole[feature] = np.nanmean(rise[0])
        for at, (first, _) in enumerate(spans):
            by_span[feature, at] = _mean(rise[at + 1][:, :, first:])
    named = tuple((first + 1, last) for first, last in spans)
    return Contribution(figure, len(rows), named, whole, by_span)


def permuted(
    values: Floats, lengths: NDArray[np.int32], feature: int, periods: range, ring: NDArray[np.intp]
) -> Floats:
    """Give each record the feature's values of the next one in the ring that is observed there.

    Args:
        values: (records, periods, features).
        lengths: (records,) periods observed.
        feature: Position of the feature.
        periods: Positions of the periods.
        ring: A permutation of the records; no record keeps its own value unless it is alone.
    """
    changed = values.copy()
    for period in periods:
        there = ring[lengths[ring] > period]
        changed[there, period, feature] = values[np.roll(there, -1), period, feature]
    return changed


def _mean(rise: Doubles) -> float:
    """Average (repeats, records, periods, …) over the steps that count."""
    enough = np.isfinite(rise).sum() >= _FEWEST * len(rise)
    return float(np.nanmean(rise)) if enough else float("nan")
