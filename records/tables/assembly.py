"""Lay the rows of a table into a cohort, slice by slice of whole students."""

from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from records.arrays import Bools, Floats, Positions, Strings
from records.cohort import Cohort
from records.errors import CohortError
from records.identity.ids import differ_in_capitals, match_keys
from records.tables.cells import CellReader, Cells
from records.tables.faults import CellFaults, order_faults
from records.tables.layout import FeatureColumn, StudentColumns, lay_out
from records.tables.numbers import plain_text
from records.tables.slices import StudentRows, row_counts
from records.wording import ID_CHARACTERS

_INCONSISTENT = "differs from the record's first row; it must be the same in all of its rows."


@dataclass(frozen=True, slots=True, eq=False)
class SliceRows:
    """The rows of a slice, and what is wrong with them.

    Attributes:
        cells: The cells of all rows.
        faults: What is wrong, by position.
        sound: (rows,) the rows without a fault.
    """

    cells: Cells
    faults: list[CellFaults]
    sound: Bools


@dataclass
class Assembly:
    """A cohort in the making.

    Args:
        reader: Reads the cells.
    """

    reader: CellReader
    _parts: list[Cohort] = field(default_factory=list)
    _given: set[str] = field(default_factory=set)

    def add(self, part: StudentRows) -> SliceRows:
        """Lay the sound rows of whole students into the cohort.

        Returns:
            All rows, and those that are left out: with faults of their own, of a period that the
            record has already or that comes too late, and those that contradict the record's first
            row.
        """
        columns = dict(zip(part.rows.schema.names, part.rows.columns, strict=True))
        rows = part.rows.num_rows
        cells = self.reader.read(columns, rows, targets=True)
        faults = list(cells.faults)
        owner = np.repeat(np.arange(len(part.starts)), row_counts(part.starts, rows))
        sound = _without(faults, rows)
        words = self._words(columns)
        faults += _contradictions(words, part.starts, owner, sound)
        found = np.flatnonzero(sound)
        faults += order_faults(owner[found], cells.period[found], found)
        if (wrong := self.reader.wrong_ids(part.names)).any():
            positions = np.flatnonzero(wrong[owner])
            faults.append(CellFaults(positions, "id", "out_of_range", ID_CHARACTERS))
        sound = _without(faults, rows)
        self._given |= cells.flags.keys() | words.keys()
        self._lay(part, cells, owner, sound, words)
        return SliceRows(cells, faults, sound)

    def cohort(self) -> Cohort:
        """Return the cohort, records in the order in which they first appeared.

        Raises:
            CohortError: There is none: every row was set aside.
        """
        if not self._parts:
            raise CohortError("no row is left; mend the rejected rows and try again.")
        cohort = Cohort.concatenate(self._parts)
        self._parts = []
        if "eligible" in self._given:
            return cohort
        return replace(
            cohort,
            eligible=cohort.observed,
            risk=_spread_single_outcomes(cohort.risk, cohort.observed),
        )

    def similar_ids(self) -> int:
        """Return how many ids differ from another one only in capitals."""
        ids = [name for part in self._parts for name in part.ids.tolist()]
        return len(differ_in_capitals(match_keys(ids)))

    def _words(self, columns: dict[str, pa.Array]) -> dict[str, pa.Array]:
        """Return the text columns: person, intake and audit attributes, empty where missing."""
        names = ("student", "cohort", *(attribute.name for attribute in self.reader.contract.audit))
        return {name: plain_text(columns[name]).fill_null("") for name in names if name in columns}

    def _lay(
        self,
        part: StudentRows,
        cells: Cells,
        owner: Positions,
        sound: Bools,
        words: dict[str, pa.Array],
    ) -> None:
        contract = self.reader.contract
        observed = cells.observed & sound
        everyone = len(part.starts)
        wide = lay_out(
            contract,
            StudentColumns(
                is_valid=np.ones(everyone, np.bool_),
                sizes=np.bincount(owner[observed], minlength=everyone),
                period=cells.period[observed],
                features=[
                    None if it is None else FeatureColumn(it.values[observed], None)
                    for it in cells.features
                ],
            ),
        )
        students = np.unique(owner[sound])
        if not students.size:
            return
        count, periods = len(students), contract.periods.maximum
        place = np.searchsorted(students, owner[sound])
        at = cells.period[sound] - 1
        values = np.full((count, periods, len(contract.features)), np.nan, np.float32)
        lengths = np.zeros(count, np.int32)
        laid = np.searchsorted(students, wide.students)
        values[laid], lengths[laid] = wide.values, wide.lengths
        eligible = np.zeros((count, periods), np.bool_)
        if "eligible" in cells.flags:
            flag = cells.flags["eligible"]
            eligible[place, at] = np.where(np.isnan(flag), cells.observed, flag == 1)[sound]
        score = np.full((count, periods, len(cells.score)), np.nan, np.float32)
        for subject, column in enumerate(cells.score):
            if column is not None:
                score[place, at, subject] = column[sound]
        risk = np.full((count, periods), np.nan, np.float32)
        if cells.risk is not None:
            risk[place, at] = cells.risk[sound]
        ids = np.array([part.names[student] or "" for student in students.tolist()], np.str_)
        first = part.starts[students]
        texts = {name: _texts(column, first) for name, column in words.items()}
        nothing = np.full(count, "", np.str_)
        people = texts.get("student", ids)
        self._parts.append(
            Cohort(
                contract=contract,
                ids=ids,
                students=np.where(people == "", ids, people),
                cohorts=texts.get("cohort", nothing),
                values=values,
                lengths=lengths,
                eligible=eligible,
                risk=risk,
                score=score,
                audit={it.name: texts.get(it.name, nothing) for it in contract.audit},
            )
        )


def _without(faults: list[CellFaults], rows: int) -> Bools:
    sound = np.ones(rows, np.bool_)
    for fault in faults:
        sound[fault.positions] = False
    return sound


def _contradictions(
    words: dict[str, pa.Array], starts: Positions, owner: Positions, sound: Bools
) -> list[CellFaults]:
    """Find words that differ from the record's first row."""
    faults = []
    for name, column in words.items():
        codes = column.dictionary_encode().indices.to_numpy(zero_copy_only=False)
        differs = (codes != codes[starts][owner]) & sound
        if differs.any():
            faults.append(CellFaults(np.flatnonzero(differs), name, "inconsistent", _INCONSISTENT))
    return faults


def _texts(column: pa.Array, rows: Positions) -> Strings:
    return np.array(column.take(pa.array(rows)).to_pylist(), np.str_)


def _spread_single_outcomes(risk: Floats, observed: Bools) -> Floats:
    """Let an outcome that every record has once at most count for all of its observed periods.

    Where some record has several, the outcome is one of periods, such as failing the next one. A
    record that has but one of those must keep it where it stands: the period that it tells of
    would otherwise be judged by what it shows itself.
    """
    given: NDArray[np.bool_] = ~np.isnan(risk)
    counts = given.sum(axis=1)
    if (counts > 1).any():
        return risk
    outcome = np.where(given, risk, 0).sum(axis=1)
    spread = (counts == 1)[:, None] & observed
    return np.where(spread, outcome[:, None], risk).astype(np.float32)
