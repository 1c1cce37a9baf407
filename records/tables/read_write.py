"""Read and write cohorts as tables in long form: one row per record and period.

Columns: `id`, `period` (1, 2, …) and every feature of the contract by name; optionally `student`
(the person; the id where absent), `cohort` (the intake), `observed`, `eligible`, `risk`, the score
(`score`, or `score_<subject>` each) and the audit attributes. Levels stand as their names, flags
as true and false, and whatever is missing as an empty cell.

- Rows of a record may lie apart but must come in the order of their periods. A period without a
  row lies within the record and is missing as a whole.
- A table without `eligible` is of the simple kind: every observed period is eligible, and where no
  record has `risk` in more than one row, that outcome is the record's and counts at all of its
  periods. Where some have it in several, and with `eligible`, every cell of `risk` stands for its
  own period.
- A row with `observed` = false holds targets of a period that was not observed, or stands for a
  record of which nothing has been observed yet.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import numpy as np

from records.cohort import Cohort
from records.contract import Contract
from records.errors import CohortError, Fault, RecordError
from records.progress import Progress
from records.tables.assembly import Assembly
from records.tables.cells import CellFaults, Cells, read_cells
from records.tables.checks import check_cells, check_header, table_schema
from records.tables.files import Batch, read_batches, read_header
from records.tables.rejects import Rejects
from records.tables.writing import write_chunks

_log = logging.getLogger(__name__)

OnError = Literal["fail", "reject-rows"]
# A file that is wrong in every row would otherwise fill the memory with messages.
MAX_FAULTS = 10_000


def read_table(
    path: Path,
    contract: Contract,
    *,
    on_error: OnError = "fail",
    rejects: Path | None = None,
    progress: Progress | None = None,
) -> Cohort:
    """Read a table of `contract`, checking every row.

    Args:
        path: A .csv, .csv.gz or .parquet file.
        contract: What the columns mean.
        on_error: `fail` refuses the table with all that is wrong with it. `reject-rows` leaves out
            the rows at fault, writes them with row number and reason to `rejects`, and logs how
            many there were.
        rejects: Where to, as CSV; by default `<name>.rejected.csv` beside the table. What an
            earlier reading left there is removed.
        progress: Called with a text, the percent of the file that has been read, and 100.

    Returns:
        The cohort, records in the order of their first rows.

    Raises:
        CohortError: No such file, an empty or damaged one, or one without a usable row.
        RecordError: Columns or (with `fail`) rows that break the contract: file, row, column and
            what was expected, never a value.
    """
    path = Path(path)
    header = read_header(path)
    check_header(header, contract, path.name)
    schema = table_schema(contract)
    assembly = Assembly(contract)
    set_aside = Rejects(path, header, rejects) if on_error == "reject-rows" else None
    faults: list[Fault] = []
    rows = total = 0
    for batch in read_batches(path, header):
        rows += len(batch.rows) + len(batch.misfits)
        cells, wrong = read_cells(batch.columns, contract)
        wrong += check_cells(cells, schema, contract)
        found = _add(batch, cells, wrong, assembly)
        if set_aside and found:
            set_aside.write(batch, found)
        total += len(found)
        faults += found[: MAX_FAULTS - len(faults)]
        if progress:
            progress(f"Reading {path.name}", batch.percent, 100)
    if not rows:
        raise CohortError(f"{path.name} holds a header and no rows; nothing can be read from it.")
    if faults and not set_aside:
        raise RecordError(faults, path.name, total)
    if set_aside and total:
        at_fault, where = set_aside.count, set_aside.target
        _log.warning("set aside %d of the %d rows of %s in %s", at_fault, rows, path.name, where)
    return assembly.cohort()


def write_table(cohort: Cohort | Iterable[Cohort], path: Path) -> None:
    """Write one cohort, or many of one contract one after the other, as a table.

    What is written can be read again exactly by `read_table`. Memory does not grow with the number
    of cohorts. The file appears under its name only when it is complete.

    Args:
        cohort: A cohort or, for those too large to be held, an iterable of its parts.
        path: A .csv, .csv.gz or .parquet file, overwritten if it exists.

    Raises:
        CohortError: Nothing to write, different contracts, another kind of file, or a value that
            the contract does not allow and that could not be read again.
    """
    write_chunks([cohort] if isinstance(cohort, Cohort) else cohort, Path(path))


def _add(batch: Batch, cells: Cells, found: list[CellFaults], assembly: Assembly) -> list[Fault]:
    """Lay the sound rows of a batch into the cohort; return what is wrong with the others."""
    wrong = np.zeros(len(cells), np.bool_)
    for one in found:
        wrong[one.positions] = True
    found = found + assembly.add(cells, np.nonzero(~wrong)[0])
    faults = [Fault(misfit.row, None, misfit.code, misfit.message) for misfit in batch.misfits]
    reported: defaultdict[str | None, set[int]] = defaultdict(set)
    for one in found:
        # One cell, one reason: the first is the one that explains the others.
        new = [at for at in one.positions.tolist() if at not in reported[one.column]]
        reported[one.column].update(new)
        faults += [Fault(int(batch.rows[at]), one.column, one.code, one.message) for at in new]
    order = {name: place for place, name in enumerate(batch.columns)}
    return sorted(faults, key=lambda fault: (fault.row or 0, order.get(fault.field or "", -1)))
