"""Read CSV and Parquet files in batches of columns that know the row they came from.

bytes -> cells. What the cells mean is none of this file's business.
"""

import csv
import gzip
import io
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from records.errors import CohortError, Fault, RecordError

FORMATS = (".csv", ".csv.gz", ".parquet")
BATCH_ROWS = 16_384  # larger ones cost more: the garbage collector walks every row of a CSV
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True)
class Misfit:
    """A row that cannot be laid against the header: ragged, not UTF-8, or with broken quotes."""

    row: int
    code: str
    message: str
    cells: Sequence[str]


@dataclass(frozen=True)
class Batch:
    """Some rows of a table.

    Attributes:
        rows: (rows,) row numbers as `Fault.row` counts them.
        columns: Name -> (rows,) Arrow array; strings in CSV, any type in Parquet.
        misfits: The rows in between that are in no column.
        percent: How much of the file has been read with this batch.
    """

    rows: NDArray[np.int64]
    columns: dict[str, pa.Array]
    misfits: Sequence[Misfit]
    percent: int


def table_format(path: Path) -> str:
    """Return which of `FORMATS` the path's name ends with.

    Raises:
        CohortError: None of them.
    """
    for suffix in FORMATS:
        if path.name.lower().endswith(suffix):
            return suffix
    raise CohortError(f"'{path.name}' is no table; its name must end with {', '.join(FORMATS)}.")


def read_header(path: Path) -> list[str]:
    """Return the names of the columns, in order, as the file has them.

    Raises:
        CohortError: No such file, an empty file, or one that is not what its name says.
        RecordError: A header that is not UTF-8 or has broken quotes.
    """
    if path.is_dir():
        raise CohortError(f"{path} is a folder; name the table in it.")
    if not path.is_file():
        raise CohortError(f"{path}: no such file.")
    if table_format(path) == ".parquet":
        with _parquet(path) as file:
            return _parquet_names(path, file.schema_arrow)
    with path.open("rb") as raw:
        # Not strict: quoted names between semicolons must get as far as a message that says so.
        row = next(_csv_rows(path.name, raw, strict=False), None)
    if row is None:
        raise CohortError(f"{path.name} is empty; expected a header and one row per period.")
    if isinstance(row, Misfit):
        raise RecordError([Fault(row.row, None, row.code, row.message)], path.name)
    names = [name.strip() for name in row[1]]
    if not _is_text(names):
        raise RecordError([Fault(1, None, "bad_encoding", _NOT_UTF8)], path.name)
    return names


def read_batches(path: Path, header: Sequence[str]) -> Iterator[Batch]:
    """Yield the rows below the header, at most `BATCH_ROWS` at a time.

    Raises:
        CohortError: The file is damaged.
    """
    if table_format(path) == ".parquet":
        return _parquet_batches(path)
    return _csv_batches(path, header)


_NOT_UTF8 = "not UTF-8 (a Latin-1 or Windows letter?); save the file as UTF-8."
_BROKEN_QUOTES = 'a quote is not closed where it should be; write "" for a quote inside a cell.'


def _csv_rows(
    file: str, raw: io.BufferedReader, *, strict: bool = True
) -> Iterator[tuple[int, list[str]] | Misfit]:
    """Yield each row with the line it begins at; blank lines are empty lists."""
    line = 1
    with (
        gzip.open(raw) if table_format(Path(file)) == ".csv.gz" else raw as binary,
        # Foreign bytes become surrogates here, so that only their own row is at fault.
        io.TextIOWrapper(binary, "utf-8-sig", errors="surrogateescape", newline="") as text,
    ):
        try:
            if binary.peek(2)[:2] in _UTF16:
                raise CohortError(f"{file} is UTF-16; save it as UTF-8 (in Excel: CSV UTF-8).")
            reader = csv.reader(text, strict=strict)
            while True:
                try:
                    cells = next(reader)
                except csv.Error:
                    yield Misfit(line, "broken_quotes", _BROKEN_QUOTES, [])
                else:
                    yield line, cells
                line = reader.line_num + 1
        except StopIteration:
            return
        except (EOFError, gzip.BadGzipFile, zlib.error):
            raise CohortError(f"{file} is damaged or no gzip file; copy it again.") from None


def _csv_batches(path: Path, header: Sequence[str]) -> Iterator[Batch]:
    size = path.stat().st_size
    with path.open("rb") as raw:
        rows = _csv_rows(path.name, raw)
        next(rows)
        while some := list(islice(rows, BATCH_ROWS)):
            percent = 100 if raw.closed else 100 * raw.tell() // size
            numbers: list[int] = []
            lines: list[list[str]] = []
            misfits: list[Misfit] = []
            for row in some:
                if isinstance(row, Misfit):
                    misfits.append(row)
                elif len(row[1]) == len(header):
                    numbers.append(row[0])
                    lines.append(row[1])
                elif row[1]:
                    message = f"has {len(row[1])} cells where the header has {len(header)}."
                    misfits.append(Misfit(row[0], "ragged_row", message, row[1]))
            yield _csv_batch(header, numbers, lines, misfits, percent)


def _csv_batch(
    header: Sequence[str],
    numbers: list[int],
    lines: list[list[str]],
    misfits: list[Misfit],
    percent: int,
) -> Batch:
    cells = list(zip(*lines, strict=True)) or [()] * len(header)
    try:
        arrays = [pa.array(column, pa.string()) for column in cells]
    except UnicodeEncodeError:
        readable = [_is_text(line) for line in lines]
        foreign = [
            Misfit(number, "bad_encoding", _NOT_UTF8, line)
            for number, line, good in zip(numbers, lines, readable, strict=True)
            if not good
        ]
        return _csv_batch(
            header,
            [number for number, good in zip(numbers, readable, strict=True) if good],
            [line for line, good in zip(lines, readable, strict=True) if good],
            sorted([*misfits, *foreign], key=lambda misfit: misfit.row),
            percent,
        )
    columns = dict(zip(header, arrays, strict=True))
    return Batch(np.array(numbers, np.int64), columns, misfits, percent)


def _is_text(cells: Sequence[str]) -> bool:
    try:
        "".join(cells).encode()
    except UnicodeEncodeError:
        return False
    return True


def _parquet(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path)
    except (pa.ArrowInvalid, OSError):
        raise CohortError(f"{path.name} is damaged or no Parquet file.") from None


def _parquet_names(path: Path, schema: pa.Schema) -> list[str]:
    if odd := [f.name for f in schema if pa.types.is_nested(f.type) or pa.types.is_binary(f.type)]:
        message = "holds lists or bytes; expected one number or text in each row."
        raise RecordError([Fault(None, name, "wrong_type", message) for name in odd], path.name)
    return list(schema.names)


def _parquet_batches(path: Path) -> Iterator[Batch]:
    first = 1
    with _parquet(path) as file:
        try:
            for batch in file.iter_batches(batch_size=BATCH_ROWS):
                rows = np.arange(first, first + batch.num_rows, dtype=np.int64)
                first += batch.num_rows
                columns = dict(zip(batch.schema.names, batch.columns, strict=True))
                yield Batch(rows, columns, (), 100 * (first - 1) // file.metadata.num_rows)
        except (pa.ArrowInvalid, OSError):
            raise CohortError(f"{path.name} is damaged; write it again.") from None
