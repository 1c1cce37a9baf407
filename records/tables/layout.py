"""Lay rows of periods out as arrays of students: from long to wide, for every reader.

Whole columns are checked and laid out at once, without Python for each row or value.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from records.arrays import Bools, Floats, Ints, Positions
from records.contract import Contract, Feature, Kind

# Stands for a period that is missing or cannot be read.
NO_PERIOD = -1
_FLOAT32_LIMIT = float(np.finfo(np.float32).max)


@dataclass(frozen=True, slots=True, eq=False)
class FeatureColumn:
    """One feature of many rows.

    Attributes:
        values: (rows,) numbers, positions of levels, or 0 and 1; NaN where missing.
        wrong: (rows,) cells that cannot be read or are not allowed; None for no cell.
    """

    values: NDArray[np.floating]
    wrong: Bools | None


@dataclass(frozen=True, slots=True, eq=False)
class StudentColumns:
    """Students as columns, one row a period, each student's rows one after the other.

    Attributes:
        is_valid: (students,) whether the id is valid.
        sizes: (students,) rows of each student.
        period: (rows,) counted from 1; `NO_PERIOD` where it cannot be read.
        features: One for each feature of the contract, in its order; None for a missing column.
    """

    is_valid: Bools
    sizes: Positions
    period: NDArray[np.int64]
    features: Sequence[FeatureColumn | None]


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """The students without a fault, as arrays.

    Attributes:
        students: (valid,) their positions among all students, ascending.
        values: (valid, periods, features) float32 in the contract's order, NaN for missing;
            periods is the contract's maximum.
        lengths: (valid,) int32, the last period of each.
    """

    students: Positions
    values: Floats
    lengths: Ints


def lay_out(contract: Contract, columns: StudentColumns) -> Layout:
    """Lay out the students that have rows and no fault."""
    students, maximum = len(columns.sizes), contract.periods.maximum
    if (regular := _regular(contract, columns)) is not None:
        return regular
    owner = np.repeat(np.arange(students), columns.sizes)
    wrong = _wrong_rows(columns, owner, maximum)
    selected = columns.is_valid & (columns.sizes > 0)
    if wrong.any():
        selected[owner[wrong]] = False
    rows = np.flatnonzero(selected)
    sizes, period = columns.sizes, columns.period
    chosen: Bools | slice = slice(None)
    if len(rows) < students:
        chosen = selected[owner]
        sizes, period = sizes[selected], period[chosen]
        owner = np.repeat(np.arange(len(rows)), sizes)
    values = np.full((len(rows) * maximum, len(contract.features)), np.nan, np.float32)
    cells = owner * maximum + (period - 1)
    for at, column in enumerate(columns.features):
        if column is not None:
            values[cells, at] = column.values[chosen]
    return Layout(
        students=rows,
        values=values.reshape(len(rows), maximum, len(contract.features)),
        lengths=period[np.cumsum(sizes) - 1].astype(np.int32),
    )


def _regular(contract: Contract, columns: StudentColumns) -> Layout | None:
    """Lay out students that all have the same periods from the first on, and no fault.

    That is a table at one point in time: its columns only need another order in memory.
    """
    students, maximum = len(columns.sizes), contract.periods.maximum
    length = int(columns.sizes[0]) if students else 0
    if (
        not 1 <= length <= maximum
        or (columns.sizes != length).any()
        or not columns.is_valid.all()
        or any(column is not None and column.wrong is not None for column in columns.features)
        or (columns.period.reshape(students, length) != np.arange(1, length + 1)).any()
    ):
        return None
    values = np.empty((students, maximum, len(contract.features)), np.float32)
    values[:, length:] = np.nan
    for at, column in enumerate(columns.features):
        cells = np.nan if column is None else column.values.reshape(students, length)
        values[:, :length, at] = cells
    return Layout(np.arange(students), values, np.full(students, length, np.int32))


def number_limits(feature: Feature) -> tuple[float, float]:
    """Return the smallest and largest number allowed: the contract's, or else float32's.

    Arrays hold float32. A number that becomes the float32 next to a bound lies within it: a bound of
    131072.375 is written as 131072.38, the shortest text of that float32.
    """
    lower = max(feature.lower_bound, -_FLOAT32_LIMIT)
    upper = min(feature.upper_bound, _FLOAT32_LIMIT)
    return min(lower, _farthest(lower, -math.inf)), max(upper, _farthest(upper, math.inf))


def _farthest(bound: float, towards: float) -> float:
    """Return the last number that rounds to the float32 of a bound, in the given direction."""
    nearest = np.float32(bound)
    if not abs(bound) < _FLOAT32_LIMIT:
        return bound
    middle = (float(nearest) + float(np.nextafter(nearest, np.float32(towards)))) / 2
    return math.nextafter(middle, float(nearest))


def beyond(feature: Feature, values: NDArray[np.floating]) -> Bools | None:
    """Find numbers outside of what the contract allows, infinite ones included.

    Args:
        feature: A numeric feature; of others nothing is beyond.
        values: (rows,) in the precision that they were sent in, so that the nearest float32 to a
            bound lies within it.

    Returns:
        (rows,) or None where there is none.
    """
    if feature.kind is not Kind.NUMERIC:
        return None
    # Plain numbers: NumPy compares in the precision of the array.
    lower, upper = number_limits(feature)
    # Two passes without a copy; they pass over NaN, and none remain where all is NaN.
    if not len(values) or (np.fmin.reduce(values) >= lower and np.fmax.reduce(values) <= upper):
        return None
    outside = (values < lower) | (values > upper)
    return outside if outside.any() else None


def _wrong_rows(columns: StudentColumns, owner: Positions, maximum: int) -> Bools:
    period = columns.period
    wrong = (period < 1) | (period > maximum)
    # Rows one after the other, periods ascending within each: one strictly rising sequence.
    place = owner * (maximum + 1) + np.where(wrong, 0, period)
    wrong[1:] |= place[1:] <= place[:-1]
    for column in columns.features:
        if column is not None and column.wrong is not None:
            wrong |= column.wrong
    return wrong
