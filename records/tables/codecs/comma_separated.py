"""CSV: text in any encoding, separated by whatever its header is separated by."""

import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from itertools import chain, islice
from typing import IO, Any

import msgspec
import pyarrow as pa
import pyarrow.csv as pa_csv

from records.errors import TableError
from records.tables.codecs.base import Batch, Misfit, Select
from records.tables.codecs.limits import too_large
from records.tables.codecs.streams import ArrowWriter
from records.tables.codecs.text_rows import MAX_TITLE_ROWS, Row, batches_of_rows, is_header
from records.tables.options import ReadOptions

DELIMITERS = (",", ";", "\t", "|")
# Characters of one row: ids, levels and numbers are short.
_MAX_ROW = 2**20
_GZIP = b"\x1f\x8b"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_OTHERS = {
    b"PK\x03\x04": "an Excel workbook or a ZIP archive",
    b"PAR1": "Parquet",
    b"ARROW1": "Arrow",
}
_BROKEN_QUOTES = 'a quote is not closed where it should be; write "" for a quote inside a cell.'
# A spreadsheet runs what begins like this as a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def read(source: IO[bytes], select: Select, options: ReadOptions) -> Iterator[Batch]:
    """Read CSV, plain or compressed by gzip."""
    buffered = io.BufferedReader(_Raw(source), 2**16)
    start = buffered.peek(8)[:8]
    for magic, what in _OTHERS.items():
        if start.startswith(magic):
            message = f"This is {what} and not CSV; send it as what it is."
            raise TableError.whole(None, "malformed_table", message)
    try:
        if start.startswith(_GZIP):
            buffered = io.BufferedReader(_Raw(gzip.GzipFile(fileobj=buffered)), 2**16)
        yield from batches_of_rows(_rows(buffered, options), select)
    except (EOFError, gzip.BadGzipFile, zlib.error):
        message = "The table is damaged: its gzip stream ends early or is broken; copy it again."
        raise TableError.whole(None, "malformed_table", message) from None


def _rows(binary: "io.BufferedReader[_Raw]", options: ReadOptions) -> Iterator[Row]:
    """Yield each row with the line it begins at."""
    start = binary.peek(2)[:2]
    encoding = "utf-16" if start in _UTF16 else options.encoding
    if encoding.lower().replace("_", "-") in {"utf-8", "utf8"}:
        encoding = "utf-8-sig"
    try:
        # Undecodable bytes become surrogates, so that only their own row is at fault.
        text = io.TextIOWrapper(binary, encoding, errors="surrogateescape", newline="")
    except LookupError:
        message = f"There is no encoding '{options.encoding}'; try utf-8, cp1252 or latin-1."
        raise TableError.whole(None, "unsupported_encoding", message) from None
    lines = _Lines(text)
    head = list(islice(lines, MAX_TITLE_ROWS + 1))
    delimiter = options.delimiter or _delimiter(head)
    lines.size = 0
    reader = csv.reader(
        chain(head, lines), delimiter=delimiter, skipinitialspace=delimiter != "\t", strict=True
    )
    line = 1
    while True:
        try:
            cells = next(reader)
        except csv.Error:
            yield Misfit(line, "broken_quotes", _BROKEN_QUOTES)
        except StopIteration:
            return
        else:
            yield line, cells
        lines.size = 0
        line = reader.line_num + 1


def _delimiter(head: list[str]) -> str:
    """Return what separates the names of a header among the first lines; commas if there is none."""
    for line in head:
        for delimiter in DELIMITERS:
            try:
                cells = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
            except csv.Error:
                continue
            if is_header(cells):
                return delimiter
    return DELIMITERS[0]


class _Lines:
    """Lines of a text; the lines of one row together must stay short.

    Attributes:
        size: Characters since it was last set to 0.
    """

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self.size = 0

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._text.readline(_MAX_ROW + 1)
        if not line:
            raise StopIteration
        self.size += len(line)
        if self.size > _MAX_ROW:
            raise too_large("A row", self.size, "write rows", _MAX_ROW)
        return line


class _Raw(io.RawIOBase):
    """Lets a buffered reader read from anything that has `read`."""

    def __init__(self, source: IO[bytes] | gzip.GzipFile) -> None:
        super().__init__()
        self._source = source

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)
        data = self._source.read(len(view))
        view[: len(data)] = data
        return len(data)


class CsvWriter(ArrowWriter):
    """Writes CSV; lists stand as JSON text in their cells.

    Args:
        schema: Of every batch.
        exact: Whether text that a spreadsheet would run as a formula stays as it is. It otherwise
            gets an apostrophe in front.
    """

    def __init__(self, schema: pa.Schema, *, exact: bool = True) -> None:
        flat = pa.schema([pa.field(field.name, _flat(field.type)) for field in schema])
        super().__init__(lambda sink: pa_csv.CSVWriter(sink, flat))
        self._schema = flat
        self._exact = exact

    def write(self, batch: pa.RecordBatch) -> bytes:
        """Return the bytes that are ready once this batch is written."""
        columns = [_flattened(column) for column in batch.columns]
        if not self._exact:
            columns = [
                _harmless(new) if _is_string(old.type) else new
                for old, new in zip(batch.columns, columns, strict=True)
            ]
        return super().write(pa.RecordBatch.from_arrays(columns, schema=self._schema))


def harmless(text: Any) -> Any:
    """Put an apostrophe before text that a spreadsheet would run as a formula."""
    return f"'{text}" if isinstance(text, str) and text.startswith(_FORMULA) else text


def _harmless(column: pa.Array) -> pa.Array:
    return pa.array([harmless(text) for text in column.to_pylist()], pa.string())


def _is_string(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _flat(kind: pa.DataType) -> pa.DataType:
    plain = kind.value_type if pa.types.is_dictionary(kind) else kind
    return pa.string() if pa.types.is_nested(plain) else plain


def _flattened(column: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        return column.dictionary_decode()
    if not pa.types.is_nested(column.type):
        return column
    encode = msgspec.json.encode
    return pa.array(
        ["" if not cell else encode(cell).decode() for cell in column.to_pylist()], pa.string()
    )
