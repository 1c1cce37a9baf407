"""Take students in from tables: Arrow record batches -> aligned arrays and row faults.

A table has one row per student and period, each student's rows together, as `records.tables.read_write`
describes it: `id`, `period` and the features by name. Levels stand as their names, flags as true
and false, missing cells as null. Text is read as `records.tables.read_write` reads it, so CSV will do.
"""

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from records.arrays import Bools, Positions
from records.contract import RESERVED, Contract, Feature, Kind
from records.errors import BellwetherError
from records.ids import match_keys
from records.tables.cells import (
    FLAGS,
    MISSING,
    UNREADABLE,
    is_number,
    is_text,
    read_flags,
    read_levels,
    read_numbers,
)
from scoring.steps import Steps, finish
from scoring.students.columns import (
    NO_PERIOD,
    FeatureColumn,
    StudentColumns,
    admit,
    beyond,
    to_arrays,
)
from scoring.students.faults import ID_LENGTH, field_name
from scoring.students.intake import StudentBatch


class TableError(BellwetherError):
    """A table that cannot be taken in as a whole.

    Args:
        field: The column at fault, None for the whole table.
        code: Machine-readable reason, such as `unknown_field`.
        message: What was expected and what to do.
    """

    def __init__(self, field: str | None, code: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.code = code


@dataclass(frozen=True, slots=True, eq=False)
class StudentRows:
    """Rows of whole students, and who they are.

    Attributes:
        rows: One a period.
        starts: (students,) the row at which each begins, ascending from 0.
        names: (students,) their ids; None where there is none.
    """

    rows: pa.RecordBatch
    starts: Positions
    names: list[str | None]


class TableIntake:
    """Turns tables of students into the arrays that a scorer takes.

    Args:
        contract: What a record holds.
    """

    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        self.columns = ("id", "period", "observed", *contract.feature_names)
        audit = tuple(attribute.name for attribute in contract.audit)
        # Columns of a table of records that say nothing to a scorer.
        self._ignored = {*RESERVED, *contract.targets.score.columns, *audit} - set(self.columns)
        # Most tables are like the one before.
        self._checked: tuple[pa.Schema, list[str]] | None = None

    def check(self, schema: pa.Schema) -> list[str]:
        """Return the columns to read, in the table's order.

        Raises:
            TableError: A column is unknown, missing, there twice, or of a type that it cannot have.
        """
        checked = self._checked  # other threads check tables, too
        if checked is not None and schema.equals(checked[0]):
            return checked[1]
        names = schema.names
        for name in names:
            if name not in self.columns and name not in self._ignored:
                raise self._unknown(name)
            if names.count(name) > 1:
                message = f"The column `{name}` is there twice; drop one."
                raise TableError(name, "duplicate_field", message)
        for name in ("id", "period"):
            if name not in names:
                message = f"The column `{name}` is missing: one row per student and period."
                raise TableError(name, "missing_field", message)
        kept = [name for name in names if name in self.columns]
        for name in kept:
            self._check_type(name, schema.field(name).type)
        self._checked = schema, kept
        return kept

    def admit(self, part: StudentRows, first: int = 0) -> StudentBatch:
        """Admit the students of a slice; a fault keeps out its own student and no other.

        Args:
            part: Rows of whole students, with a schema that `check` has passed.
            first: Position of the first student among all that were handed in.

        Returns:
            Arrays and faults. A fault's field counts the student's rows: `periods[2].attendance`
            is in the third of them.
        """
        return finish(self.admit_in_steps(part, first))

    def admit_in_steps(self, part: StudentRows, first: int = 0) -> Steps[StudentBatch]:
        """Admit the students of a slice as `admit` does, in steps where many are refused."""
        return admit(self.contract, self._columns(part), first)

    def to_arrays(self, part: StudentRows) -> StudentBatch:
        """Admit the students of a slice without saying what is wrong with the others."""
        return to_arrays(self.contract, self._columns(part))

    def _columns(self, part: StudentRows) -> StudentColumns:
        batch, starts = part.rows, part.starts
        cells = dict(zip(batch.schema.names, batch.columns, strict=True))
        sizes = row_counts(starts, batch.num_rows)
        if "observed" in cells:
            seen = read_flags(cells["observed"]) != 0
            if not seen.all():
                sizes = np.add.reduceat(seen, starts, dtype=np.intp) if len(starts) else sizes
                shown = pa.array(seen)
                cells = {name: column.filter(shown) for name, column in cells.items()}
        return self._as_columns(part.names, cells, sizes)

    def _as_columns(
        self, ids: Sequence[str | None], cells: Mapping[str, pa.Array], sizes: Positions
    ) -> StudentColumns:
        ends = np.cumsum(sizes)

        def student(at: int) -> object:
            start, size = int(ends[at] - sizes[at]), int(sizes[at])
            part = {name: column.slice(start, size) for name, column in cells.items()}
            return {"id": ids[at], "periods": self._periods(part, size)}

        return StudentColumns(
            ids=ids,
            known=_known(ids),
            sizes=sizes,
            period=_periods(cells["period"]),
            features=[
                _feature(feature, cells[feature.name]) if feature.name in cells else None
                for feature in self.contract.features
            ],
            student=student,
        )

    def _periods(self, cells: Mapping[str, pa.Array], size: int) -> list[dict[str, Any]]:
        """Write a student's rows as JSON would carry them."""
        written: list[dict[str, Any]] = [{} for _ in range(size)]
        spoken: dict[str, Callable[[Any], Any]] = {"period": _spoken_number}
        for feature in self.contract.features:
            spoken[feature.name] = _SPOKEN[feature.kind]
            if feature.levels:
                missing = [word for word in MISSING if word not in feature.levels]
                spoken[feature.name] = partial(_spoken_word, missing=missing)
        for name, column in cells.items():
            if name in spoken:
                for entry, value in zip(written, column.to_pylist(), strict=True):
                    entry[name] = None if value is None else spoken[name](value)
        return written

    def _check_type(self, name: str, kind: pa.DataType) -> None:
        value = kind.value_type if pa.types.is_dictionary(kind) else kind
        plain = is_text(value) or pa.types.is_null(value)
        if name == "id":
            fits, wanted = is_text(value) or pa.types.is_integer(value), "text"
        elif name == "observed" or self._kind(name) is Kind.FLAG:
            fits, wanted = plain or pa.types.is_boolean(value) or is_number(value), "booleans"
        elif self._kind(name) in {Kind.CATEGORICAL, Kind.ORDINAL}:
            fits, wanted = plain, "the names of levels, plain or dictionary-encoded"
        else:
            fits, wanted = plain or is_number(value), "numbers"
        if not fits or (pa.types.is_dictionary(kind) and not is_text(value)):
            message = f"The column `{name}` must hold {wanted}; it is of type {kind}."
            raise TableError(name, "wrong_type", message)

    def _kind(self, name: str) -> Kind | None:
        return self.contract.feature(name).kind if name in self.contract.feature_names else None

    def _unknown(self, name: str) -> TableError:
        shown = field_name(name)
        close = difflib.get_close_matches(shown, self.columns, n=1)
        known = ", ".join(f"`{one}`" for one in self.columns)
        advice = f"did you mean `{close[0]}`?" if close else f"known are {known}."
        return TableError(shown, "unknown_field", f"`{shown}` is no column here; {advice}")


def students_in(ids: pa.Array) -> tuple[Positions, list[str | None]]:
    """Return the rows at which another student begins, ascending from 0, and their names."""
    if not (pa.types.is_string(ids.type) or pa.types.is_large_string(ids.type)):
        starts = student_starts(ids)
        return starts, student_names(ids, starts)
    # One pass over the text, where comparing rows and picking names takes several.
    runs = pc.run_end_encode(ids)
    starts = np.zeros(len(runs.values), np.intp)
    starts[1:] = runs.run_ends.to_numpy()[:-1]
    return starts, _texts(runs.values)


def student_starts(ids: pa.Array) -> Positions:
    """Return the rows at which another student begins, ascending; the first row is one."""
    rows = len(ids)
    if not rows:
        return np.empty(0, np.intp)
    if pa.types.is_dictionary(ids.type):
        return _starts_of_codes(ids)
    different = pc.not_equal(ids.slice(1), ids.slice(0, rows - 1))
    if ids.null_count:
        known = ids.is_valid().to_numpy(zero_copy_only=False)
        other = different.fill_null(False).to_numpy(zero_copy_only=False)
        other |= known[1:] != known[:-1]
    else:
        other = different.to_numpy(zero_copy_only=False)
    return np.concatenate((np.zeros(1, np.intp), np.flatnonzero(other) + 1))


def students_of_rows(rows: pa.RecordBatch) -> StudentRows:
    """Tell the students apart of whom a batch has all rows."""
    return StudentRows(rows, *students_in(rows.column("id")))


def student_names(ids: pa.Array, starts: Positions) -> list[str | None]:
    """Return the ids of the students that begin at these rows."""
    named = ids.take(pa.array(starts))
    if pa.types.is_integer(ids.type):
        named = named.cast(pa.string())
    return _texts(named)


def _texts(words: pa.Array) -> list[str | None]:
    """Return strings as Arrow hands them to NumPy, which makes no object for each in between."""
    texts: list[str | None] = words.to_numpy(zero_copy_only=False).tolist()
    return texts


def row_counts(starts: Positions, rows: int) -> Positions:
    """Return how many rows each student has.

    Args:
        starts: (students,) the row at which each begins.
        rows: Of all of them.
    """
    counts = np.empty_like(starts)
    if len(starts):
        np.subtract(starts[1:], starts[:-1], out=counts[:-1])
        counts[-1] = rows - starts[-1]
    return counts


def _starts_of_codes(ids: pa.DictionaryArray) -> Positions:
    """Find students without a copy of their ids' text for every row."""
    # A dictionary may hold a word twice, and null.
    words = pc.dictionary_encode(ids.dictionary).indices
    return student_starts(words.take(ids.indices))


def _known(ids: Sequence[str | None]) -> Bools:
    """Tell which ids may be one; most often all are, which takes no step for each."""
    names = [one or "" for one in ids]
    lengths, keys = list(map(len, names)), match_keys(names)
    if all(keys) and max(lengths, default=0) <= ID_LENGTH:
        return np.ones(len(ids), np.bool_)
    known = [bool(key) and size <= ID_LENGTH for key, size in zip(keys, lengths, strict=True)]
    return np.array(known, np.bool_)


def _periods(column: pa.Array) -> NDArray[np.int64]:
    if pa.types.is_integer(column.type) and not column.null_count:
        # Unsigned numbers beyond int64 become negative, which is no period either.
        return np.asarray(column.to_numpy(zero_copy_only=False)).astype(np.int64)
    numbers = _numbers(column)
    whole = (numbers >= 0) & (numbers < 2**31) & (np.trunc(numbers) == numbers)
    return np.where(whole, numbers, NO_PERIOD).astype(np.int64)


def _feature(feature: Feature, column: pa.Array) -> FeatureColumn:
    if feature.kind is Kind.NUMERIC:
        values: NDArray[np.floating] = _numbers(column)
    elif feature.kind is Kind.FLAG:
        values = _flags(column)
    else:
        values = _levels(column, feature)
    if feature.kind is Kind.NUMERIC:  # what is unreadable lies beyond every limit
        return FeatureColumn(values, beyond(feature, values))
    unreadable = values == UNREADABLE if values.dtype == np.float64 else None
    return FeatureColumn(values, None if unreadable is None or not unreadable.any() else unreadable)


def _numbers(column: pa.Array) -> NDArray[np.floating]:
    if pa.types.is_float32(column.type) or pa.types.is_float64(column.type):
        return np.asarray(column.to_numpy(zero_copy_only=False))
    if is_text(column.type):
        filled = pc.if_else(pc.equal(column, ""), None, column)
        try:
            read = filled.cast(pa.float64())
        except pa.ArrowInvalid:
            return read_numbers(column)
        numbers = read.to_numpy(zero_copy_only=False)
        # Arrow also takes 'nan' for a number.
        spelt = np.isnan(numbers) & filled.is_valid().to_numpy(zero_copy_only=False)
        return read_numbers(column) if spelt.any() else np.asarray(numbers)
    return read_numbers(column)


def _flags(column: pa.Array) -> NDArray[np.floating]:
    if pa.types.is_boolean(column.type):
        return np.asarray(column.cast(pa.float32()).to_numpy(zero_copy_only=False))
    return read_flags(column)


def _levels(column: pa.Array, feature: Feature) -> NDArray[np.floating]:
    levels = pa.array(feature.levels, pa.string())
    if pa.types.is_dictionary(column.type):
        words = column.dictionary.cast(pa.string())
        places = pc.index_in(words, value_set=levels)
        found = places.take(column.indices) if not places.null_count else None
    else:
        found = pc.index_in(column.cast(pa.string()), value_set=levels)
    if found is None or found.null_count != column.null_count:
        return read_levels(column, feature.levels)
    return np.asarray(found.cast(pa.float32()).to_numpy(zero_copy_only=False))


def _spoken_number(value: Any) -> Any:
    if isinstance(value, str):
        read = read_numbers(pa.array([value]))[0]
        value = value if read == UNREADABLE else float(read)
    if isinstance(value, bool | str):
        return value
    number = float(value)
    if np.isnan(number):
        return None
    return int(number) if number.is_integer() else number


def _spoken_flag(value: Any) -> Any:
    if isinstance(value, bool):
        return value
    if isinstance(value, float) and np.isnan(value):
        return None
    word = str(value).strip()
    if word in MISSING:
        return None
    return bool(FLAGS[word.lower()]) if word.lower() in FLAGS else value


def _spoken_word(value: Any, missing: list[str]) -> Any:
    word = str(value).strip()
    return None if word in missing else word


_SPOKEN: dict[Kind, Callable[[Any], Any]] = {
    Kind.NUMERIC: _spoken_number,
    Kind.FLAG: _spoken_flag,
    Kind.ORDINAL: str,
    Kind.CATEGORICAL: str,
}
