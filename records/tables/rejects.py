"""Set rows of a table aside, with the reason, where somebody can mend them."""

import csv
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from records.errors import CohortError, Fault
from records.tables.files import Batch, table_format

_OWN = ("row", "reason")


class Rejects:
    """The file of rejected rows: row number, reason and the cells as they stood, as CSV.

    Args:
        path: The table that the rows come from.
        header: Its columns.
        target: The file to write; by default `<name>.rejected.csv` beside the table. It is made
            with the first rejected row, and removed first if an earlier reading left one.

    Raises:
        CohortError: `target` is the table itself, a folder, in one that does not exist, or holds
            something else than rejected rows.
    """

    def __init__(self, path: Path, header: Sequence[str], target: Path | None) -> None:
        name = path.name[: -len(table_format(path))]
        self.target = target or path.with_name(f"{name}.rejected.csv")
        self._header = list(header)
        if self.target.resolve() == path.resolve():
            raise CohortError(f"{path.name} cannot take its own rejected rows; name another file.")
        if self.target.is_dir():
            raise CohortError(f"{self.target} is a folder; name a file for the rejected rows.")
        if not self.target.parent.is_dir():
            raise CohortError(f"{self.target.parent}: no such folder for the rejected rows.")
        if target is not None and target.is_file() and not _holds_rejects(target):
            raise CohortError(f"{target} holds something else; name another file for the rows.")
        self.count = 0
        self.target.unlink(missing_ok=True)

    def write(self, batch: Batch, faults: Sequence[Fault]) -> None:
        """Append the rows of `batch` that have `faults`."""
        reasons: defaultdict[int, list[str]] = defaultdict(list)
        for fault in faults:
            column = f"{fault.field}: " if fault.field else ""
            reasons[fault.row or 0].append(column + fault.message)
        cells: dict[int, Sequence[object]] = {
            misfit.row: [_legible(cell) for cell in misfit.cells] for misfit in batch.misfits
        }
        for at, row in enumerate(batch.rows.tolist()):
            if row in reasons:
                cells[row] = [column[at].as_py() for column in batch.columns.values()]
        with self.target.open("a", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            if not self.count:
                writer.writerow([*_OWN, *self._header])
            for row in sorted(reasons):
                writer.writerow([row, " ".join(reasons[row]), *cells[row]])
        self.count += len(reasons)


def _holds_rejects(file: Path) -> bool:
    start = ",".join(_OWN).encode()
    with file.open("rb") as raw:
        return raw.read(len(start)) == start


def _legible(cell: str) -> str:
    """Replace bytes that are no UTF-8, so that the file itself is."""
    return cell.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
