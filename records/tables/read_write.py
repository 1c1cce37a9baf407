"""Read and write cohorts as tables in long form: one row per record and period.

Columns: `id`, `period` (1, 2, …) and every feature of the contract by name; optionally `student`
(the person; the id where absent), `cohort` (the intake), `observed`, `eligible`, `risk`, the score
(`score`, or `score_<subject>` each) and the audit attributes. Levels stand as their names, flags
as true and false, and whatever is missing as an empty cell.

- The rows of a record lie together, in the order of their periods. A period without a row lies
  within the record and is missing as a whole.
- A table without `eligible` is of the simple kind: every observed period is eligible, and where no
  record has `risk` in more than one row, that outcome is the record's and counts at all of its
  periods. Where some have it in several, and with `eligible`, every cell of `risk` stands for its
  own period.
- A row with `observed` = false holds targets of a period that was not observed, or stands for a
  record of which nothing has been observed yet.
"""

import logging
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from records.cohort import Cohort
from records.contract import Contract
from records.errors import CohortError, Fault, TableError
from records.progress import Progress
from records.tables.assembly import Assembly, SliceRows
from records.tables.cells import CellReader
from records.tables.codecs.base import Batch
from records.tables.faults import CellFaults
from records.tables.formats import open_table
from records.tables.header import select_columns
from records.tables.options import PLAIN, ReadOptions
from records.tables.rejects import Rejects
from records.tables.selection import Selection
from records.tables.slices import StudentRows, whole_students
from records.tables.writing import write_chunks

_log = logging.getLogger(__name__)

OnError = Literal["fail", "reject-rows"]
# A file that is wrong in every row would otherwise fill the memory with messages.
MAX_FAULTS = 10_000
# Students that are read at once, and rows of one of them.
_SLICE_STUDENTS = 4096
_MAX_STUDENT_ROWS = 10_000
# Name of the column that carries row numbers along; no header can have it.
_LINE = "\0line"


def read_table(
    path: Path,
    contract: Contract,
    *,
    on_error: OnError = "fail",
    rejects: Path | None = None,
    insist: bool = False,
    options: ReadOptions = PLAIN,
    progress: Progress | None = None,
) -> Cohort:
    """Read a table of `contract`, checking every row.

    Args:
        path: A table in any format of `records.tables.formats`.
        contract: What the columns mean.
        on_error: `fail` refuses the table with all that is wrong with it. `reject-rows` leaves out
            the rows at fault, writes them with row number and reason to `rejects`, and logs how
            many there were and what that changes.
        rejects: Where to, as CSV; by default `<name>.rejected.csv` beside the table. What an
            earlier reading left there is removed.
        insist: Whether to go on where leaving rows out changes the share at risk notably.
        options: How text is to be understood.
        progress: Called with a text, the percent of the file that has been read, and 100.

    Returns:
        The cohort, records in the order of their first rows.

    Raises:
        CohortError: No such file, one without a usable row, or a share at risk that changes.
        TableError: A damaged table, or columns or (with `fail`) rows that break the contract: file,
            row, column and what was expected, never a value.
    """
    reading = _Reading(Path(path), CellReader(contract, options), on_error, rejects)
    cohort = reading.read(progress)
    if reading.rejects is not None and reading.rejects.count:
        reading.selection.report(reading.rejects, path.name, insist=insist)
    if similar := reading.similar_ids:
        message = "%s: %d id(s) differ from another one only in capitals; are they one student?"
        _log.warning(message, path.name, similar)
    return cohort


def write_table(cohort: Cohort | Iterable[Cohort], path: Path) -> None:
    """Write one cohort, or many of one contract one after the other, as a table.

    What is written can be read again exactly by `read_table`. Memory does not grow with the number
    of cohorts. The file appears under its name only when it is complete.

    Args:
        cohort: A cohort or, for those too large to be held, an iterable of its parts.
        path: A file of a format that can be written, overwritten if it exists.

    Raises:
        CohortError: Nothing to write, different contracts, another kind of file, or a value that
            the contract does not allow and that could not be read again.
    """
    write_chunks([cohort] if isinstance(cohort, Cohort) else cohort, Path(path))


class _Reading:
    """One reading of a table.

    Args:
        path: The table.
        reader: Reads its cells.
        on_error: As of `read_table`.
        target: Where rejected rows go.
    """

    def __init__(
        self, path: Path, reader: CellReader, on_error: OnError, target: Path | None
    ) -> None:
        self._path = path
        self._reader = reader
        self._assembly = Assembly(reader)
        self._faults: list[Fault] = []
        self._markers: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._total = 0
        self._rows = 0
        self.rejects = Rejects(path, target) if on_error == "reject-rows" else None
        self.selection = Selection()
        self.similar_ids = 0

    def read(self, progress: Progress | None) -> Cohort:
        """Read all of it."""
        name = self._path.name
        table = open_table(self._path, self._select, self._reader.options)
        batches = self._numbered(table.batches)
        try:
            for part in whole_students(
                batches, students=_SLICE_STUDENTS, rows_per_student=_MAX_STUDENT_ROWS
            ):
                self._add(part)
                if progress:
                    progress(f"Reading {name}", table.percent(), 100)
        except TableError as error:
            raise error if error.file else error.in_file(name) from error.__cause__
        if progress:
            progress(f"Reading {name}", 100, 100)
        if not self._rows:
            raise CohortError(f"{name} holds a header and no rows; nothing can be read from it.")
        if self.rejects is None and self._total:
            raise self._error(name)
        self.similar_ids = self._assembly.similar_ids()
        return self._assembly.cohort()

    def _select(self, schema: pa.Schema) -> list[str]:
        names = select_columns(self._reader, schema, every_feature=True)
        if self.rejects is not None:
            self.rejects.begin(names)
        return names

    def _numbered(self, batches: Iterator[Batch]) -> Iterator[pa.RecordBatch]:
        """Add row numbers to each batch; note the rows that could not be read."""
        for batch in batches:
            self._rows += len(batch.lines) + len(batch.misfits)
            self._note([misfit.fault for misfit in batch.misfits])
            if self.rejects is not None and batch.misfits:
                self.rejects.write_misfits(batch.misfits)
            yield batch.columns.append_column(_LINE, pa.array(batch.lines))

    def _add(self, part: StudentRows) -> None:
        lines = part.rows.column(_LINE).to_numpy()
        rows = self._assembly.add(replace(part, rows=part.rows.drop_columns([_LINE])))
        faults = self._faults_of(rows, lines)
        self._note(faults)
        if self.rejects is not None:
            self.selection.add(rows)
            if faults:
                self.rejects.write(part.rows.drop_columns([_LINE]), lines, faults)

    def _faults_of(self, rows: SliceRows, lines: NDArray[np.int64]) -> list[Fault]:
        reported: defaultdict[str | None, set[int]] = defaultdict(set)
        faults: list[Fault] = []
        for found in rows.faults:
            # One cell, one reason: the first is the one that explains the others.
            new = [at for at in found.positions.tolist() if at not in reported[found.column]]
            reported[found.column].update(new)
            if found.code == "missing_marker" and self.rejects is None:
                self._count_markers(found, len(new), int(lines[new[0]]) if new else 0)
            else:
                faults += [
                    Fault(int(lines[at]), found.column, found.code, found.message) for at in new
                ]
        place = {name: at for at, name in enumerate(self._reader.contract.feature_names)}
        return sorted(faults, key=lambda it: (it.row or 0, place.get(it.field or "", -1)))

    def _count_markers(self, found: CellFaults, cells: int, line: int) -> None:
        """Count cells that may stand for a missing value by column, instead of one by one."""
        if not cells or found.column is None:
            return
        key = found.column, found.message
        if key not in self._markers:
            self._note([Fault(line, found.column, found.code, found.message)])
        self._markers[key] += cells

    def _note(self, faults: list[Fault]) -> None:
        self._total += len(faults)
        self._faults += faults[: MAX_FAULTS - len(self._faults)]

    def _error(self, name: str) -> TableError:
        """Return the refusal; markers come first, with the number of their cells."""
        markers = [
            Fault(None, column, "missing_marker", _counted(message, self._markers[column, message]))
            for column, message in self._markers
        ]
        others = [fault for fault in self._faults if fault.code != "missing_marker"]
        return TableError([*markers, *others], name, self._total)


def _counted(message: str, cells: int) -> str:
    return re.sub(r"' in `", f"' in {cells:,} cell(s) of `", message, count=1)
