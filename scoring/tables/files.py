"""Open a table of students on disk, in whatever format its name or its first bytes say."""

import gzip
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import pyarrow as pa
import pyarrow.parquet as pq

from records.errors import CohortError
from scoring.tables.formats import TableFormat, read_batches
from scoring.tables.intake import TableIntake

SUFFIXES = (".csv", ".csv.gz", ".parquet", ".arrow", ".arrows", ".feather")
_FILE_MAGIC = b"ARROW1"


@dataclass(frozen=True, slots=True)
class TableFile:
    """A table that is being read.

    Attributes:
        batches: Its rows, with the columns that say something to a scorer.
        percent: How much of it has been read.
    """

    batches: Iterator[pa.RecordBatch]
    percent: Callable[[], int]


def read_file(path: Path, intake: TableIntake) -> TableFile:
    """Open a table.

    Args:
        path: CSV (also with gzip), Parquet, or Arrow as a stream or a file.
        intake: Says which columns there may be.

    Raises:
        CohortError: No such file, or one of another kind.
    """
    name = path.name.lower()
    if not path.is_file():
        raise CohortError(f"{path}: no such file.")
    if not name.endswith(SUFFIXES):
        raise CohortError(f"'{path.name}' must end with one of {', '.join(SUFFIXES)}.")
    raw = path.open("rb")
    size = max(path.stat().st_size, 1)
    if name.endswith(".parquet"):
        return _parquet(path, raw, intake)
    # It closes with `raw`, which is all that it holds.
    zipped = name.endswith(".gz")
    source = cast("IO[bytes]", gzip.GzipFile(fileobj=raw)) if zipped else raw
    kind = TableFormat.CSV if name.endswith((".csv", ".csv.gz")) else TableFormat.ARROW
    if kind is TableFormat.ARROW and raw.peek(len(_FILE_MAGIC))[: len(_FILE_MAGIC)] == _FILE_MAGIC:
        # An Arrow file is a stream between its magic, padded to 8 bytes, and a footer.
        raw.seek(8)
    batches = _closing(raw, read_batches(source, kind, intake.check, intake.columns))
    return TableFile(batches, lambda: 100 if raw.closed else min(99, 100 * raw.tell() // size))


def _parquet(path: Path, raw: IO[bytes], intake: TableIntake) -> TableFile:
    rows = 0

    def counted() -> Iterator[pa.RecordBatch]:
        nonlocal rows
        for batch in read_batches(raw, TableFormat.PARQUET, intake.check, intake.columns):
            rows += batch.num_rows
            yield batch

    try:
        total = max(pq.read_metadata(path).num_rows, 1)
    except pa.ArrowInvalid:
        total = 1  # `read_batches` says what is wrong
    return TableFile(_closing(raw, counted()), lambda: min(100, 100 * rows // total))


def _closing(raw: IO[bytes], batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    with raw:
        yield from batches
