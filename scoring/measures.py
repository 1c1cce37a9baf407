"""Measure where features stand and where they are heading, for many students at once.

Both measures use a feature's observed values alone:

* level: mean of the last `window` observed values, or of as many as there are;
* slope: least squares per period through the last `window` observed values, all of them needed;
  periods between them count, whether observed or not.
"""

import numpy as np
from numpy.typing import NDArray

from records.cohort import Bools

Doubles = NDArray[np.float64]
Positions = NDArray[np.intp]


def newest_observed(observed: Bools, columns: Positions, windows: Positions) -> Positions:
    """Find the last observed periods of some features.

    Args:
        observed: (rows, periods, features) whether there is a value.
        columns: (measures,) feature of each measure; may repeat.
        windows: (measures,) how many periods each measure wants, at least 1.

    Returns:
        (rows, measures, largest window) periods counted from 1, newest first; 0 where the
        measure's own window ends or nothing older was observed.
    """
    depth = int(windows.max())
    from_end = np.cumsum(observed[:, ::-1], axis=1, dtype=np.int16)[:, ::-1]
    row, period, column = np.nonzero(observed & (from_end <= depth))
    newest = np.zeros((observed.shape[0], observed.shape[2], depth), np.intp)
    newest[row, column, from_end[row, period, column] - 1] = period + 1
    return np.where(np.arange(depth) < windows[:, None], np.take(newest, columns, axis=1), 0)


def at_periods(table: NDArray[np.floating], periods: Positions, columns: Positions) -> Doubles:
    """Take the values at given periods.

    Args:
        table: (rows, periods, features).
        periods: (rows, measures, slots) periods counted from 1, 0 for none.
        columns: (measures,) feature of each measure.

    Returns:
        (rows, measures, slots) float64, 0 where there is no period.
    """
    rows = np.arange(len(periods))[:, None, None]
    # In one order of memory whatever the batch, so that sums do not depend on the batch's size.
    picked = np.ascontiguousarray(table[rows, periods - 1, columns[:, None]], np.float64)
    picked[periods == 0] = 0
    return picked


def level_and_slope(picked: Doubles, periods: Positions) -> tuple[Doubles, Doubles]:
    """Compute mean and least-squares slope of the values at given periods.

    Args:
        picked: (rows, measures, slots) values, 0 where `periods` is 0.
        periods: (rows, measures, slots) periods counted from 1, 0 for none.

    Returns:
        (rows, measures) mean, NaN of no value; and slope per period, NaN of fewer than two.
    """
    used = periods > 0
    count = used.sum(axis=-1)
    level = np.asarray(picked.sum(axis=-1) / np.where(count, count, np.nan))
    middle = periods.sum(axis=-1) / np.maximum(count, 1)
    step = np.where(used, periods - middle[..., None], 0.0)
    rise = (step * np.where(used, picked - level[..., None], 0.0)).sum(axis=-1)
    run = (step * step).sum(axis=-1)
    return level, np.asarray(rise / np.where(run > 0, run, np.nan))
