"""The columnar result of an assessment: one array a field, rows in the order given.

Everything that shows assessments is made from it: `Assessment` objects, JSON, tables.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, Self, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from records.arrays import Doubles, Ints, Positions

Item = TypeVar("Item")
Status = Literal["assessed", "not_enough_data", "no_estimate"]
STATUSES: tuple[Status, ...] = get_args(Status)
ASSESSED, NOT_ENOUGH_DATA, NO_ESTIMATE = range(len(STATUSES))
# Index: whether enough was observed, plus twice whether there is a tier.
STATUS_BY_FACTS = (NOT_ENOUGH_DATA, NO_ESTIMATE, ASSESSED, ASSESSED)
# Where the numbers came from that relative features were compared with.
ReferenceOrigin = Literal["bundle", "batch", "request", "sent"]
ORIGINS: tuple[ReferenceOrigin, ...] = get_args(ReferenceOrigin)
BUNDLE, BATCH, REQUEST, SENT = range(len(ORIGINS))
NO_TIER = -1


@dataclass(frozen=True, slots=True, eq=False)
class _RowTable:
    """Arrays of equal length, of which the first is the row that each entry belongs to."""

    row: Positions

    def __len__(self) -> int:
        """Return the number of entries."""
        return len(self.row)

    def part(self, start: int, end: int) -> Self:
        """Return the entries of the rows from `start` up to `end`; `start` becomes row 0."""
        first, last = self.row.searchsorted((start, end)).tolist()
        row, *others = self.__dataclass_fields__
        return type(self)(
            getattr(self, row)[first:last] - start,
            *(getattr(self, name)[first:last] for name in others),
        )

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Put tables of rows that follow each other into one, at least one table."""
        if len(parts) == 1:
            return parts[0]
        names = cls.__dataclass_fields__
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


@dataclass(frozen=True, slots=True, eq=False)
class OutlierCells(_RowTable):
    """Values outside the fences of the training records, in the order of row and period.

    Attributes:
        row: (cells,) position of the row, ascending.
        period: (cells,) counted from 1.
        feature: (cells,) position of the feature in the contract.
    """

    period: Positions
    feature: Positions

    @classmethod
    def empty(cls) -> Self:
        """Return a table without cells."""
        return cls(*(np.empty(0, np.intp) for _ in range(3)))


@dataclass(frozen=True, slots=True, eq=False)
class AdviceTable(_RowTable):
    """Recommendations of all rows: those of a row together, the most severe first.

    Numbers are rounded for display. Levels are positions in the feature's levels (0 and 1 for a
    flag).

    Attributes:
        row: (recommendations,) position of the row, ascending.
        rule: (recommendations,) position of the rule in the policy.
        measured: (recommendations,) float64, what was measured.
        expected: (recommendations,) float64, what it was compared with; NaN for rules over levels.
        standard_deviations: (recommendations,) float64, how many the student lies on the worse side
            of the cohort's mean; NaN for rules with a fixed target.
        first: (recommendations,) first period measured, counted from 1.
        last: (recommendations,) last period measured.
    """

    rule: Positions
    measured: Doubles
    expected: Doubles
    standard_deviations: Doubles
    first: Positions
    last: Positions

    @classmethod
    def empty(cls) -> Self:
        """Return a table without recommendations."""
        whole, number = np.empty(0, np.intp), np.empty(0)
        return cls(whole, whole, number, number, number, whole, whole)


@dataclass(frozen=True, slots=True, eq=False)
class AssessmentTable:
    """Assessments of many students, as arrays.

    Attributes:
        status: (rows,) int8, position in `STATUSES`.
        period: (rows,) int32, last observed period, 0 for none.
        risk: (rows,) float64, rounded to six decimals; NaN unless assessed.
        tier: (rows,) int8, position in the policy's tiers; -1 unless assessed.
        since: (rows,) period since which the tier has been this one; 0 unless assessed.
        trajectory: (rows, periods) float64, the risk after every period in which enough was
            observed, rounded; NaN for the others, and in every period unless assessed.
        forecast: (rows, subjects) float64, rounded, raw units; NaN where there is none.
        low: (rows, subjects) float64, lower end of the interval around each forecast; NaN where
            there is none.
        high: (rows, subjects) float64, its upper end.
        observed_periods: (rows,) periods with an actionable value.
        observed_share: (rows,) float64, share of the actionable values observed, rounded.
        outliers: Values outside the fences.
        advice: Recommendations.
        reference: (rows,) int8, position in `ORIGINS`; None for the bundle in all rows.
    """

    status: NDArray[np.int8]
    period: Ints
    risk: Doubles
    tier: NDArray[np.int8]
    since: Positions
    trajectory: Doubles
    forecast: Doubles
    low: Doubles
    high: Doubles
    observed_periods: Positions
    observed_share: Doubles
    outliers: OutlierCells
    advice: AdviceTable
    reference: NDArray[np.int8] | None = None

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.status)

    def part(self, start: int, end: int) -> Self:
        """Return the rows from `start` up to `end`."""
        if start == 0 and end == len(self):
            return self
        columns = [getattr(self, name) for name in self.__dataclass_fields__]
        rows = slice(start, end)
        return type(self)(*(_cut(column, rows) for column in columns))


def split_by_row(items: Sequence[Item], row: Positions, rows: int) -> list[tuple[Item, ...]]:
    """Split items into one tuple a row.

    Args:
        items: All items.
        row: (items,) the row that each belongs to, ascending.
        rows: Number of rows.
    """
    if not items:
        return [()] * rows
    ends = row.searchsorted(np.arange(rows + 1)).tolist()
    return [tuple(items[start:end]) for start, end in pairwise(ends)]


def _cut(column: Any, rows: slice) -> Any:
    if isinstance(column, _RowTable):
        return column.part(rows.start, rows.stop)
    return None if column is None else column[rows]
