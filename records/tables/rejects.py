"""Set rows of a table aside, with the reason, where somebody can mend them."""

import csv
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from records.errors import CohortError, Fault
from records.tables.codecs.base import Misfit
from records.tables.codecs.comma_separated import harmless
from records.tables.formats import suffix_of

_OWN = ("row", "reason")


class Rejects:
    """The file of rejected rows: row number, reason and the cells as they stood, as CSV.

    Args:
        path: The table that the rows come from.
        target: The file to write; by default `<name>.rejected.csv` beside the table. It is made
            with the first rejected row, and removed first if an earlier reading left one.

    Attributes:
        count: Rows that were rejected.

    Raises:
        CohortError: `target` is the table itself, a folder, in one that does not exist, or holds
            something else than rejected rows.
    """

    def __init__(self, path: Path, target: Path | None) -> None:
        name = path.name[: -len(suffix_of(path))]
        self.target = target or path.with_name(f"{name}.rejected.csv")
        self._header: list[str] = []
        if self.target.resolve() == path.resolve():
            raise CohortError(f"{path.name} cannot take its own rejected rows; name another file.")
        if self.target.is_dir():
            raise CohortError(f"{self.target} is a folder; name a file for the rejected rows.")
        if not self.target.parent.is_dir():
            raise CohortError(f"{self.target.parent}: no such folder for the rejected rows.")
        if self.target.is_file() and not holds(self.target, _OWN):
            raise CohortError(f"{self.target} holds something else; name another file (--rejects).")
        self.count = 0

    def begin(self, header: Sequence[str]) -> None:
        """Note the columns; remove what an earlier reading left."""
        self._header = list(header)
        self.target.unlink(missing_ok=True)

    def write(
        self, rows: pa.RecordBatch, lines: NDArray[np.int64], faults: Sequence[Fault]
    ) -> None:
        """Append the rows that have faults.

        Args:
            rows: Rows of whole students.
            lines: (rows,) their row numbers.
            faults: What is wrong with some of them.
        """
        reasons: defaultdict[int, list[str]] = defaultdict(list)
        for fault in faults:
            column = f"{fault.field}: " if fault.field else ""
            reasons[fault.row or 0].append(column + fault.message)
        at = np.flatnonzero(np.isin(lines, list(reasons)))
        cells = rows.take(pa.array(at)).to_pydict()
        self._append(
            [number, " ".join(reasons[number]), *row]
            for number, row in zip(
                lines[at].tolist(), zip(*cells.values(), strict=True), strict=True
            )
        )

    def write_misfits(self, misfits: Sequence[Misfit]) -> None:
        """Append rows that could not be laid against the header."""
        self._append(
            [misfit.row, misfit.message, *map(_legible, misfit.cells)] for misfit in misfits
        )

    def _append(self, lines: Iterable[list[object]]) -> None:
        with self.target.open("a", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            if not self.count:
                writer.writerow([*_OWN, *self._header])
            for line in lines:
                writer.writerow([harmless(cell) for cell in line])
                self.count += 1


def holds(file: Path, columns: Sequence[str]) -> bool:
    """Return whether a CSV file begins with these columns, as one of ours does."""
    start = ",".join(columns).encode()
    with file.open("rb") as raw:
        return raw.read(len(start)) == start


def _legible(cell: str) -> str:
    """Replace bytes that are no UTF-8, so that the file itself is."""
    return cell.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
