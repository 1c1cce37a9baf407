"""Read the cells of a table: Arrow columns -> numbers, and faults where they cannot be read.

Every feature becomes one number a cell, as in a cohort's `values`. Text is read in the same way for
every format and every command.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from records.arrays import Bools
from records.contract import Contract, Feature, Kind
from records.identity.ids import match_keys
from records.tables.faults import CellFaults, ColumnFaults
from records.tables.layout import NO_PERIOD, FeatureColumn, beyond
from records.tables.numbers import (
    UNREADABLE,
    is_number,
    is_text,
    numbers_of,
    read_words,
)
from records.tables.options import PLAIN, ReadOptions
from records.wording import (
    ID_LENGTH,
    OR_MISSING,
    period_expected,
    value_expected,
)

# R writes NA and pandas may write NaN where there is nothing.
MISSING = ("", "NA", "NaN")
FLAGS = {"true": 1, "false": 0, "1": 1, "0": 0, "yes": 1, "no": 0, "y": 1, "n": 0}
# '1.0' is what pandas makes of 1 in a column that has gaps.
FLAGS |= {"1.0": 1, "0.0": 0}
_NOT_OBSERVED = (
    "a row with observed = false must have no feature values and eligible = false; it stands for "
    "a period that was not observed."
)


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """The rows of a batch, read.

    Attributes:
        period: (rows,) counted from 1; `NO_PERIOD` where it is missing or not allowed.
        features: One for each feature of the contract; None where the table has no such column.
        flags: `observed` and `eligible` -> (rows,) 0, 1 or NaN, where they were read.
        risk: (rows,) 0, 1 or NaN; None where it was not read.
        score: For each subject (rows,) or None where it was not read.
        faults: What cannot be read or is not allowed.
    """

    period: NDArray[np.int64]
    features: Sequence[FeatureColumn | None]
    flags: Mapping[str, NDArray[np.floating]]
    risk: NDArray[np.floating] | None
    score: Sequence[NDArray[np.floating] | None]
    faults: list[CellFaults]

    @property
    def observed(self) -> Bools:
        """(rows,) whether the row is of an observed period, which is the default."""
        flag = self.flags.get("observed")
        return np.full(len(self.period), True) if flag is None else np.asarray(flag != 0)


@dataclass(frozen=True, slots=True)
class CellReader:
    """Reads the columns of one contract.

    Attributes:
        contract: What the columns mean.
        options: How text is to be understood.
    """

    contract: Contract
    options: ReadOptions = PLAIN

    @property
    def missing(self) -> tuple[str, ...]:
        """Texts that stand for a missing value."""
        return (*MISSING, *self.contract.missing, *self.options.missing)

    def read(self, columns: Mapping[str, pa.Array], rows: int, *, targets: bool = False) -> Cells:
        """Read the columns of a batch.

        Args:
            columns: Name -> (rows,) Arrow array; `id` and `period` are there.
            rows: Number of rows.
            targets: Whether to read outcomes, next scores and `eligible`, too.
        """
        faults: list[CellFaults] = []
        period = self._period(columns["period"], faults)
        features = [
            self._feature(feature, columns[feature.name], faults)
            if feature.name in columns
            else None
            for feature in self.contract.features
        ]
        names = ("observed", "eligible") if targets else ("observed",)
        flags = {
            name: self._flag(name, columns[name], "true or false", faults)
            for name in names
            if name in columns
        }
        risk = None
        score: list[NDArray[np.floating] | None] = []
        if targets:
            if "risk" in columns:
                expected = "0 or 1, 1 being the outcome to be warned of"
                risk = self._flag("risk", columns["risk"], expected, faults)
            score = [self._score(name, columns, faults) for name in self._score_names]
        cells = Cells(period, features, flags, risk, score, faults)
        self._check_unobserved(cells, rows)
        return cells

    @property
    def _score_names(self) -> tuple[str, ...]:
        return self.contract.targets.score.columns

    def _feature(
        self, feature: Feature, column: pa.Array, faults: list[CellFaults]
    ) -> FeatureColumn:
        found = ColumnFaults(feature.name, column, value_expected(feature), faults)
        if feature.kind is Kind.NUMERIC:
            values = numbers_of(column, self.missing, self.options)
            outside = beyond(feature, values)
            if outside is not None:
                unreadable, infinite = values == UNREADABLE, np.isinf(values)
                found.add_unreadable(unreadable, "wrong_type")
                found.add(infinite, "not_finite")
                found.add(outside & ~infinite & ~unreadable, "out_of_range")
            return FeatureColumn(values, outside)
        code = "wrong_type" if feature.kind is Kind.FLAG else "unknown_level"
        is_flag = feature.kind is Kind.FLAG
        values = self._flags(column) if is_flag else self._levels(column, feature.levels)
        wrong = values == UNREADABLE if values.dtype == np.float64 else None
        if wrong is None or not wrong.any():
            return FeatureColumn(values, None)
        found.add_unreadable(wrong, code)
        return FeatureColumn(values, wrong)

    def _flag(
        self, name: str, column: pa.Array, expected: str, faults: list[CellFaults]
    ) -> NDArray[np.floating]:
        values = self._flags(column)
        wrong = values == UNREADABLE
        if not wrong.any():
            return values
        message = f"`{name}` must be {expected}, {OR_MISSING}"
        ColumnFaults(name, column, message, faults).add_unreadable(wrong, "wrong_type")
        return np.where(wrong, np.nan, values)

    def _score(
        self, name: str, columns: Mapping[str, pa.Array], faults: list[CellFaults]
    ) -> NDArray[np.floating] | None:
        if name not in columns:
            return None
        target = self.contract.targets.score
        limits = Feature(
            name=name, label=f"`{name}`", minimum=target.minimum, maximum=target.maximum
        )
        read = self._feature(limits, columns[name], faults)
        return read.values if read.wrong is None else np.where(read.wrong, np.nan, read.values)

    def _period(self, column: pa.Array, faults: list[CellFaults]) -> NDArray[np.int64]:
        maximum = self.contract.periods.maximum
        if pa.types.is_integer(column.type) and not column.null_count:
            # Unsigned numbers beyond int64 become negative, which is no period either.
            period = np.asarray(column.to_numpy(zero_copy_only=False)).astype(np.int64)
            wrong = (period < 1) | (period > maximum)
        else:
            numbers = numbers_of(column, self.missing, self.options)
            wrong = ~((numbers >= 1) & (numbers <= maximum) & (np.trunc(numbers) == numbers))
            period = np.where(wrong, NO_PERIOD, numbers).astype(np.int64)
        if wrong.any():
            found = ColumnFaults("period", column, period_expected(self.contract), faults)
            unreadable = wrong & self._is_unreadable(column)
            found.add_unreadable(unreadable, "wrong_type")
            found.add(wrong & ~unreadable, "out_of_range")
            period = np.where(wrong, NO_PERIOD, period)
        return period

    def _is_unreadable(self, column: pa.Array) -> Bools:
        if not is_text(column.type):
            return np.zeros(len(column), np.bool_)
        return np.asarray(numbers_of(column, self.missing, self.options) == UNREADABLE)

    def _flags(self, column: pa.Array) -> NDArray[np.floating]:
        if pa.types.is_boolean(column.type):
            return np.asarray(column.cast(pa.float32()).to_numpy(zero_copy_only=False))
        words = pc.utf8_lower(read_words(column, self.missing))
        found = _positions(words, tuple(FLAGS))
        meaning = np.array(list(FLAGS.values()), np.float64)
        is_flag = found >= 0
        return np.where(is_flag, meaning[np.where(is_flag, found, 0).astype(np.intp)], found)

    def _levels(self, column: pa.Array, levels: Sequence[str]) -> NDArray[np.floating]:
        """Position of each cell's word among `levels`: NaN where missing."""
        names = pa.array(levels, pa.string())
        if is_text(column.type):
            if pa.types.is_dictionary(column.type):
                words = column.dictionary.cast(pa.string())
                places = pc.index_in(words, value_set=names)
                found = places.take(column.indices) if not places.null_count else None
            else:
                found = pc.index_in(column.cast(pa.string()), value_set=names)
            if found is not None and found.null_count == column.null_count:
                return np.asarray(found.cast(pa.float32()).to_numpy(zero_copy_only=False))
        missing = [word for word in self.missing if word not in levels]
        return _positions(read_words(column, missing), levels)

    def _check_unobserved(self, cells: Cells, rows: int) -> None:
        if "observed" not in cells.flags:
            return
        filled = np.zeros(rows, np.bool_)
        for column in cells.features:
            if column is not None:
                filled |= ~np.isnan(column.values)
        if "eligible" in cells.flags:
            filled |= cells.flags["eligible"] == 1
        wrong = np.flatnonzero(~cells.observed & filled)
        if wrong.size:
            cells.faults.append(CellFaults(wrong, None, "not_observed", _NOT_OBSERVED))

    def wrong_ids(self, names: Sequence[str | None]) -> Bools:
        """Return (students,) which ids are blank or too long."""
        texts = [name or "" for name in names]
        keys, lengths = match_keys(texts), list(map(len, texts))
        if all(keys) and max(lengths, default=0) <= ID_LENGTH:
            return np.zeros(len(names), np.bool_)
        valid = [bool(key) and size <= ID_LENGTH for key, size in zip(keys, lengths, strict=True)]
        return ~np.array(valid, np.bool_)

    def check_types(self, schema: pa.Schema, names: Sequence[str]) -> list[tuple[str, str]]:
        """Find columns of a type that they cannot have: name and what is wrong."""
        found = []
        for name in names:
            kind = schema.field(name).type
            value = kind.value_type if pa.types.is_dictionary(kind) else kind
            fits = is_text(value) or pa.types.is_null(value) or is_number(value)
            wanted = "numbers"
            if name in ("id", "student", "cohort") or name in self._audit:
                wanted = "text or whole numbers"
            elif name in ("observed", "eligible", "risk") or self._kind(name) is Kind.FLAG:
                fits, wanted = fits or pa.types.is_boolean(value), "booleans"
            elif self._kind(name) in {Kind.CATEGORICAL, Kind.ORDINAL}:
                wanted = "the names of levels"
            if not fits:
                message = f"The column `{name}` must hold {wanted}; it is of type {kind}."
                found.append((name, message))
        return found

    @property
    def _audit(self) -> tuple[str, ...]:
        return tuple(attribute.name for attribute in self.contract.audit)

    def _kind(self, name: str) -> Kind | None:
        return self.contract.feature(name).kind if name in self.contract.feature_names else None


def _positions(words: pa.Array, levels: Sequence[str]) -> NDArray[np.float64]:
    found = pc.index_in(words, value_set=pa.array(levels, pa.string()))
    positions = found.cast(pa.float64()).fill_null(UNREADABLE).to_numpy(zero_copy_only=False)
    return np.where(words.is_valid().to_numpy(zero_copy_only=False), positions, np.nan)
