"""Read students as JSON carries them: rows by feature name -> aligned arrays.

Students that a struct built from the contract can hold become arrays. Of each of the others,
`scoring.students.faults` lists what is wrong; they never affect the rest.
"""

import math
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from operator import lt
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from records.arrays import Floats, Ints, Positions
from records.contract import Contract
from records.errors import Fault
from records.identity.ids import match_key, match_keys, repeats
from scoring.steps import STEP_STUDENTS, Steps, finish
from scoring.students.faults import (
    FAULTS_PER_ROW,
    blank_id,
    duplicate_id,
    explain,
    is_text,
    order_faults,
    with_whole_periods,
)
from scoring.students.student_type import student_type_of

# Beyond this many faults only the first of each row is listed, so that responses stay small.
THOROUGH_FAULTS = 1000


@dataclass(frozen=True, slots=True, eq=False)
class StudentBatch:
    """The valid students of a request as arrays, and what is wrong with the others.

    Attributes:
        rows: (valid,) position of each valid student in the request, ascending.
        ids: (valid,) ids as sent.
        values: (valid, periods, features) float32 in the contract's order, raw units, NaN for
            missing; periods is the contract's maximum.
        lengths: (valid,) int32, the last period sent, 1 to the contract's maximum.
        faults: What is wrong with the other rows, in the order of the rows.
        reference: (valid,) int8 position in `scoring.results.ORIGINS` where relative features are
            filled in already; None where they are still to be filled in from the bundle.
    """

    rows: Positions
    ids: list[str]
    values: Floats
    lengths: Ints
    faults: list[Fault]
    reference: NDArray[np.int8] | None = None


class StudentArrays(NamedTuple):
    """Students as arrays; fields as in `StudentBatch`."""

    values: Floats
    lengths: Ints


class LazyStudent:
    """A valid student alone in a request: a `StudentBatch` whose arrays are made when needed.

    The arrays of many such requests are made in one pass (`Intake.to_arrays`).

    Args:
        intake: Makes the arrays.
        typed: Of the intake's `student_type`, periods ascending.
    """

    __slots__ = ("_intake", "arrays", "faults", "ids", "typed")

    rows: Positions = np.zeros(1, np.intp)
    rows.flags.writeable = False
    reference: NDArray[np.int8] | None = None

    def __init__(self, intake: "Intake", typed: Any) -> None:
        self._intake, self.typed = intake, typed
        self.ids: list[str] = [typed.id]
        self.faults: list[Fault] = []
        self.arrays: StudentArrays | None = None

    @property
    def values(self) -> Floats:
        """(1, periods, features); see `StudentBatch`."""
        return (self.arrays or self._intake.to_arrays([self])).values

    @property
    def lengths(self) -> Ints:
        """(1,); see `StudentBatch`."""
        return (self.arrays or self._intake.to_arrays([self])).lengths


class Intake:
    """Turns students, as JSON carries them, into the arrays that a scorer takes.

    A student is `{"id": "s-1", "periods": [{"period": 1, "<feature>": value, …}, …]}`; a feature
    that is null or absent is missing. Categorical and ordinal features go by the level's name,
    flags by true and false.

    Args:
        contract: What a record holds.

    Attributes:
        contract: The contract.
        student_type: A `msgspec.Struct` of one student. A JSON decoder of it accepts what `read`
            accepts, except for the order of the periods and for ids, which `collect` checks.
    """

    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        self.student_type = student_type_of(contract)
        self._width = 1 + len(contract.features)
        self._clock = list(range(1, contract.periods.maximum + 1))
        shape = (1, contract.periods.maximum, len(contract.features))
        self._missing = np.full(shape, np.nan, np.float32)
        self._levels: list[tuple[int, dict[str | None, float]]] = [
            (
                column,
                {None: math.nan, **{level: float(at) for at, level in enumerate(feature.levels)}},
            )
            for column, feature in enumerate(contract.features, start=1)
            if feature.levels
        ]

    def read(self, students: Iterable[object]) -> StudentBatch:
        """Read JSON-like students one by one; a fault refuses its own row and no other."""
        return finish(self.read_in_steps(students))

    def read_in_steps(self, students: Iterable[object]) -> Steps[StudentBatch]:
        """Read JSON-like students as `read` does, some in each step."""
        typed: list[Any] = []
        rows: list[int] = []
        faults: list[Fault] = []
        for row, student in enumerate(students):
            candidate = self._convert(student)
            if candidate is None:
                # Seldom needed, and a copy.
                student = with_whole_periods(student)  # noqa: PLW2901
                candidate = self._convert(student)
            if candidate is None:
                limit = FAULTS_PER_ROW if len(faults) < THOROUGH_FAULTS else 1
                faults += explain(self.contract, row, student, limit=limit)
            else:
                typed.append(candidate)
                rows.append(row)
            if row % STEP_STUDENTS == STEP_STUDENTS - 1:
                yield
        return self.collect(typed, rows=rows, faults=faults)

    def _convert(self, student: object) -> Any:
        try:
            typed: Any = msgspec.convert(student, self.student_type)
        except (msgspec.ValidationError, UnicodeEncodeError):  # half a surrogate pair
            return None
        return typed if is_text(typed.id) else None

    def collect(
        self,
        students: Sequence[Any],
        *,
        rows: Sequence[int] | None = None,
        faults: Sequence[Fault] = (),
    ) -> StudentBatch:
        """Turn typed students into arrays, except those with faults; no Python runs per value.

        Args:
            students: Instances of `student_type`.
            rows: Position of each in the request; by default their own order.
            faults: Faults of other rows.
        """
        ids = [student.id for student in students]
        places = range(len(students)) if rows is None else rows
        keys = match_keys(ids)
        wrong = {at: [blank_id(places[at])] for at, key in enumerate(keys) if not key}
        arrays = self._arrays([student.periods for student in students])
        if isinstance(arrays, set):
            for at in arrays:
                periods = [entry.period for entry in students[at].periods]
                wrong.setdefault(at, []).extend(order_faults(places[at], periods))
        elif not wrong:
            wrong = {at: [duplicate_id(places[at], places[first])] for at, first in repeats(keys)}
        if wrong or isinstance(arrays, set):
            return self._collect_others(students, places, faults, wrong)
        return StudentBatch(
            rows=np.array(places, np.intp),
            ids=ids,
            values=arrays.values,
            lengths=arrays.lengths,
            faults=list(faults),
        )

    def _collect_others(
        self,
        students: Sequence[Any],
        rows: Sequence[int],
        faults: Sequence[Fault],
        wrong: Mapping[int, Sequence[Fault]],
    ) -> StudentBatch:
        """Collect the students that are not `wrong`: position -> faults."""
        valid = [at for at in range(len(students)) if at not in wrong]
        found = [*faults, *chain.from_iterable(wrong.values())]
        return self.collect(
            [students[at] for at in valid],
            rows=[rows[at] for at in valid],
            faults=sorted(found, key=lambda fault: fault.row or 0),
        )

    def parse(self, students: Sequence[Any]) -> StudentBatch | LazyStudent:
        """Check the typed students of a request; a valid one alone stays lazy."""
        if len(students) == 1 and match_key(students[0].id):
            periods = [entry.period for entry in students[0].periods]
            if periods == self._clock[: len(periods)] or all(map(lt, periods, periods[1:])):
                return LazyStudent(self, students[0])
        return self.collect(students)

    def to_arrays(self, parts: Sequence[StudentBatch | LazyStudent]) -> StudentArrays:
        """Return the arrays of all students, part after part; lazy ones are made in one pass."""
        lazy = [part for part in parts if isinstance(part, LazyStudent) and part.arrays is None]
        if lazy:
            made = self._arrays([student.typed.periods for student in lazy])
            if isinstance(made, set):
                raise TypeError("`parse` returns no lazy student whose periods do not ascend")
            for at, student in enumerate(lazy):
                student.arrays = StudentArrays(made.values[at : at + 1], made.lengths[at : at + 1])
            if len(lazy) == len(parts):
                return made
        if len(parts) == 1:
            return StudentArrays(parts[0].values, parts[0].lengths)
        return StudentArrays(
            np.concatenate([part.values for part in parts]),
            np.concatenate([part.lengths for part in parts]),
        )

    def _arrays(self, histories: Sequence[Sequence[Any]]) -> StudentArrays | set[int]:
        """Return arrays, or the positions of the students whose periods do not ascend."""
        count, maximum = len(histories), self.contract.periods.maximum
        sizes = list(map(len, histories))
        entries = sum(sizes)
        table = self._table(histories, entries)
        if count == 1 and table[:, 0].tolist() == self._clock[:entries]:
            # One student without a gap, the usual request: half the time of what follows.
            values = self._missing.copy()
            values[0, :entries] = table[:, 1:]
            return StudentArrays(values, np.array([entries], np.int32))
        size = np.array(sizes, np.intp)
        before = np.arange(0, count * maximum, maximum) - 1
        # Rows one after the other, periods ascending within each: one strictly ascending sequence.
        place = before.repeat(size) + table[:, 0].astype(np.intp)
        ascending = place[1:] > place[:-1]
        if not ascending.all():
            owner = np.arange(count).repeat(size)
            return set(owner[1:][~ascending].tolist())
        if entries == count * maximum:
            values = table[:, 1:]
        else:
            values = np.full((count * maximum, self._width - 1), np.nan, np.float32)
            values[place] = table[:, 1:]
        lengths = place[size.cumsum() - 1] - before
        return StudentArrays(
            values.reshape(count, maximum, self._width - 1), lengths.astype(np.int32)
        )

    def _table(self, histories: Sequence[Sequence[Any]], entries: int) -> Floats:
        """Return (entries, period and features) float32, one history after the other."""
        # Packing takes a third of the time that NumPy takes over Python's numbers.
        layout, cells = _layout(entries * self._width), self._cells(histories)
        try:
            packed = layout.pack(*cells)
        except struct.error:  # null
            packed = layout.pack(*[math.nan if cell is None else cell for cell in cells])
        return np.frombuffer(packed).astype(np.float32).reshape(entries, self._width)

    def _cells(self, histories: Sequence[Sequence[Any]]) -> list[Any]:
        cells: list[Any] = []
        # Half the time of `chain.from_iterable`, which takes the cells one by one.
        for entry in map(msgspec.structs.astuple, chain.from_iterable(histories)):
            cells += entry
        for column, position in self._levels:
            cells[column :: self._width] = map(position.__getitem__, cells[column :: self._width])
        return cells


@lru_cache(maxsize=1024)
def _layout(numbers: int) -> struct.Struct:
    return struct.Struct(f"{numbers}d")
