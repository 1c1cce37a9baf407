"""Turn the cells of a table into numbers: what a cell says, not whether it may say it.

Every feature becomes one float32 as in a cohort's `values`; whatever cannot be read is a fault.
Ranges and the order of rows are checked afterwards (`table_checks`, `table_assembly`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from records.arrays import Bools, Doubles, Floats
from records.contract import Contract, Feature, Kind

# R writes NA and pandas may write NaN where there is nothing.
MISSING = ("", "NA", "NaN")
FLAGS = {"true": 1, "false": 0, "1": 1, "0": 0, "yes": 1, "no": 0, "y": 1, "n": 0}
# '1.0' is what pandas makes of 1 in a column that has gaps.
FLAGS |= {"1.0": 1, "0.0": 0}
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$|^[+-]?(?i:inf|infinity)$"
_OR_EMPTY = "; leave the cell empty where it is missing."
_A_RISK = f"expected 0 or 1, 1 being the outcome to be warned of{_OR_EMPTY}"
_A_FLAG = f"expected true or false (or 1 and 0, yes and no, Y and N){_OR_EMPTY}"


@dataclass(frozen=True)
class CellFaults:
    """One thing that is wrong with some rows of a batch.

    Attributes:
        positions: The rows, counted from 0 within the batch.
        column: Name of the column, or None where the whole row is at fault.
        code: As in `records.errors.Fault`.
        message: As in `records.errors.Fault`.
    """

    positions: NDArray[np.intp]
    column: str | None
    code: str
    message: str


@dataclass(frozen=True)
class Cells:
    """The rows of a batch, read.

    Attributes:
        ids: (rows,) Arrow strings, null where empty.
        words: `student`, `cohort` and audit attributes, where the table has them -> (rows,) Arrow
            strings without nulls; a student without a name is called as the record.
        period: (rows,) NaN where missing or unreadable.
        features: (rows, features) float32, NaN where missing or unreadable.
        flags: `observed` and `eligible` -> (rows,) 0, 1 or NaN, where the table has them.
        risk: (rows,) float32.
        score: (rows, subjects) float32.
    """

    ids: pa.Array
    words: dict[str, pa.Array]
    period: Doubles
    features: Floats
    flags: dict[str, Doubles]
    risk: Floats
    score: Floats

    def __len__(self) -> int:
        return len(self.period)


def read_cells(
    columns: Mapping[str, pa.Array], contract: Contract
) -> tuple[Cells, list[CellFaults]]:
    """Read the columns of a batch as the contract understands them.

    Args:
        columns: Name -> (rows,) Arrow array; `id`, `period` and every feature are there.
        contract: What the columns mean.

    Returns:
        The cells and what could not be read (`wrong_type` and `unknown_level`).
    """
    faults: list[CellFaults] = []
    rows = len(columns["id"])

    def read(name: str, how: Callable[[pa.Array], Doubles], code: str, message: str) -> Doubles:
        if name not in columns:
            return np.full(rows, np.nan)
        numbers = how(columns[name])
        unreadable = np.nonzero(numbers == UNREADABLE)[0]
        if unreadable.size:
            faults.append(CellFaults(unreadable, name, code, message))
            numbers[unreadable] = np.nan
        return numbers

    def feature(it: Feature) -> Doubles:
        message = f"expected {it.expected}{_OR_EMPTY}"
        if it.kind is Kind.NUMERIC:
            return read(it.name, read_numbers, "wrong_type", message)
        if it.kind is Kind.FLAG:
            return read(it.name, read_flags, "wrong_type", _A_FLAG)
        return read(it.name, lambda c: read_levels(c, it.levels), "unknown_level", message)

    target = contract.targets.score
    limits = f"expected a number from {target.minimum:g} to {target.maximum:g}{_OR_EMPTY}"
    names = ("student", "cohort", *(attribute.name for attribute in contract.audit))
    ids = _ids(columns["id"])
    words = {name: _texts(columns[name]) for name in names if name in columns}
    if "student" in words:
        words["student"] = pc.if_else(pc.equal(words["student"], ""), ids, words["student"])
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite and is refused
        cells = Cells(
            ids=ids,
            words=words,
            period=read("period", read_numbers, "wrong_type", expected_period(contract)),
            features=np.stack([feature(it) for it in contract.features], axis=1).astype(np.float32),
            flags={
                name: read(name, read_flags, "wrong_type", _A_FLAG)
                for name in ("observed", "eligible")
                if name in columns
            },
            risk=read("risk", read_flags, "wrong_type", _A_RISK).astype(np.float32),
            score=np.stack(
                [read(name, read_numbers, "wrong_type", limits) for name in target.columns], axis=1
            ).astype(np.float32),
        )
    return cells, faults


def expected_period(contract: Contract) -> str:
    """Say what a period must be."""
    return f"expected a whole number from 1 to {contract.periods.maximum}."


# Stands for what cannot be read until it is reported; no text and no file writes this number.
UNREADABLE = -np.finfo(np.float64).max


def read_numbers(column: pa.Array) -> Doubles:
    """Number in each cell: NaN where missing, `UNREADABLE` where it is none."""
    if is_number(column.type) or pa.types.is_null(column.type):
        return np.array(column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False))
    if not is_text(column.type):
        return np.where(column.is_valid().to_numpy(zero_copy_only=False), UNREADABLE, np.nan)
    words = read_words(column, MISSING)
    readable = pc.match_substring_regex(words, _NUMBER)
    numbers = pc.if_else(readable, words, None).cast(pa.float64()).to_numpy(zero_copy_only=False)
    unreadable = pc.invert(readable.fill_null(True)).to_numpy(zero_copy_only=False)
    return np.where(unreadable, UNREADABLE, numbers)


def read_flags(column: pa.Array) -> Doubles:
    """0 or 1 in each cell: NaN where missing, `UNREADABLE` where it is neither."""
    found = read_levels(pc.utf8_lower(read_words(column, MISSING)), tuple(FLAGS))
    meaning = np.array(list(FLAGS.values()), np.float64)
    known = found >= 0
    return np.where(known, meaning[np.where(known, found, 0).astype(np.intp)], found)


def read_levels(column: pa.Array, levels: Sequence[str]) -> Doubles:
    """Position of each cell's word among `levels`: NaN where missing, `UNREADABLE` where none."""
    words = read_words(column, [word for word in MISSING if word not in levels])
    found = pc.index_in(words, value_set=pa.array(levels, pa.string()))
    positions = found.cast(pa.float64()).fill_null(UNREADABLE).to_numpy(zero_copy_only=False)
    return np.where(words.is_valid().to_numpy(zero_copy_only=False), positions, np.nan)


def read_words(column: pa.Array, missing: Sequence[str]) -> pa.Array:
    """The cells as trimmed text, null where missing."""
    words = pc.utf8_trim_whitespace(_as_text(column))
    return pc.if_else(pc.is_in(words, value_set=pa.array(missing, pa.string())), None, words)


def _ids(column: pa.Array) -> pa.Array:
    text = _as_text(column)
    return pc.if_else(pc.equal(text, ""), None, text)


def _texts(column: pa.Array) -> pa.Array:
    return _as_text(column).fill_null("")


def _as_text(column: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), None, column)
    return column.cast(pa.string())


def is_number(kind: pa.DataType) -> bool:
    """Tell whether a column of this type holds numbers."""
    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    )


def is_text(kind: pa.DataType) -> bool:
    """Tell whether a column of this type holds text, dictionary-encoded or not."""
    text = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(
        pa.types.is_string(text) or pa.types.is_large_string(text) or pa.types.is_string_view(text)
    )


def observed_of(cells: Cells) -> Bools:
    """Whether each row is of a period that was observed; so it is where nothing else is said."""
    flag = cells.flags.get("observed")
    return np.full(len(cells), True) if flag is None else np.asarray(flag != 0)
