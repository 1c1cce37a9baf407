"""Lay the rows of a table into a cohort, and find the rows that do not fit the ones before.

Rows arrive batch by batch, and nothing is kept of them but the cohort in the making, so memory
grows with the cohort and not with the file.
"""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pyarrow as pa

from records.arrays import Bools, Floats, Ints, Positions, Strings
from records.cohort import Cohort
from records.contract import Contract
from records.errors import CohortError
from records.tables.cells import CellFaults, Cells, observed_of

_FIRST_ROOM = 1024
_DUPLICATE = "the record has a row for this period already; keep one."
_UNORDERED = "comes after a later period of the same record; sort the rows by id and period."
_INCONSISTENT = "differs from the record's first row; it must be the same in all of its rows."


@dataclass(frozen=True)
class _Grid:
    """What is known of each record, with room for more records than there are."""

    seen: Bools
    last: Ints
    lengths: Ints
    eligible: Bools
    features: Floats
    risk: Floats
    score: Floats
    words: Ints

    @classmethod
    def with_room(cls, contract: Contract, room: int) -> "_Grid":
        periods, subjects = contract.periods.maximum, len(contract.targets.score.subjects)
        return cls(
            seen=np.zeros((room, periods), np.bool_),
            last=np.zeros(room, np.int32),
            lengths=np.zeros(room, np.int32),
            eligible=np.zeros((room, periods), np.bool_),
            features=np.full((room, periods, len(contract.features)), np.nan, np.float32),
            risk=np.full((room, periods), np.nan, np.float32),
            score=np.full((room, periods, subjects), np.nan, np.float32),
            words=np.zeros((room, 2 + len(contract.audit)), np.int32),
        )

    def copy_from(self, smaller: "_Grid") -> None:
        for name, array in vars(smaller).items():
            getattr(self, name)[: len(array)] = array


@dataclass
class Assembly:
    """A cohort in the making.

    Args:
        contract: What the columns mean.
    """

    contract: Contract
    _record: dict[str, int] = field(default_factory=dict)
    _vocabulary: dict[str, dict[str, int]] = field(init=False)
    _grid: _Grid = field(init=False)
    _given: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        names = ("student", "cohort", *(attribute.name for attribute in self.contract.audit))
        self._vocabulary = {name: {"": 0} for name in names}
        self._grid = _Grid.with_room(self.contract, _FIRST_ROOM)

    def add(self, cells: Cells, rows: Positions) -> list[CellFaults]:
        """Lay `rows` of `cells` into the cohort; leave out and report those that do not fit.

        Args:
            cells: A batch, in the order of the file.
            rows: Positions of the rows without faults of their own.

        Returns:
            Rows of a period that the record has already, or that comes too late, and rows that
            contradict the record's first row.
        """
        if not rows.size:
            return []
        self._given |= cells.words.keys() | cells.flags.keys()
        known = len(self._record)
        record = self._records_of(cells, rows)
        period = cells.period[rows].astype(np.int32)
        faults = self._contradictions(cells, rows, record, known)
        faults += self._out_of_order(rows, record, period)
        fits = ~np.isin(rows, np.concatenate([[], *(fault.positions for fault in faults)]))
        self._lay(cells, rows[fits], record[fits], period[fits])
        return faults

    def cohort(self) -> Cohort:
        """Return the cohort, records in the order in which they first appeared.

        Raises:
            CohortError: There is none: every row was set aside.
        """
        if not self._record:
            raise CohortError("no row is left; mend the rejected rows and try again.")
        count = len(self._record)
        grid, ids = self._grid, np.array(list(self._record), np.str_)
        lengths = grid.lengths[:count].copy()
        observed = np.arange(self.contract.periods.maximum)[None, :] < lengths[:, None]
        eligible, risk = grid.eligible[:count].copy(), grid.risk[:count].copy()
        if "eligible" not in self._given:
            eligible, risk = observed, _spread_single_outcomes(risk, observed)
        words = {name: self._words_of(name) for name in self._vocabulary}
        return Cohort(
            contract=self.contract,
            ids=ids,
            students=words["student"] if "student" in self._given else ids,
            cohorts=words["cohort"],
            values=grid.features[:count].copy(),
            lengths=lengths,
            eligible=eligible,
            risk=risk,
            score=grid.score[:count].copy(),
            audit={attribute.name: words[attribute.name] for attribute in self.contract.audit},
        )

    def _records_of(self, cells: Cells, rows: Positions) -> Positions:
        """Position of each row's record; ids not seen before get the next ones, in order."""
        ids = cells.ids.take(pa.array(rows)).dictionary_encode()
        positions = _number(ids.dictionary.to_pylist(), self._record)
        room = len(self._grid.last)
        if len(self._record) > room:
            grid = _Grid.with_room(self.contract, max(2 * room, len(self._record)))
            grid.copy_from(self._grid)
            self._grid = grid
        return np.asarray(positions[ids.indices.to_numpy()])

    def _contradictions(
        self, cells: Cells, rows: Positions, record: Positions, known: int
    ) -> list[CellFaults]:
        """Keep the words of new records (those from `known` on) and compare the others' with it."""
        records, first = np.unique(record, return_index=True)
        new = records >= known
        faults = []
        for place, (name, vocabulary) in enumerate(self._vocabulary.items()):
            if name not in cells.words:
                continue
            own = cells.words[name].take(pa.array(rows)).dictionary_encode()
            codes = _number(own.dictionary.to_pylist(), vocabulary)[own.indices.to_numpy()]
            kept = self._grid.words[:, place]
            kept[records[new]] = codes[first[new]]
            differs = codes != kept[record]
            if differs.any():
                faults.append(CellFaults(rows[differs], name, "inconsistent", _INCONSISTENT))
        return faults

    def _out_of_order(self, rows: Positions, record: Positions, period: Ints) -> list[CellFaults]:
        grid = self._grid
        pairs = pd.DataFrame({"record": record, "period": period})
        duplicate = grid.seen[record, period - 1] | pairs.duplicated().to_numpy()
        latest = pairs.groupby("record")["period"].cummax()
        before = latest.groupby(record).shift(fill_value=0).to_numpy()
        unordered = ~duplicate & (period < np.maximum(before, grid.last[record]))
        grid.seen[record, period - 1] = True
        np.maximum.at(grid.last, record, period)
        return [
            CellFaults(rows[mask], "period", code, message)
            for mask, code, message in (
                (duplicate, "duplicate_period", _DUPLICATE),
                (unordered, "unordered_periods", _UNORDERED),
            )
            if mask.any()
        ]

    def _lay(self, cells: Cells, rows: Positions, record: Positions, period: Ints) -> None:
        grid, at = self._grid, period - 1
        observed = observed_of(cells)[rows]
        np.maximum.at(grid.lengths, record, np.where(observed, period, 0).astype(np.int32))
        grid.features[record, at] = cells.features[rows]
        grid.risk[record, at] = cells.risk[rows]
        grid.score[record, at] = cells.score[rows]
        if "eligible" in cells.flags:
            flag = cells.flags["eligible"][rows]
            grid.eligible[record, at] = np.where(np.isnan(flag), observed, flag == 1)

    def _words_of(self, name: str) -> Strings:
        place = list(self._vocabulary).index(name)
        words = np.array(list(self._vocabulary[name]), np.str_)
        return np.asarray(words[self._grid.words[: len(self._record), place]])


def _number(texts: list[str], numbers: dict[str, int]) -> Positions:
    """Number each text, the new ones from the last number on."""
    return np.array([numbers.setdefault(text, len(numbers)) for text in texts], np.intp)


def _spread_single_outcomes(risk: Floats, observed: Bools) -> Floats:
    """Let an outcome that every record has once at most count for all of its observed periods.

    Where some record has several, the outcome is one of periods, such as failing the next one. A
    record that has but one of those must keep it where it stands: the period that it tells of
    would otherwise be judged by what it shows itself.
    """
    known = ~np.isnan(risk)
    counts = known.sum(axis=1)
    if (counts > 1).any():
        return risk
    outcome = np.where(known, risk, 0).sum(axis=1)
    spread = (counts == 1)[:, None] & observed
    return np.where(spread, outcome[:, None], risk).astype(np.float32)
