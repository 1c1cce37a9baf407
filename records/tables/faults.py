"""Faults of the cells of a batch: what is wrong, where, and what to do."""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from records.arrays import Bools, Positions
from records.tables.numbers import is_text, plain_text, reason_of
from records.wording import DUPLICATE_PERIOD, UNORDERED_PERIODS


@dataclass(frozen=True, slots=True, eq=False)
class CellFaults:
    """One thing that is wrong with some rows of a batch.

    Attributes:
        positions: The rows, counted from 0 within the batch.
        column: Name of the column, or None where the whole row is at fault.
        code: As in `records.errors.Fault`.
        message: As in `records.errors.Fault`.
    """

    positions: Positions
    column: str | None
    code: str
    message: str


@dataclass(frozen=True, slots=True, eq=False)
class ColumnFaults:
    """Collects the faults of one column.

    Attributes:
        name: Of the column.
        column: Its cells.
        expected: What they must be.
        faults: Where faults are added.
    """

    name: str
    column: pa.Array
    expected: str
    faults: list[CellFaults]

    def add(self, wrong: Bools, code: str) -> None:
        """Report cells that hold what they must not."""
        if wrong.any():
            positions = np.flatnonzero(wrong)
            self.faults.append(CellFaults(positions, self.name, code, self.expected))

    def add_unreadable(self, wrong: Bools, code: str) -> None:
        """Report cells that cannot be read, by what seems to be the reason."""
        if not is_text(self.column.type):
            self.add(wrong, code)
            return
        positions = np.flatnonzero(wrong)
        groups: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
        texts = plain_text(self.column.take(pa.array(positions))).to_pylist()
        for position, text in zip(positions.tolist(), texts, strict=True):
            marker, reason = reason_of(text or "", numeric=code == "wrong_type")
            if marker:
                message = f"'{marker}' in `{self.name}`: is that missing? {reason}"
                groups["missing_marker", message].append(position)
            else:
                groups[code, f"{self.expected} {reason}".rstrip()].append(position)
        for (found, message), rows in groups.items():
            self.faults.append(CellFaults(np.array(rows, np.intp), self.name, found, message))


def order_faults(owner: Positions, period: NDArray[np.int64], rows: Positions) -> list[CellFaults]:
    """Find periods that do not come after the ones before them.

    Args:
        owner: (rows,) position of each row's student, ascending.
        period: (rows,) the periods; all are allowed ones.
        rows: (rows,) positions to report.
    """
    key = owner * (period.max(initial=0) + 2) + period
    latest = np.maximum.accumulate(key) if key.size else key
    before = np.concatenate([[-1], latest[:-1]])
    late = key <= before
    if not late.any():
        return []
    _, first = np.unique(key, return_index=True)
    duplicate = np.ones(len(key), np.bool_)
    duplicate[first] = False
    return [
        CellFaults(rows[mask], "period", code, message)
        for mask, code, message in (
            (duplicate, "duplicate_period", DUPLICATE_PERIOD),
            (late & ~duplicate, "unordered_periods", UNORDERED_PERIODS),
        )
        if mask.any()
    ]
