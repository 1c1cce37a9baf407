"""The formats that hold a table, and how a table is opened.

Every command and the service read and write tables through this registry. Memory holds a batch at a
time, never a whole table; workbooks, which must be in memory as a whole, are limited in size.
"""

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO

import pyarrow as pa

from records.errors import CohortError, TableError
from records.tables.codecs import arrow, comma_separated, excel, json_lines, parquet
from records.tables.codecs.arrow_messages import check_stream
from records.tables.codecs.base import Batch, Codec, Select, TableWriter
from records.tables.codecs.limits import MalformedError
from records.tables.options import PLAIN, ReadOptions


class TableFormat(StrEnum):
    """A format of tables; the value is what the command line calls it."""

    ARROW = "arrow"
    PARQUET = "parquet"
    CSV = "csv"
    EXCEL = "xlsx"
    JSON_LINES = "jsonl"


CODECS = {
    TableFormat.ARROW: Codec(
        "an Arrow IPC stream",
        "application/vnd.apache.arrow.stream",
        (".arrow", ".arrows", ".feather"),
        (arrow.FILE_MAGIC,),
        arrow.read,
        arrow.open_writer,
    ),
    TableFormat.PARQUET: Codec(
        "Parquet",
        "application/vnd.apache.parquet",
        (".parquet",),
        (parquet.MAGIC,),
        parquet.read,
        parquet.open_writer,
    ),
    TableFormat.CSV: Codec(
        "CSV",
        "text/csv",
        (".csv", ".csv.gz", ".txt", ".tsv"),
        (),
        comma_separated.read,
        comma_separated.CsvWriter,
    ),
    TableFormat.EXCEL: Codec(
        "a workbook",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        (".xlsx", ".xls", ".ods"),
        (excel.MAGIC, excel.OLD_MAGIC),
        excel.read,
    ),
    TableFormat.JSON_LINES: Codec(
        "JSON lines", "application/x-ndjson", (".jsonl",), (), None, json_lines.JsonLinesWriter
    ),
}
READABLE = tuple(kind for kind, codec in CODECS.items() if codec.read)
WRITABLE = tuple(kind for kind, codec in CODECS.items() if codec.write)
SUFFIXES = tuple(suffix for kind in READABLE for suffix in CODECS[kind].suffixes)
_DAMAGE = (pa.ArrowException, MalformedError, UnicodeError, OSError, EOFError, zlib.error)


def read_batches(
    source: IO[bytes], kind: TableFormat, select: Select, options: ReadOptions = PLAIN
) -> Iterator[Batch]:
    """Read a table batch by batch.

    Args:
        source: Bytes. A file on disk for Parquet; a file of Arrow's own where they are in memory.
        kind: Its format.
        select: Returns the columns to read of a schema, or refuses it.
        options: How text is to be understood.

    Raises:
        TableError: It is no such table, or a damaged one; a part of it unpacks to more than memory
            may hold; what `select` raises.
    """
    codec = CODECS[kind]
    if codec.read is None:
        raise TableError.whole(None, "malformed_table", f"{codec.label} cannot be read.")
    try:
        yield from codec.read(source, select, options)
    except _DAMAGE as error:
        # Arrow's own words may quote a cell.
        message = f"The table cannot be read as {codec.label}, or is damaged."
        raise TableError.whole(None, "malformed_table", message) from error


@dataclass(frozen=True, slots=True)
class TableFile:
    """A table on disk that is being read.

    Attributes:
        batches: Its rows.
        percent: Returns how much of it has been read.
    """

    batches: Iterator[Batch]
    percent: Callable[[], int]


def open_table(path: Path, select: Select, options: ReadOptions = PLAIN) -> TableFile:
    """Open a table on disk; its content decides about its format where it can be recognised.

    Args:
        path: CSV, also compressed by gzip; Parquet; Arrow as a stream or a file; a workbook.
        select: Returns the columns to read of a schema, or refuses it.
        options: How text is to be understood.

    Raises:
        CohortError: No such file, or a name of no format.
        TableError: While it is read, as `read_batches`; the error names the file.
    """
    if path.is_dir():
        raise CohortError(f"{path} is a folder; name the table in it.")
    if not path.is_file():
        raise CohortError(f"{path}: no such file.")
    suffix_of(path)
    raw = path.open("rb")
    size, counted = max(path.stat().st_size, 1), 0

    def batches() -> Iterator[Batch]:
        nonlocal counted
        for batch in _read_file(path, raw, select, options):
            counted = batch.percent
            yield batch

    def percent() -> int:
        return 100 if raw.closed else counted or min(99, 100 * raw.tell() // size)

    return TableFile(batches(), percent)


def _read_file(path: Path, raw: IO[bytes], select: Select, options: ReadOptions) -> Iterator[Batch]:
    with raw:
        kind = _recognised(raw) or _named(path)
        if kind is TableFormat.ARROW and raw.read(len(arrow.FILE_MAGIC)) == arrow.FILE_MAGIC:
            raw.seek(8)  # an Arrow file is a stream between its padded magic and a footer
        elif kind is TableFormat.ARROW:
            raw.seek(0)
        try:
            yield from read_batches(raw, kind, select, options)
        except TableError as error:
            raise error.in_file(path.name) from error.__cause__


def suffix_of(path: Path) -> str:
    """Return which suffix of a readable format a file's name ends with.

    Raises:
        CohortError: None.
    """
    name = path.name.lower()
    found = [suffix for suffix in SUFFIXES if name.endswith(suffix)]
    if not found:
        ends = ", ".join(SUFFIXES)
        raise CohortError(f"'{path.name}' is no table; its name must end with {ends}.")
    return max(found, key=len)


def _named(path: Path) -> TableFormat:
    suffix = suffix_of(path)
    return next(kind for kind in READABLE if suffix in CODECS[kind].suffixes)


def _recognised(raw: IO[bytes]) -> TableFormat | None:
    start = raw.read(8)
    raw.seek(0)
    for kind, codec in CODECS.items():
        if any(start.startswith(magic) for magic in codec.magic):
            return kind
    return None


def count_rows(body: bytes, kind: TableFormat) -> int:
    """Return how many rows a table in memory has, CSV by its lines; 0 where it is none.

    Raises:
        TableError: A part of it unpacks to more than memory may hold.
    """
    if kind is not TableFormat.ARROW:
        return body.count(b"\n")
    try:
        return check_stream(memoryview(body))
    except MalformedError:
        return 0  # `read_batches` reports it


def open_writer(kind: TableFormat, schema: pa.Schema, *, whole: bool = False) -> TableWriter:
    """Begin a table.

    Args:
        kind: Format to write.
        schema: Of every batch.
        whole: Whether the table is small, so that all bytes may come at the end.
    """
    codec = CODECS[kind]
    if codec.write is None:
        raise TableError.whole(None, "malformed_table", f"{codec.label} cannot be written.")
    if kind is TableFormat.ARROW and whole:
        return arrow.WholeWriter(schema)
    return codec.write(schema)
