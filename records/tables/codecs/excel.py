"""Excel and OpenDocument workbooks: the first sheet that has a table."""

import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from itertools import islice
from typing import IO, TYPE_CHECKING

from records.errors import TableError
from records.tables.codecs.base import Batch, Select
from records.tables.codecs.limits import too_large
from records.tables.codecs.text_rows import MAX_TITLE_ROWS, Row, batches_of_rows, is_header
from records.tables.options import ReadOptions

if TYPE_CHECKING:
    from python_calamine import CalamineSheet

MAGIC = b"PK\x03\x04"
OLD_MAGIC = b"\xd0\xcf\x11\xe0"
# Unpacked; a workbook is in memory as a whole.
_MAX_BYTES = 512 * 2**20

Cell = int | float | str | bool | time | date | datetime | timedelta


def read(source: IO[bytes], select: Select, _options: ReadOptions) -> Iterator[Batch]:
    """Read a workbook; `source` can seek."""
    try:
        import python_calamine  # noqa: PLC0415 - the service, which takes no workbook, lacks it
    except ImportError:
        message = "Workbooks need python-calamine, which is not installed here; save it as CSV."
        raise TableError.whole(None, "malformed_table", message) from None
    _check_size(source)
    try:
        workbook = python_calamine.load_workbook(source)
        sheets = [workbook.get_sheet_by_name(name) for name in workbook.sheet_names]
    except (python_calamine.CalamineError, zipfile.BadZipFile, ValueError):
        message = "The workbook cannot be read, or is damaged; save it again as .xlsx or CSV."
        raise TableError.whole(None, "malformed_table", message) from None
    chosen = next((sheet for sheet in sheets if _has_header(sheet)), sheets[0] if sheets else None)
    rows = iter(()) if chosen is None else _rows(chosen)
    yield from batches_of_rows(rows, select)


def _check_size(source: IO[bytes]) -> None:
    try:
        with zipfile.ZipFile(source) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
    except zipfile.BadZipFile:
        size = 0  # the format of before .xlsx, which is not compressed
    source.seek(0)
    if size > _MAX_BYTES:
        raise too_large("The workbook", size, "save workbooks", _MAX_BYTES)


def _has_header(sheet: "CalamineSheet") -> bool:
    return any(
        is_header([_text(cell) for cell in row])
        for row in islice(sheet.iter_rows(), MAX_TITLE_ROWS + 1)
    )


def _rows(sheet: "CalamineSheet") -> Iterator[Row]:
    start = (sheet.start or (0, 0))[0]
    for number, row in enumerate(sheet.iter_rows(), start=start + 1):
        yield number, [_text(cell) for cell in row]


def _text(cell: Cell) -> str:
    """Write a cell as CSV would hold it."""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 2**53 else repr(cell)
    return str(cell)
