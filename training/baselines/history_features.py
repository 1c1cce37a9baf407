"""Flatten a history into one row of known numbers, for models that read no sequences."""

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from evaluation.naive import last_observed, mean_so_far
from records.arrays import Bools, Floats
from records.cohort import Cohort
from records.contract import Kind

__all__ = ["known_so_far", "last_observed", "mean_so_far", "slope_so_far"]


def slope_so_far(values: Floats) -> Floats:
    """Fit a line through the values observed so far, per period; NaN with fewer than two."""
    seen = ~np.isnan(values)
    filled = np.where(seen, values, 0).astype(np.float64)
    time = np.where(seen, np.arange(values.shape[1]), 0).astype(np.float64)
    count, x, y = seen.cumsum(axis=1), time.cumsum(axis=1), filled.cumsum(axis=1)
    xx, xy = (time * time).cumsum(axis=1), (time * filled).cumsum(axis=1)
    below = np.where(count > 1, count * xx - x * x, 1)
    return np.where(count > 1, (count * xy - x * y) / below, np.nan).astype(np.float32)


def known_so_far(
    cohort: Cohort, steps: Bools, only: Collection[int] | None = None
) -> tuple[Floats, list[int]]:
    """Describe each chosen step by what was known at its end.

    Every feature gives its last value; numeric features and flags also their mean, numeric ones
    their minimum, maximum, slope and count so far; the period itself is the first column.

    Args:
        cohort: Records.
        steps: (records, periods) bool, the steps to describe.
        only: Positions of the features to tell of; None for all.

    Returns:
        (chosen steps, columns) float32 in the order of `np.nonzero(steps)`, NaN for what is not
        known yet; and the positions of the columns that hold categories.
    """
    columns: list[NDArray[np.floating]] = [np.nonzero(steps)[1] + 1.0]
    categories: list[int] = []
    for position, feature in enumerate(cohort.contract.features):
        if only is not None and position not in only:
            continue
        values = cohort.values[:, :, position]
        if feature.kind is Kind.CATEGORICAL:
            categories.append(len(columns))
        columns.append(last_observed(values)[steps])
        if feature.kind in {Kind.NUMERIC, Kind.FLAG}:
            columns.append(mean_so_far(values)[steps])
        if feature.kind is Kind.NUMERIC:
            seen = ~np.isnan(values)
            known = seen.cumsum(axis=1)
            low = np.minimum.accumulate(np.where(seen, values, np.inf), axis=1)
            high = np.maximum.accumulate(np.where(seen, values, -np.inf), axis=1)
            columns.append(np.where(known > 0, low, np.nan)[steps])
            columns.append(np.where(known > 0, high, np.nan)[steps])
            columns.append(slope_so_far(values)[steps])
            columns.append(known[steps])
    return np.column_stack(columns).astype(np.float32), categories
