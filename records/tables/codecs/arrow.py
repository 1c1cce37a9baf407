"""Arrow: an IPC stream, or the stream within an IPC file."""

from collections.abc import Iterator
from typing import IO

import numpy as np
import pyarrow as pa

from records.tables.codecs.arrow_messages import MessageReader, check_stream
from records.tables.codecs.base import BATCH_ROWS, Batch, Select
from records.tables.codecs.limits import check_texts, sharing
from records.tables.codecs.streams import ArrowWriter
from records.tables.options import ReadOptions

FILE_MAGIC = b"ARROW1"
_PADDED_MAGIC = 8


def read(source: IO[bytes], select: Select, _options: ReadOptions) -> Iterator[Batch]:
    """Read a stream, each message checked before it is unpacked."""
    if isinstance(source, pa.NativeFile):
        # What is in memory already needs no copies.
        body = memoryview(source.read_buffer())
        if body[: len(FILE_MAGIC)] == FILE_MAGIC:
            body = body[_PADDED_MAGIC:]
        check_stream(body)
        file: pa.NativeFile = pa.BufferReader(pa.py_buffer(body))
    else:
        file = pa.PythonFile(MessageReader(source), mode="r")
    first = 1
    # Handing work to other threads takes longer than the work.
    with pa.ipc.open_stream(file, options=pa.ipc.IpcReadOptions(use_threads=False)) as reader:
        chosen = select(reader.schema)
        shares = [name for name in sharing(reader.schema) if name in chosen]
        for batch in reader:
            columns = batch.select(chosen)
            # Offsets and text come from outside: nothing may point beyond its buffer.
            columns.validate(full=True)
            for part in in_rows(columns, shares):
                yield Batch(part, np.arange(first, first + part.num_rows))
                first += part.num_rows


def open_writer(schema: pa.Schema) -> ArrowWriter:
    """Begin a stream."""
    return ArrowWriter(lambda sink: pa.ipc.new_stream(sink, schema))


class WholeWriter:
    """Writes a small stream in memory, without a step back into Python for every buffer."""

    def __init__(self, schema: pa.Schema) -> None:
        self._sink = pa.BufferOutputStream()
        self._writer = pa.ipc.new_stream(self._sink, schema)

    def write(self, batch: pa.RecordBatch) -> bytes:
        """Write a batch; the bytes come at the end."""
        self._writer.write_batch(batch)
        return b""

    def finish(self) -> bytes:
        """Return all bytes."""
        self._writer.close()
        written: bytes = self._sink.getvalue().to_pybytes()
        return written


def in_rows(batch: pa.RecordBatch, shares: list[str]) -> Iterator[pa.RecordBatch]:
    """Cut a batch: many rows can stand in few bytes."""
    for start in range(0, batch.num_rows, BATCH_ROWS):
        part = batch if batch.num_rows <= BATCH_ROWS else batch.slice(start, BATCH_ROWS)
        check_texts(part, shares)
        yield _without_views(part, shares)


def _without_views(batch: pa.RecordBatch, shares: list[str]) -> pa.RecordBatch:
    """Copy views of text, once that is known to fit: most of pyarrow.compute takes none."""
    for name in shares:
        column = batch.column(name)
        if pa.types.is_string_view(column.type):
            column = column.cast(pa.string())
        elif pa.types.is_string_view(column.type.value_type):
            words = column.dictionary.cast(pa.string())
            column = pa.DictionaryArray.from_arrays(column.indices, words)
        else:
            continue
        batch = batch.set_column(batch.schema.get_field_index(name), name, column)
    return batch
