"""Take students in: JSON-like rows by feature name -> aligned arrays, one row's faults apart.

Rows that a struct built from the contract can type go to `Intake.collect` and become arrays;
of the others `scoring.students.faults` says everything that is wrong.
"""

import math
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from operator import lt
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from records.arrays import Floats, Ints
from records.cohort import Cohort
from records.contract import Contract, Feature, Kind
from records.errors import Fault
from scoring.steps import STEP_STUDENTS, Steps, finish
from scoring.students.faults import (
    FAULTS_PER_ROW,
    explain,
    is_text,
    order_faults,
)
from scoring.students.student_type import student_type_of

# Beyond so many faults, one a row: what a sender mends first, and answers stay small.
THOROUGH_FAULTS = 1000


@dataclass(frozen=True, slots=True, eq=False)
class StudentBatch:
    """The students that can be scored, as arrays, and what is wrong with the others.

    Attributes:
        rows: (accepted,) position of each accepted student among those handed in, ascending.
        ids: (accepted,) the students' ids, as handed in.
        values: (accepted, periods, features) float32 in the contract's order, raw units, NaN for
            missing; periods is the contract's maximum.
        lengths: (accepted,) int32, the last period handed in, 1 … contract maximum.
        faults: What is wrong with the rows that are not among `rows`, in the order of the rows.
        reference: (accepted,) int8 position in `scoring.results.ORIGINS` where relative features
            are filled in already; None where they are still to be, from the bundle.
    """

    rows: NDArray[np.intp]
    ids: list[str]
    values: Floats
    lengths: Ints
    faults: list[Fault]
    reference: NDArray[np.int8] | None = None


class StudentArrays(NamedTuple):
    """Students as arrays, as in `StudentBatch`."""

    values: Floats
    lengths: Ints


_FIRST = np.zeros(1, np.intp)
_FIRST.flags.writeable = False


class LazyStudent:
    """The only student of a request: an `StudentBatch` whose arrays can be made with those of others.

    Args:
        intake: Lays it out.
        typed: Of the intake's `student_type`, periods ascending.

    Attributes:
        typed: As given.
        ids: Its id.
        laid: Its arrays, once they are made.
    """

    __slots__ = ("_intake", "faults", "ids", "laid", "typed")

    rows: NDArray[np.intp] = _FIRST
    reference: NDArray[np.int8] | None = None

    def __init__(self, intake: "Intake", typed: Any) -> None:
        self._intake, self.typed = intake, typed
        self.ids: list[str] = [typed.id]
        self.faults: list[Fault] = []
        self.laid: StudentArrays | None = None

    @property
    def values(self) -> Floats:
        """(1, periods, features); see `StudentBatch`."""
        return (self.laid or self._intake.to_arrays([self])).values

    @property
    def lengths(self) -> Ints:
        """(1,); see `StudentBatch`."""
        return (self.laid or self._intake.to_arrays([self])).lengths


class Intake:
    """Turns students, as JSON carries them, into the arrays that a scorer takes.

    A student is `{"id": "s-1", "periods": [{"period": 1, "<feature>": value, …}, …]}`; a feature
    that is null or absent is missing. Categorical and ordinal features go by the level's name,
    flags by true and false.

    Args:
        contract: What a record holds.

    Attributes:
        student_type: A `msgspec.Struct` of one student; a JSON decoder of it accepts exactly what
            `read` accepts, but for the order of the periods, which `collect` checks.
    """

    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        self.student_type = student_type_of(contract)
        self._width = 1 + len(contract.features)
        self._clock = list(range(1, contract.periods.maximum + 1))
        shape = (1, contract.periods.maximum, len(contract.features))
        self._nothing = np.full(shape, np.nan, np.float32)
        self._levels: list[tuple[int, dict[str | None, float]]] = [
            (
                column,
                {None: math.nan, **{level: float(at) for at, level in enumerate(feature.levels)}},
            )
            for column, feature in enumerate(contract.features, start=1)
            if feature.levels
        ]

    def read(self, students: Iterable[object]) -> StudentBatch:
        """Admit JSON-like students one by one: a fault keeps out its own row and no other."""
        return finish(self.read_in_steps(students))

    def read_in_steps(self, students: Iterable[object]) -> Steps[StudentBatch]:
        """Admit JSON-like students as `read` does, some in a step."""
        typed: list[Any] = []
        rows: list[int] = []
        faults: list[Fault] = []
        for row, student in enumerate(students):
            try:
                candidate: Any = msgspec.convert(student, self.student_type)
            except (msgspec.ValidationError, UnicodeEncodeError):  # half a surrogate pair
                candidate = None
            if candidate is not None and is_text(candidate.id):
                typed.append(candidate)
                rows.append(row)
            else:
                limit = FAULTS_PER_ROW if len(faults) < THOROUGH_FAULTS else 1
                faults += explain(self.contract, row, student, limit=limit)
            if row % STEP_STUDENTS == STEP_STUDENTS - 1:
                yield
        return self.collect(typed, rows=rows, faults=faults)

    def collect(
        self,
        students: Sequence[Any],
        *,
        rows: Sequence[int] | None = None,
        faults: Sequence[Fault] = (),
    ) -> StudentBatch:
        """Lay typed students out as arrays; no Python runs per value.

        Args:
            students: Instances of `student_type`.
            rows: Position of each among the students handed in; by default their own order.
            faults: What is already known to be wrong with other rows.
        """
        histories = [student.periods for student in students]
        laid = self._lay(histories)
        if isinstance(laid, set):
            return self._without(laid, students, rows, faults)
        return StudentBatch(
            rows=np.arange(len(students)) if rows is None else np.array(rows, np.intp),
            ids=[student.id for student in students],
            values=laid.values,
            lengths=laid.lengths,
            faults=list(faults),
        )

    def parse(self, students: Sequence[Any]) -> "StudentBatch | LazyStudent":
        """Take typed students in; a sound one alone becomes arrays later, with those of others."""
        if len(students) == 1:
            periods = [entry.period for entry in students[0].periods]
            if periods == self._clock[: len(periods)] or all(map(lt, periods, periods[1:])):
                return LazyStudent(self, students[0])
        return self.collect(students)

    def to_arrays(self, parts: "Sequence[StudentBatch | LazyStudent]") -> "StudentArrays":
        """Return the arrays of all students, part after part; lone ones are made in one go."""
        lone = [part for part in parts if isinstance(part, LazyStudent) and part.laid is None]
        if lone:
            laid = self._lay([one.typed.periods for one in lone])
            if isinstance(laid, set):
                raise TypeError("`parse` lets nobody wait whose periods do not rise")
            if len(lone) == 1:
                lone[0].laid = laid
            else:
                for at, one in enumerate(lone):
                    one.laid = StudentArrays(laid.values[at : at + 1], laid.lengths[at : at + 1])
            if len(lone) == len(parts):
                return laid
        if len(parts) == 1:
            return StudentArrays(parts[0].values, parts[0].lengths)
        return StudentArrays(
            np.concatenate([part.values for part in parts]),
            np.concatenate([part.lengths for part in parts]),
        )

    def _lay(self, histories: Sequence[Sequence[Any]]) -> "StudentArrays | set[int]":
        """Return arrays, or the positions of those whose periods do not rise."""
        count, maximum = len(histories), self.contract.periods.maximum
        sizes = list(map(len, histories))
        entries = sum(sizes)
        table = self._table(histories, entries)
        if count == 1 and table[:, 0].tolist() == self._clock[:entries]:
            # One student without a gap, the usual request: half the time of what follows.
            values = self._nothing.copy()
            values[0, :entries] = table[:, 1:]
            return StudentArrays(values, np.array([entries], np.int32))
        size = np.array(sizes, np.intp)
        before = np.arange(0, count * maximum, maximum) - 1
        # Rows one after the other, periods ascending within each: one strictly rising sequence.
        place = before.repeat(size) + table[:, 0].astype(np.intp)
        rising = place[1:] > place[:-1]
        if not rising.all():
            owner = np.arange(count).repeat(size)
            return set(owner[1:][~rising].tolist())
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
        # Packing takes a third of the time that numpy takes over Python's numbers.
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

    def _without(
        self,
        unordered: set[int],
        students: Sequence[Any],
        rows: Sequence[int] | None,
        faults: Sequence[Fault],
    ) -> StudentBatch:
        rows = range(len(students)) if rows is None else rows
        found = list(faults)
        for at in sorted(unordered):
            found += order_faults(rows[at], [entry.period for entry in students[at].periods])
        kept = [at for at in range(len(students)) if at not in unordered]
        return self.collect(
            [students[at] for at in kept],
            rows=[rows[at] for at in kept],
            faults=sorted(found, key=lambda fault: fault.row or 0),
        )


@lru_cache(maxsize=1024)
def _layout(numbers: int) -> struct.Struct:
    return struct.Struct(f"{numbers}d")


def students_of(cohort: Cohort) -> list[dict[str, Any]]:
    """Write a cohort's records as the students that `Intake` reads: values of float32, exactly.

    Periods in which nothing was observed are left out, but for the last one, which carries the
    length.
    """
    written: list[dict[str, Any]] = []
    for name, values, length in zip(cohort.ids, cohort.values, cohort.lengths, strict=True):
        periods: list[dict[str, Any]] = []
        for at in range(int(length)):
            features = {
                feature.name: _written(feature, value)
                for feature, value in zip(cohort.contract.features, values[at], strict=True)
                if not np.isnan(value)
            }
            if features or at == length - 1:
                periods.append({"period": at + 1, **features})
        written.append({"id": str(name), "periods": periods})
    return written


def _written(feature: Feature, value: np.float32) -> Any:
    if feature.levels:
        return feature.levels[int(value)]
    if feature.kind is Kind.FLAG:
        return bool(value)
    # The shortest text that is this float32: 82.3, not the 82.30000305175781 that float() gives.
    number = float(str(value))
    return int(number) if number.is_integer() and abs(number) < 2**53 else number
