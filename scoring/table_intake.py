"""Take students in from tables: Arrow record batches -> aligned arrays and row faults.

A table has one row per student and period, each student's rows together, as `records.tables`
describes it: `id`, `period` and the features by name. Levels stand as their names, flags as true
and false, missing cells as null. Text is read as `records.tables` reads it, so CSV will do.
"""

import difflib
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from records.contract import RESERVED, Contract, Feature, Kind
from records.errors import BellwetherError
from records.table_cells import (
    FLAGS,
    MISSING,
    UNREADABLE,
    is_number,
    is_text,
    read_flags,
    read_levels,
    read_numbers,
)
from scoring.columns import NO_PERIOD, FeatureColumn, StudentColumns, admit, beyond, either
from scoring.intake import Admission
from scoring.measures import Positions
from scoring.row_faults import ID_LENGTH, field_name


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
        if self._checked is not None and schema.equals(self._checked[0]):
            return self._checked[1]
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

    def admit(self, batch: pa.RecordBatch, first: int = 0) -> Admission:
        """Admit the students of a batch; a fault keeps out its own student and no other.

        Args:
            batch: Rows of whole students, with a schema that `check` has passed.
            first: Position of the first student among all that were handed in.

        Returns:
            Arrays and faults. A fault's field counts the student's rows: `periods[2].attendance`
            is in the third of them.
        """
        cells = {name: batch.column(name) for name in batch.schema.names}
        starts = student_starts(cells["id"])
        sizes = np.diff(starts, append=batch.num_rows)
        if "observed" in cells:
            seen = read_flags(cells["observed"]) != 0
            if not seen.all():
                sizes = np.add.reduceat(seen, starts, dtype=np.intp) if len(starts) else sizes
                shown = pa.array(seen)
                cells = {name: column.filter(shown) for name, column in cells.items()}
                named = batch.column("id").take(pa.array(starts))
                return self._admit(named, cells, sizes, first)
        return self._admit(cells["id"].take(pa.array(starts)), cells, sizes, first)

    def _admit(
        self, named: pa.Array, cells: Mapping[str, pa.Array], sizes: Positions, first: int
    ) -> Admission:
        named = _as_ids(named)
        long = pc.utf8_length(named)
        known = pc.and_(pc.greater_equal(long, 1), pc.less_equal(long, ID_LENGTH))
        ids = named.to_pylist()
        ends = np.cumsum(sizes)

        def student(at: int) -> object:
            start, size = int(ends[at] - sizes[at]), int(sizes[at])
            part = {name: column.slice(start, size) for name, column in cells.items()}
            return {"id": ids[at], "periods": self._periods(part, size)}

        columns = StudentColumns(
            ids=ids,
            known=known.fill_null(False).to_numpy(zero_copy_only=False),
            sizes=sizes,
            period=_periods(cells["period"]),
            features=[
                _feature(feature, cells[feature.name]) if feature.name in cells else None
                for feature in self.contract.features
            ],
            student=student,
        )
        return admit(self.contract, columns, first)

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


def student_starts(ids: pa.Array) -> Positions:
    """Return the rows at which another student begins, ascending; the first row is one."""
    rows = len(ids)
    if not rows:
        return np.empty(0, np.intp)
    ids = _as_ids(ids)
    different = pc.not_equal(ids.slice(1), ids.slice(0, rows - 1))
    if ids.null_count:
        known = ids.is_valid().to_numpy(zero_copy_only=False)
        other = different.fill_null(False).to_numpy(zero_copy_only=False)
        other |= known[1:] != known[:-1]
    else:
        other = different.to_numpy(zero_copy_only=False)
    return np.concatenate((np.zeros(1, np.intp), np.flatnonzero(other) + 1))


def _as_ids(ids: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(ids.type):
        ids = ids.dictionary_decode()
    return ids if pa.types.is_string(ids.type) else ids.cast(pa.string())


def _periods(column: pa.Array) -> NDArray[np.int64]:
    if pa.types.is_integer(column.type) and not column.null_count:
        # Unsigned numbers beyond int64 become negative, which is no period either.
        return np.asarray(column.to_numpy(zero_copy_only=False)).astype(np.int64)
    numbers = _numbers(column)
    whole = (numbers >= 0) & (numbers < 2**31) & (numbers % 1 == 0)
    return np.where(whole, numbers, NO_PERIOD).astype(np.int64)


def _feature(feature: Feature, column: pa.Array) -> FeatureColumn:
    if feature.kind is Kind.NUMERIC:
        values: NDArray[np.floating] = _numbers(column)
    elif feature.kind is Kind.FLAG:
        values = _flags(column)
    else:
        values = _levels(column, feature)
    # One comparison finds what is unreadable, too large and infinite, all at once.
    unreadable = values == UNREADABLE if values.dtype == np.float64 else None
    wrong = unreadable if unreadable is not None and unreadable.any() else None
    return FeatureColumn(values, either(wrong, beyond(feature, values)))


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
