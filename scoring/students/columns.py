"""Lay columns of many students out as arrays, and say what is wrong with the others.

Whether a student can be admitted is decided on whole columns, without Python per row or value. Of
those who cannot, `scoring.students.faults` gives the reasons, so that every format gives the same ones.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from records.arrays import Bools, Positions
from records.contract import Contract, Feature, Kind
from scoring.steps import STEP_STUDENTS, Steps
from scoring.students.faults import FAULTS_PER_ROW, explain, number_limits
from scoring.students.intake import THOROUGH_FAULTS, StudentBatch

# Stands for a cell that is there and cannot be read.
NO_PERIOD = -1


@dataclass(frozen=True, slots=True, eq=False)
class FeatureColumn:
    """One feature of many rows.

    Attributes:
        values: (rows,) numbers, positions of levels, or 0 and 1; NaN where missing.
        wrong: (rows,) cells that cannot be read or may not be what they are; None for no cell.
    """

    values: NDArray[np.floating]
    wrong: Bools | None


@dataclass(frozen=True, slots=True, eq=False)
class StudentColumns:
    """Students as columns, one row a period, each student's rows one after the other.

    Attributes:
        ids: (students,) as handed in.
        known: (students,) whether the id may be one.
        sizes: (students,) rows of each student.
        period: (rows,) counted from 1; `NO_PERIOD` where it cannot be read.
        features: One for each feature of the contract, in its order; None for a missing column.
        student: Writes one student as JSON would carry it, for whoever says what is wrong.
    """

    ids: Sequence[str | None]
    known: Bools
    sizes: Positions
    period: NDArray[np.int64]
    features: Sequence[FeatureColumn | None]
    student: Callable[[int], object]


def admit(contract: Contract, columns: StudentColumns, first: int = 0) -> Steps[StudentBatch]:
    """Admit students, in steps: a fault keeps out its own student and no other.

    Args:
        contract: What a record holds.
        columns: The students.
        first: Position of the first of them among all that were handed in.
    """
    admission = to_arrays(contract, columns, first)
    if len(admission.ids) == len(columns.ids):
        return admission
    refused = np.ones(len(columns.sizes), np.bool_)
    refused[admission.rows - first] = False
    faults = admission.faults
    for number, at in enumerate(np.flatnonzero(refused).tolist(), start=1):
        limit = FAULTS_PER_ROW if len(faults) < THOROUGH_FAULTS else 1
        faults += explain(contract, first + at, columns.student(at), limit=limit)
        if number % STEP_STUDENTS == 0:
            yield
    return admission


def to_arrays(contract: Contract, columns: StudentColumns, first: int = 0) -> StudentBatch:
    """Admit students without saying what is wrong with the others; else as `admit`."""
    students, maximum = len(columns.sizes), contract.periods.maximum
    if (regular := _regular(contract, columns, first)) is not None:
        return regular
    owner = np.repeat(np.arange(students), columns.sizes)
    wrong = _wrong_rows(columns, owner, maximum)
    kept = columns.known & (columns.sizes > 0)
    if wrong.any():
        kept[owner[wrong]] = False
    everyone = bool(kept.all())
    rows = np.arange(students) if everyone else np.flatnonzero(kept)
    sizes, period = columns.sizes, columns.period
    chosen: Bools | slice = slice(None)
    if not everyone:
        chosen = kept[owner]
        sizes, period = sizes[kept], period[chosen]
        owner = np.repeat(np.arange(len(rows)), sizes)
    values = np.full((len(rows) * maximum, len(contract.features)), np.nan, np.float32)
    cells = owner * maximum + (period - 1)
    for at, column in enumerate(columns.features):
        if column is not None:
            values[cells, at] = column.values[chosen]
    return StudentBatch(
        rows=rows + first,
        ids=[columns.ids[row] or "" for row in rows.tolist()],  # `known` says that none is empty
        values=values.reshape(len(rows), maximum, len(contract.features)),
        lengths=period[np.cumsum(sizes) - 1].astype(np.int32),
        faults=[],
    )


def _regular(contract: Contract, columns: StudentColumns, first: int) -> StudentBatch | None:
    """Admit students of whom all have the same periods from the first on, and none a fault.

    That is a cohort at a point in time; its columns need only be laid out anew.
    """
    students, maximum = len(columns.sizes), contract.periods.maximum
    length = int(columns.sizes[0]) if students else 0
    if (
        not 1 <= length <= maximum
        or (columns.sizes != length).any()
        or not columns.known.all()
        or any(column is not None and column.wrong is not None for column in columns.features)
        or (columns.period.reshape(students, length) != np.arange(1, length + 1)).any()
    ):
        return None
    values = np.empty((students, maximum, len(contract.features)), np.float32)
    values[:, length:] = np.nan
    for at, column in enumerate(columns.features):
        cells = np.nan if column is None else column.values.reshape(students, length)
        values[:, :length, at] = cells
    return StudentBatch(
        rows=np.arange(first, first + students),
        ids=cast("list[str]", list(columns.ids)),  # all are known
        values=values,
        lengths=np.full(students, length, np.int32),
        faults=[],
    )


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
