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
Periods = NDArray[np.intp]


def newest_observed(observed: Bools, depth: int) -> tuple[Positions, Periods]:
    """Find the last observed periods of every feature.

    Args:
        observed: (features, rows, periods) whether there is a value.
        depth: How many periods are wanted, at least 1.

    Returns:
        (features, rows) how many periods were observed, and (slots, features, rows) the last of
        them, counted from 1, newest first; 0 where nothing older was observed. There are `depth`
        slots, or as many as periods where those are fewer.
    """
    length = observed.shape[2]
    # A product: several times faster than a sum over a short axis.
    count = np.asarray(observed @ np.ones(length, np.intp), np.intp)
    slots = np.arange(min(depth, length))[:, None, None]
    # All periods observed, history after history; those of one history end before `ends`.
    cells = observed.ravel().nonzero()[0]
    if not cells.size:
        return count, np.zeros((len(slots), *count.shape), np.intp)
    ends = count.ravel().cumsum().reshape(count.shape)
    before = np.arange(0, observed.size, length).reshape(count.shape)
    periods = cells.take(ends - 1 - slots, mode="clip") - (before - 1)
    periods *= slots < count
    return count, periods


def at_periods(
    table: NDArray[np.floating], periods: Periods, columns: Positions, rows: Positions
) -> NDArray[np.floating]:
    """Take the values at given periods.

    Args:
        table: (rows, periods, features), C-contiguous.
        periods: (slots, …) periods counted from 1, 0 for none.
        columns: (…) feature that each is taken of; broadcasts.
        rows: (…) row that each is taken of; broadcasts.

    Returns:
        (slots, …) in the table's own precision, 0 where there is no period.
    """
    _, length, width = table.shape
    start = rows * (length * width) + (columns - width)
    picked = table.ravel().take(periods * width + start)
    return np.where(periods > 0, picked, table.dtype.type(0))


def totals(picked: Doubles) -> Doubles:
    """Add up the values at given periods, newest first; (slots, …), the first 1, 2, … slots."""
    summed = np.empty_like(picked)
    summed[0] = picked[0]
    # Slot by slot, as `_total` does; `np.add.accumulate` takes ten times as long.
    for slot in range(1, len(picked)):
        np.add(summed[slot - 1], picked[slot], out=summed[slot])
    return summed


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
