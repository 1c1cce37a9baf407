"""Read the CSV files of a public data set as they were published, plain or gzipped."""

import csv
import gzip
import math
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pc

from records.errors import CohortError
from records.progress import Progress

# `?` is what the official OULAD files write, NA what R writes.
_MISSING = ["", "?", "NA"]
_BLOCK = 4 << 20
_FAULT = re.compile(r"In CSV column #(\d+): Row #(\d+): CSV conversion error")
_WIDTH = re.compile(r"CSV parse error: Row #(\d+): Expected (\d+) columns, got (\d+)")


@dataclass(frozen=True)
class Column:
    """What a column of a raw file must hold.

    Attributes:
        type: Arrow type; text that is no such value is an error.
        required: Whether a missing value is an error.
        low: Smallest number allowed.
        high: Largest number allowed.
        words: Words allowed; none listed means any.
    """

    type: pa.DataType
    required: bool = False
    low: float = -math.inf
    high: float = math.inf
    words: tuple[str, ...] = ()


def text(*words: str, required: bool = False) -> Column:
    """Describe a column of words: of `words` where some are given, else of any."""
    return Column(pa.string(), required, words=words)


def code() -> Column:
    """Describe a column of few different words, none missing: stored as positions in a list."""
    return Column(pa.dictionary(pa.int32(), pa.string()), required=True)


def whole(*, low: float = -math.inf, high: float = math.inf) -> Column:
    """Describe a column of whole numbers, none missing."""
    return Column(pa.int64(), required=True, low=low, high=high)


def number(*, required: bool = False, low: float = -math.inf, high: float = math.inf) -> Column:
    """Describe a column of finite numbers."""
    return Column(pa.float64(), required, low, high)


def read_columns(folder: Path, name: str, columns: Mapping[str, Column]) -> pd.DataFrame:
    """Read the `columns` of `folder`/`name`.csv, or of `name`.csv.gz where that is absent.

    Empty cells, `?` and `NA` are missing. Columns that are not asked for are ignored.

    Returns:
        One row per row of the file, in its order, indexed from 0.

    Raises:
        CohortError: The file is absent, broken or not UTF-8, or a column is absent or holds what
            it must not; the message names file, row and column.
    """
    path = _find(folder, name)
    positions = _header(path, columns)
    with _faults_named(path, positions):
        table = pc.read_csv(path, **_options(columns))
    frame: pd.DataFrame = table.to_pandas()
    for column, rule in columns.items():
        _check(frame[column], rule, path.name)
    return frame


def stream_columns(
    folder: Path, name: str, columns: Mapping[str, Column], *, progress: Progress | None = None
) -> Iterator[pa.RecordBatch]:
    """Read a file as `read_columns` does, some megabytes at a time.

    Args:
        folder: Where the file lies.
        name: Its name without `.csv` or `.csv.gz`.
        columns: What to read; a missing value in a required column is an error, limits are not
            checked.
        progress: Called with a text, the bytes of the file read so far, and its size.

    Yields:
        Batches of rows, in the file's order.

    Raises:
        CohortError: As `read_columns`.
    """
    path = _find(folder, name)
    positions, size = _header(path, columns), path.stat().st_size
    with _faults_named(path, positions), pa.OSFile(str(path)) as file:
        source = pa.CompressedInputStream(file, "gzip") if path.suffix == ".gz" else file
        for batch in pc.open_csv(source, **_options(columns)):
            for column, rule in columns.items():
                if rule.required and batch[column].null_count:
                    raise CohortError(
                        f"{path.name}: column '{column}' has empty cells; it needs a value in "
                        "every row. Fill them or remove the rows."
                    )
            yield batch
            if progress:
                progress(f"reading {path.name}", file.tell(), size)


def refuse_duplicates(frame: pd.DataFrame, key: Sequence[str], file: str) -> None:
    """Raise a `CohortError` that names the first row of `file` that repeats a `key`, if any."""
    reason = f"a second row with the same {', '.join(key)}; keep one of them."
    refuse_rows(frame.duplicated(list(key)), file, key[-1], reason)


def refuse_rows(rows: pd.Series, file: str, column: str, reason: str) -> None:
    """Raise a `CohortError` that names the first row of `file` where `rows` is true, if any.

    Args:
        rows: bool, one per row of the file.
        file: Name of the file.
        column: Name of the column at fault.
        reason: What was expected and what to do.
    """
    bad = np.flatnonzero(rows.to_numpy())
    if bad.size:
        more = f" (and {bad.size - 1} more rows)" if bad.size > 1 else ""
        raise CohortError(f"{file}: row {bad[0] + 2}{more}, column '{column}': {reason}")


def _find(folder: Path, name: str) -> Path:
    for suffix in (".csv", ".csv.gz"):
        if (path := folder / f"{name}{suffix}").is_file():
            return path
    raise CohortError(
        f"{folder} holds neither {name}.csv nor {name}.csv.gz; "
        "give the folder of the unpacked official archive."
    )


def _header(path: Path, columns: Mapping[str, Column]) -> list[str]:
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        # Bytes: reading text would decode rows as well, and columns that are not needed.
        with opened(path, "rb") as file:
            names = next(csv.reader([file.readline().decode("utf-8-sig")]), [])
    except UnicodeDecodeError:
        raise CohortError(f"{path.name} is not UTF-8; save the file as UTF-8.") from None
    except (OSError, EOFError, zlib.error):
        raise _broken(path) from None
    if missing := [name for name in columns if name not in names]:
        raise CohortError(
            f"{path.name} lacks the column(s) {', '.join(missing)}; "
            "use the file as it was published, with its header line."
        )
    return names


def _options(columns: Mapping[str, Column]) -> dict[str, object]:
    return {
        # One thread: only then does Arrow know the row of a fault.
        "read_options": pc.ReadOptions(use_threads=False, block_size=_BLOCK),
        "parse_options": pc.ParseOptions(newlines_in_values=False),
        "convert_options": pc.ConvertOptions(
            column_types={name: rule.type for name, rule in columns.items()},
            include_columns=list(columns),
            null_values=_MISSING,
            strings_can_be_null=True,
        ),
    }


@contextmanager
def _faults_named(path: Path, names: list[str]) -> Iterator[None]:
    """Translate Arrow's errors, whose texts contain the values, into ours, which never do."""
    try:
        yield
    except pa.ArrowInvalid as error:
        message = str(error)
        if fault := _FAULT.search(message):
            column, row = names[int(fault[1])], fault[2]
            wanted = "text in UTF-8" if "UTF8" in message else _wanted(message)
            raise CohortError(
                f"{path.name}: row {row}, column '{column}': expected {wanted}; "
                "correct the cell or remove the row."
            ) from None
        if fault := _WIDTH.search(message):
            raise CohortError(
                f"{path.name}: row {fault[1]} has {fault[3]} cells where the header has "
                f"{fault[2]}; correct the row."
            ) from None
        raise CohortError(f"{path.name}: not a readable CSV file; fetch it again.") from None
    except OSError:
        raise _broken(path) from None


def _broken(path: Path) -> CohortError:
    return CohortError(f"{path.name} is damaged or cut short; fetch it again.")


def _wanted(message: str) -> str:
    return "a whole number" if "to int64" in message else "a number"


def _check(column: pd.Series, rule: Column, file: str) -> None:
    name = str(column.name)
    if rule.required:
        refuse_rows(column.isna(), file, name, "a value is needed; fill it in or remove the row.")
    if rule.words:
        other = column.notna() & ~column.isin(list(rule.words))
        reason = f"expected one of {', '.join(rule.words)}; correct the cell or remove the row."
        refuse_rows(other, file, name, reason)
    if pd.api.types.is_numeric_dtype(column):
        infinite = pd.Series(np.isinf(column.to_numpy()))
        refuse_rows(infinite, file, name, "expected a finite number; correct the cell.")
        outside = (column < rule.low) | (column > rule.high)
        reason = f"expected a number from {rule.low:g} to {rule.high:g}; correct the cell."
        refuse_rows(outside, file, name, reason)
