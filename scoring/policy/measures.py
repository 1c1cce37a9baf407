"""Measure where features stand and where they are heading, for many students at once.

Both measures use a feature's observed values alone:

* level: mean of the last `window` observed values, or of as many as there are;
* slope: least squares per period through the last `window` observed values, all of them needed;
  periods between them count, whether observed or not.
"""

from functools import reduce
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from records.arrays import Bools, Doubles, Positions

Number = TypeVar("Number", bound=np.generic)


def newest_values(
    values: NDArray[np.floating], observed: Bools, depth: int
) -> tuple[Positions, Positions, NDArray[np.floating]]:
    """Find the last observed periods of every feature, and the values there.

    Args:
        values: (features, rows, periods), C-contiguous.
        observed: The same shape, whether there is a value to go by.
        depth: How many periods are wanted, at least 1.

    Returns:
        (features, rows) how many periods were observed; (depth, features, rows) the last of them,
        counted from 1, newest first; and the values there. 0 where nothing older was observed.
    """
    length = observed.shape[2]
    # A product: several times faster than a sum over a short axis.
    count = np.asarray(observed @ np.ones(length, np.intp), np.intp)
    # All periods observed, history after history; those of one history end before `ends`.
    cells = observed.ravel().nonzero()[0]
    if not cells.size:
        shape = (depth, *count.shape)
        return count, np.zeros(shape, np.intp), np.zeros(shape, values.dtype)
    ends = count.ravel().cumsum().reshape(count.shape)
    before = np.arange(0, observed.size, length).reshape(count.shape)
    slots = np.arange(depth)[:, None, None]
    newest = cells.take(ends - 1 - slots, mode="clip")
    periods, picked = newest - (before - 1), values.ravel().take(newest)
    nothing = slots >= count
    periods[nothing] = picked[nothing] = 0
    return count, periods, picked


def taken(table: NDArray[Number], columns: Positions) -> NDArray[Number]:
    """Take of each row of a table what is in some columns.

    Args:
        table: (things, columns).
        columns: (…, things, rows).

    Returns:
        (…, things, rows).
    """
    return table.ravel().take(columns + np.arange(0, table.size, table.shape[1])[:, None])


def totals(picked: Doubles) -> Doubles:
    """Add up the values at given periods, newest first; (slots, …), the first 1, 2, … slots."""
    summed = np.empty_like(picked)
    summed[0] = picked[0]
    # Slot by slot, in one order whatever the batch, so that its size changes no sum;
    # `np.add.accumulate` takes ten times as long.
    for slot in range(1, len(picked)):
        np.add(summed[slot - 1], picked[slot], out=summed[slot])
    return summed


def slope(away: Doubles, steps: Doubles) -> Doubles:
    """Compute least-squares slopes.

    Args:
        away: (slots, …) how far values lie from their mean; 0 in slots that do not count.
        steps: (slots, …) how far their periods lie from the mean of the periods; 0 likewise.

    Returns:
        (…) change per period; NaN where a mean is.
    """
    return np.asarray(_total(steps * away) / _total(steps * steps))


def _total(slots: Doubles) -> Doubles:
    """Add up slot by slot, as `totals` does."""
    return reduce(np.add, slots)
