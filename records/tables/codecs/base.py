"""What every codec reads into and writes from."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from records.errors import Fault, TableError
from records.tables.options import ReadOptions

# Rows that are worked on at once.
BATCH_ROWS = 16_384
# Chooses the columns to read of a schema, or refuses it with a TableError.
Select = Callable[[pa.Schema], list[str]]


@dataclass(frozen=True, slots=True)
class Misfit:
    """A row that cannot be laid against the header: ragged, badly encoded, with broken quotes.

    Attributes:
        row: Row number, as `Fault.row` counts.
        code: Machine-readable reason.
        message: What is wrong and what to do.
        cells: The row as far as it can be read.
    """

    row: int
    code: str
    message: str
    cells: Sequence[str] = ()

    @property
    def fault(self) -> Fault:
        """The misfit as a fault of a whole row."""
        return Fault(self.row, None, self.code, self.message)


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Some rows of a table.

    Attributes:
        columns: The columns that were selected; text in CSV, any type in other formats.
        lines: (rows,) row numbers as `Fault.row` counts.
        misfits: Rows between these that could not be read.
        percent: How much of the table has been read, where the codec knows.
    """

    columns: pa.RecordBatch
    lines: NDArray[np.int64]
    misfits: Sequence[Misfit] = ()
    percent: int = 0


def without_misfits(batches: Iterator[Batch]) -> Iterator[pa.RecordBatch]:
    """Yield the columns of each batch.

    Raises:
        TableError: A row could not be read: it is unknown which student it belongs to.
    """
    for batch in batches:
        if batch.misfits:
            raise TableError([misfit.fault for misfit in batch.misfits])
        yield batch.columns


class TableWriter(Protocol):
    """Turns record batches into bytes."""

    def write(self, batch: pa.RecordBatch) -> bytes:
        """Return the bytes that are ready once this batch is written."""
        ...

    def finish(self) -> bytes:
        """Return the last bytes."""
        ...


Read = Callable[[IO[bytes], Select, ReadOptions], Iterator[Batch]]
Open = Callable[[pa.Schema], TableWriter]


@dataclass(frozen=True, slots=True)
class Codec:
    """How one format is recognised, read and written.

    Attributes:
        label: What a message calls a table in it.
        media_type: Its name in HTTP.
        suffixes: Ends of file names, the usual one first.
        magic: First bytes of every file, where there are any.
        read: Reads batches; None where it is only written.
        write: Opens a writer; None where it is only read.
    """

    label: str
    media_type: str
    suffixes: tuple[str, ...]
    magic: tuple[bytes, ...] = ()
    read: Read | None = None
    write: Open | None = None
