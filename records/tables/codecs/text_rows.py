"""Turn rows of text cells into batches: find the header, skip blank rows, keep row numbers."""

from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np
import pyarrow as pa

from records.errors import TableError
from records.tables.codecs.base import BATCH_ROWS, Batch, Misfit, Select

# Every table has these columns, which distinguishes a header from the titles above it.
HEADER_COLUMNS = frozenset({"id", "period"})
# Rows above the header, such as a title and the date of the export.
MAX_TITLE_ROWS = 20

Row = tuple[int, list[str]] | Misfit

NOT_TEXT = (
    "not UTF-8 (a Latin-1 or Windows letter?); save the file as UTF-8, or name its encoding by "
    "the option encoding (--encoding cp1252)."
)


def is_header(cells: Sequence[str]) -> bool:
    """Return whether a row holds the names of columns."""
    return {clean_name(cell) for cell in cells} >= HEADER_COLUMNS


def clean_name(cell: str) -> str:
    """Return a column's name without blanks around it; a byte order mark is one, too."""
    return cell.strip().strip("\ufeff").strip()


def batches_of_rows(rows: Iterator[Row], select: Select) -> Iterator[Batch]:
    """Read rows below a header.

    A row without text is passed over. So are empty cells beyond the last named column.

    Args:
        rows: Row number and cells, or what is wrong with the row.
        select: Chooses among the columns.

    Raises:
        TableError: There is no row, the header cannot be read, or `select` refuses it.
    """
    names = _header(rows)
    width = len(names)
    chosen = select(pa.schema([pa.field(name, pa.string()) for name in names]))
    positions = [names.index(name) for name in chosen]
    while some := list(islice(rows, BATCH_ROWS)):
        numbers: list[int] = []
        lines: list[list[str]] = []
        misfits: list[Misfit] = []
        for row in some:
            if isinstance(row, Misfit):
                misfits.append(row)
                continue
            number, cells = row
            if len(cells) == width and any(cells):
                numbers.append(number)
                lines.append(cells)
            elif any(cell and not cell.isspace() for cell in cells):
                if len(cells) < width or any(cells[width:]):
                    message = f"has {len(cells)} cells where the header has {width}."
                    misfits.append(Misfit(number, "ragged_row", message, cells))
                else:
                    numbers.append(number)
                    lines.append(cells[:width])
        yield _batch(chosen, positions, numbers, lines, misfits)


def _header(rows: Iterator[Row]) -> list[str]:
    """Return the names of the columns; of rows that all look like data, the first is the header."""
    first: list[str] | None = None
    above: list[list[str]] = []
    for row in islice(rows, MAX_TITLE_ROWS + 1):
        if isinstance(row, Misfit):
            if first is None:
                raise TableError([row.fault])
            continue
        number, cells = row
        if not any(cell.strip() for cell in cells):
            continue
        if not _is_text(cells):
            raise TableError([Misfit(number, "bad_encoding", NOT_TEXT).fault])
        if is_header(cells):
            return _named(cells)
        first = first or cells
        above.append(cells)
    if first is None:
        message = "The table is empty; expected a header and one row per period."
        raise TableError.whole(None, "empty_table", message)
    return _named(first)


def _named(cells: Sequence[str]) -> list[str]:
    names = [clean_name(cell) for cell in cells]
    while names and not names[-1]:
        names.pop()
    return names


def _batch(
    chosen: Sequence[str],
    positions: Sequence[int],
    numbers: list[int],
    lines: list[list[str]],
    misfits: list[Misfit],
) -> Batch:
    columns = list(zip(*lines, strict=True))
    try:
        arrays = [pa.array(columns[at] if lines else [], pa.string()) for at in positions]
    except UnicodeEncodeError:
        readable = [_is_text(line) for line in lines]
        foreign = [
            Misfit(number, "bad_encoding", NOT_TEXT, line)
            for number, line, good in zip(numbers, lines, readable, strict=True)
            if not good
        ]
        return _batch(
            chosen,
            positions,
            [number for number, good in zip(numbers, readable, strict=True) if good],
            [line for line, good in zip(lines, readable, strict=True) if good],
            sorted([*misfits, *foreign], key=lambda misfit: misfit.row),
        )
    batch = pa.RecordBatch.from_arrays(arrays, names=list(chosen))
    return Batch(batch, np.array(numbers, np.int64), misfits)


def _is_text(cells: Sequence[str]) -> bool:
    try:
        "".join(cells).encode()
    except UnicodeEncodeError:
        return False
    return True
