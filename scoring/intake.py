"""Take students in: JSON-like rows by feature name -> aligned arrays, one row's faults apart.

Rows that a struct built from the contract can type go to `Intake.gather` and become arrays;
of the others `scoring.row_faults` says everything that is wrong.
"""

import math
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from records.cohort import Cohort, Floats, Ints
from records.contract import Contract, Feature, Kind
from scoring.row_faults import (
    FAULTS_PER_ROW,
    ID_LENGTH,
    RowFault,
    explain,
    is_text,
    number_limits,
    order_faults,
)

# Beyond so many faults, one a row: what a sender mends first, and answers stay small.
THOROUGH_FAULTS = 1000


@dataclass(frozen=True, slots=True, eq=False)
class Admission:
    """The students that can be scored, as arrays, and what is wrong with the others.

    Attributes:
        rows: (accepted,) position of each accepted student among those handed in, ascending.
        ids: (accepted,) the students' ids, as handed in.
        values: (accepted, periods, features) float32 in the contract's order, raw units, NaN for
            missing; periods is the contract's maximum.
        lengths: (accepted,) int32, the last period handed in, 1 … contract maximum.
        faults: What is wrong with the rows that are not among `rows`, in the order of the rows.
        reference: (accepted,) int8 position in `scoring.table.ORIGINS` where relative features
            are filled in already; None where they are still to be, from the bundle.
    """

    rows: NDArray[np.intp]
    ids: list[str]
    values: Floats
    lengths: Ints
    faults: list[RowFault]
    reference: NDArray[np.int8] | None = None


_FIRST = np.zeros(1, np.intp)
_FIRST.flags.writeable = False


class Intake:
    """Turns students, as JSON carries them, into the arrays that a scorer takes.

    A student is `{"id": "s-1", "periods": [{"period": 1, "<feature>": value, …}, …]}`; a feature
    that is null or absent is missing. Categorical and ordinal features go by the level's name,
    flags by true and false.

    Args:
        contract: What a record holds.

    Attributes:
        student_type: A `msgspec.Struct` of one student; a JSON decoder of it accepts exactly what
            `read` accepts, but for the order of the periods, which `gather` checks.
    """

    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        self.student_type = _student_type(contract)
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

    def read(self, students: Iterable[object]) -> Admission:
        """Admit JSON-like students one by one: a fault keeps out its own row and no other."""
        typed: list[Any] = []
        rows: list[int] = []
        faults: list[RowFault] = []
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
        return self.gather(typed, rows=rows, faults=faults)

    def gather(
        self,
        students: Sequence[Any],
        *,
        rows: Sequence[int] | None = None,
        faults: Sequence[RowFault] = (),
    ) -> Admission:
        """Lay typed students out as arrays; no Python runs per value.

        Args:
            students: Instances of `student_type`.
            rows: Position of each among the students handed in; by default their own order.
            faults: What is already known to be wrong with other rows.
        """
        count, maximum = len(students), self.contract.periods.maximum
        histories = [student.periods for student in students]
        sizes = list(map(len, histories))
        table = self._table(histories, sum(sizes))
        if count == 1 and table[:, 0].tolist() == self._clock[: len(table)]:
            # One student without a gap, the usual request: half the time of what follows.
            values = self._nothing.copy()
            values[0, : len(table)] = table[:, 1:]
            return Admission(
                rows=_FIRST if rows is None else np.array(rows, np.intp),
                ids=[students[0].id],
                values=values,
                lengths=np.array([len(table)], np.int32),
                faults=list(faults),
            )
        period, size = table[:, 0].astype(np.intp), np.array(sizes, np.intp)
        owner = np.repeat(np.arange(count), size)
        # Rows one after the other, periods ascending within each: one strictly rising sequence.
        place = owner * (maximum + 1) + period
        rising = place[1:] > place[:-1]
        if not rising.all():
            unordered = set(owner[1:][~rising].tolist())
            return self._without(unordered, students, rows, faults)
        values = np.full((count, maximum, self._width - 1), np.nan, np.float32)
        values[owner, period - 1] = table[:, 1:]
        return Admission(
            rows=np.arange(count) if rows is None else np.array(rows, np.intp),
            ids=[student.id for student in students],
            values=values,
            lengths=period[size.cumsum() - 1].astype(np.int32),
            faults=list(faults),
        )

    def _table(self, histories: Sequence[Sequence[Any]], entries: int) -> Floats:
        """Return (entries, period and features) float32, one history after the other."""
        # Packing takes a third of the time that numpy takes over Python's numbers.
        layout = _layout(entries * self._width)
        try:
            packed = layout.pack(*self._cells(histories))
        except struct.error:  # null
            known = (math.nan if cell is None else cell for cell in self._cells(histories))
            packed = layout.pack(*known)
        return np.frombuffer(packed).astype(np.float32).reshape(-1, self._width)

    def _cells(self, histories: Sequence[Sequence[Any]]) -> Iterable[Any]:
        entries = map(msgspec.structs.astuple, chain.from_iterable(histories))
        if not self._levels:
            return chain.from_iterable(entries)
        cells = list(chain.from_iterable(entries))
        for column, position in self._levels:
            cells[column :: self._width] = map(position.__getitem__, cells[column :: self._width])
        return cells

    def _without(
        self,
        unordered: set[int],
        students: Sequence[Any],
        rows: Sequence[int] | None,
        faults: Sequence[RowFault],
    ) -> Admission:
        rows = range(len(students)) if rows is None else rows
        found = list(faults)
        for at in sorted(unordered):
            found += order_faults(rows[at], [entry.period for entry in students[at].periods])
        kept = [at for at in range(len(students)) if at not in unordered]
        return self.gather(
            [students[at] for at in kept],
            rows=[rows[at] for at in kept],
            faults=sorted(found, key=lambda fault: fault.row),
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


def _student_type(contract: Contract) -> type[msgspec.Struct]:
    """Build the struct of one student; msgspec then decodes and checks in compiled code."""
    maximum = contract.periods.maximum
    columns = [
        (feature.name, _type_of(feature), _ABSENT[bool(feature.levels)])
        for feature in contract.features
    ]
    # Cells hold no reference to other objects, so the cyclic collector need not look at them.
    period_type = msgspec.defstruct(
        "Period",
        [("period", Annotated[int, msgspec.Meta(ge=1, le=maximum)]), *columns],
        forbid_unknown_fields=True,
        frozen=True,
        gc=False,
    )
    periods = Annotated[list[period_type], msgspec.Meta(min_length=1, max_length=maximum)]  # type: ignore[valid-type]
    return msgspec.defstruct(
        "Student",
        [
            ("id", Annotated[str, msgspec.Meta(min_length=1, max_length=ID_LENGTH)]),
            ("periods", periods),
        ],
        forbid_unknown_fields=True,
        frozen=True,
        gc=False,
    )


# NaN spares a conversion; a level's absence must be looked up like a level.
_ABSENT: dict[bool, float | None] = {False: math.nan, True: None}


def _type_of(feature: Feature) -> Any:
    if feature.levels:
        return Literal[feature.levels] | None
    if feature.kind is Kind.FLAG:
        return bool | None
    lower, upper = number_limits(feature)  # Limits on both sides also refuse NaN.
    return Annotated[float, msgspec.Meta(ge=lower, le=upper)] | None
