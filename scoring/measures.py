"""Measure where features stand and where they are heading, for many students at once.

Both measures use a feature's observed values alone:

* level: mean of the last `window` observed values, or of as many as there are;
* slope: least squares per period through the last `window` observed values, all of them needed;
  periods between them count, whether observed or not.
"""

from functools import reduce

import numpy as np
from numpy.typing import NDArray

from records.cohort import Bools

Doubles = NDArray[np.float64]
Positions = NDArray[np.intp]
# Half of the memory to sort and to multiply.
Periods = NDArray[np.int32]


def newest_observed(observed: Bools, depth: int) -> Periods:
    """Find the last observed periods of every feature.

    Args:
        observed: (rows, periods, features) whether there is a value.
        depth: How many periods are wanted, at least 1.

    Returns:
        (slots, rows, features) periods counted from 1, newest first; 0 where nothing older was
        observed. There are `depth` slots, or as many as periods where those are fewer.
    """
    clock = np.arange(1, observed.shape[1] + 1, dtype=np.int32)
    periods = np.multiply(observed, clock[:, None], dtype=np.int32)
    periods.sort(axis=1)
    return periods[:, : -depth - 1 : -1].swapaxes(0, 1)


def at_periods(
    table: NDArray[np.floating], periods: Periods, columns: Positions, rows: Positions
) -> Doubles:
    """Take the values at given periods.

    Args:
        table: (rows, periods, features).
        periods: (slots, …) periods counted from 1, 0 for none.
        columns: (…) feature that each is taken of; broadcasts.
        rows: (…) row that each is taken of; broadcasts.

    Returns:
        (slots, …) float64, 0 where there is no period.
    """
    _, length, width = table.shape
    start = rows * (length * width) + (columns - width)
    picked = table.ravel().take(periods * width + start)
    return np.where(periods > 0, picked, np.float64(0))


def level(picked: Doubles, periods: Periods) -> Doubles:
    """Compute the mean of the values at given periods.

    Args:
        picked: (slots, …) values, 0 where `periods` is 0.
        periods: (slots, …) periods counted from 1, 0 for none.

    Returns:
        (…), NaN of no value.
    """
    count = (periods > 0).sum(axis=0)
    return np.asarray(_total(picked) / np.where(count > 0, count, np.nan))


def slope(picked: Doubles, periods: Periods, levels: Doubles, windows: Positions) -> Doubles:
    """Compute the least-squares slope of the values at given periods.

    Args:
        picked: (slots, …) values, 0 where `periods` is 0.
        periods: (slots, …) periods counted from 1, 0 for none.
        levels: (…) mean of the values.
        windows: How many values are needed, at least 2; broadcasts.

    Returns:
        (…) change per period, NaN of fewer values than needed.
    """
    used = periods > 0
    full = used.sum(axis=0) == windows
    middle = periods.sum(axis=0) / windows
    step = np.where(used, periods - middle, 0.0)
    rise = _total(step * np.where(used, picked - levels, 0.0))
    run = _total(step * step)
    return np.asarray(rise / np.where(full, run, np.nan))


def _total(slots: Doubles) -> Doubles:
    """Add up slot by slot: in one order whatever the batch, so that its size changes no sum."""
    return reduce(np.add, slots)
