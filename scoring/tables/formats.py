"""Read tables of students from bytes, and write tables of assessments as bytes, piece by piece.

Four formats hold a table: Arrow's IPC stream, Parquet, CSV and (written only) JSON lines. Memory
holds a batch at a time, never a whole table, whatever it was packed with.
"""

import io
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import IO, Protocol

import msgspec
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from records.contract import RESERVED
from scoring.tables.arrow_messages import MessageReader, check_stream
from scoring.tables.intake import TableError
from scoring.tables.limits import BATCH_ROWS, MalformedError, check_texts, sharing
from scoring.tables.parquet_pages import check_footer, check_row_group, read_row_groups

# Of a CSV file; a batch of an Arrow stream comes as its writer cut it.
_BLOCK_BYTES = 2**20
# Parquet is read in such pieces, not a column of a row group at once.
_READ_BYTES = 2**18


class TableFormat(StrEnum):
    """How a table is written down; the value is what the command line calls it."""

    ARROW = "arrow"
    PARQUET = "parquet"
    CSV = "csv"
    JSON_LINES = "jsonl"


Check = Callable[[pa.Schema], list[str]]


def read_batches(
    source: IO[bytes], kind: TableFormat, check: Check, columns: tuple[str, ...]
) -> Iterator[pa.RecordBatch]:
    """Read a table batch by batch.

    Args:
        source: Bytes; seekable for Parquet, whose end tells where everything is. A file of Arrow's
            own where they are in memory already.
        kind: Not JSON lines.
        check: Returns the columns to read of a schema, or refuses it.
        columns: Names that a table may have; in CSV these are read as text.

    Raises:
        TableError: It is no such table, or a damaged one; a part of it unpacks to more than memory
            may hold; what `check` raises.
    """
    try:
        if kind is TableFormat.ARROW:
            yield from _arrow(source, check)
        elif kind is TableFormat.PARQUET:
            yield from _parquet(source, check)
        else:
            yield from _csv(source, check, columns)
    except (pa.ArrowException, MalformedError, UnicodeDecodeError, OSError) as error:
        # Arrow's own words may quote a cell.
        message = f"The table cannot be read as {_NAMES[kind]}, or is damaged."
        raise TableError(None, "malformed_table", message) from error


def count_rows(body: bytes, kind: TableFormat) -> int:
    """Return how many rows a table in memory has, CSV by its lines; 0 where it is none.

    Raises:
        TableError: A part of it unpacks to more than memory may hold.
    """
    try:
        if kind is TableFormat.ARROW:
            return check_stream(memoryview(body))
        if kind is TableFormat.PARQUET:
            check_footer(io.BytesIO(body))
            return int(pq.read_metadata(pa.BufferReader(body)).num_rows)
    except (pa.ArrowException, MalformedError, UnicodeDecodeError, OSError):
        return 0  # `read_batches` says so
    return body.count(b"\n")


_NAMES = {
    TableFormat.ARROW: "an Arrow IPC stream",
    TableFormat.PARQUET: "Parquet",
    TableFormat.CSV: "CSV in UTF-8 with a header and commas",
}


def _arrow(source: IO[bytes], check: Check) -> Iterator[pa.RecordBatch]:
    if isinstance(source, pa.NativeFile):
        # What is in memory already needs no copies.
        check_stream(memoryview(source.read_buffer()))
        source.seek(0)
        file = source
    else:
        file = pa.PythonFile(MessageReader(source), mode="r")
    # Handing work to other threads takes longer than the work.
    with pa.ipc.open_stream(file, options=pa.ipc.IpcReadOptions(use_threads=False)) as reader:
        kept = check(reader.schema)
        shares = [name for name in sharing(reader.schema) if name in kept]
        for batch in reader:
            chosen = batch.select(kept)
            # Offsets and text come from outside: nothing may point beyond its buffer.
            chosen.validate(full=True)
            yield from _in_rows(chosen, shares)


def _parquet(source: IO[bytes], check: Check) -> Iterator[pa.RecordBatch]:
    check_footer(source)
    with pq.ParquetFile(source, pre_buffer=False, buffer_size=_READ_BYTES) as file:
        kept = check(file.schema_arrow)
        metadata = file.metadata
    groups = read_row_groups(source)
    if len(groups) != metadata.num_row_groups:
        raise MalformedError
    text = [name for name in kept if _is_packed_text(metadata, name)]
    # A dictionary stays one: with a copy for each cell, a long text could fill the memory.
    options = {"pre_buffer": False, "buffer_size": _READ_BYTES, "read_dictionary": text}
    with pq.ParquetFile(source, metadata=metadata, **options) as file:
        shares = [name for name in sharing(file.schema_arrow) if name in kept]
        for group, chunks in enumerate(groups):
            check_row_group(source, chunks, kept)
            reading = file.iter_batches(BATCH_ROWS, [group], columns=kept, use_threads=False)
            for batch in reading:
                chosen = batch.select(kept)
                chosen.validate(full=True)
                yield from _in_rows(chosen, shares)


def _is_packed_text(metadata: pq.FileMetaData, name: str) -> bool:
    schema = metadata.schema
    found = next((at for at in range(len(schema)) if schema.column(at).path == name), None)
    return found is not None and schema.column(found).physical_type == "BYTE_ARRAY"


def _in_rows(batch: pa.RecordBatch, shares: list[str]) -> Iterator[pa.RecordBatch]:
    """Cut a batch: in few bytes, many rows can stand."""
    for start in range(0, batch.num_rows, BATCH_ROWS):
        part = batch if batch.num_rows <= BATCH_ROWS else batch.slice(start, BATCH_ROWS)
        check_texts(part, shares)
        yield _without_views(part, shares)


def _without_views(batch: pa.RecordBatch, shares: list[str]) -> pa.RecordBatch:
    """Write views of text out, once that is known to fit: most of pyarrow.compute takes none."""
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


def _csv(source: IO[bytes], check: Check, columns: tuple[str, ...]) -> Iterator[pa.RecordBatch]:
    ragged: list[pa_csv.InvalidRow] = []

    def note(row: pa_csv.InvalidRow) -> str:
        ragged.append(row)
        return "skip"

    with pa_csv.open_csv(
        source if isinstance(source, pa.NativeFile) else pa.PythonFile(source, mode="r"),
        read_options=pa_csv.ReadOptions(block_size=_BLOCK_BYTES, use_threads=False),
        parse_options=pa_csv.ParseOptions(newlines_in_values=True, invalid_row_handler=note),
        convert_options=pa_csv.ConvertOptions(
            column_types=dict.fromkeys((*RESERVED, *columns), pa.string()), null_values=[]
        ),
    ) as reader:
        kept = check(reader.schema)
        for batch in reader:
            _refuse_ragged(ragged)
            yield batch.select(kept)
        _refuse_ragged(ragged)


def _refuse_ragged(rows: list[pa_csv.InvalidRow]) -> None:
    if rows:
        first = rows[0]
        where = f"Line {first.number}" if first.number else "A line"
        message = (
            f"{where} has {first.actual_columns} cells and the header {first.expected_columns}; "
            "its student cannot be told. Write every cell, empty where missing."
        )
        raise TableError(None, "ragged_row", message)


class TableWriter(Protocol):
    """Turns record batches into bytes."""

    def write(self, batch: pa.RecordBatch) -> bytes:
        """Return the bytes that are ready once this batch is written."""
        ...

    def finish(self) -> bytes:
        """Return the last bytes."""
        ...


def open_writer(kind: TableFormat, schema: pa.Schema, *, whole: bool = False) -> TableWriter:
    """Begin a table.

    In CSV, and there only, lists stand as JSON text in their cells.

    Args:
        kind: Format to write.
        schema: Of every batch.
        whole: Keep everything until the end, which is faster for a small table.
    """
    if kind is TableFormat.ARROW and whole:
        return _WholeArrow(schema)
    if kind is TableFormat.ARROW:
        return _Writer(lambda sink: pa.ipc.new_stream(sink, schema))
    if kind is TableFormat.PARQUET:
        return _Writer(lambda sink: pq.ParquetWriter(sink, schema, compression="zstd"))
    if kind is TableFormat.CSV:
        return _CsvWriter(schema)
    return _JsonLines()


class _Sink(io.RawIOBase):
    """Collects what is written until it is taken."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        part = bytes(memoryview(data))  # type: ignore[arg-type]
        self._parts.append(part)
        self._size += len(part)
        return len(part)

    def tell(self) -> int:
        return self._size

    def take(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)


class _ArrowWriter(Protocol):
    def write(self, batch: pa.RecordBatch) -> None: ...

    def close(self) -> None: ...


class _Writer:
    """A writer of pyarrow's, its bytes taken as they come."""

    def __init__(self, begin: Callable[[pa.NativeFile], _ArrowWriter]) -> None:
        self._sink = _Sink()
        self._file = pa.PythonFile(self._sink, mode="w")
        self._writer = begin(self._file)

    def write(self, batch: pa.RecordBatch) -> bytes:
        self._writer.write(batch)
        return self._sink.take()

    def finish(self) -> bytes:
        self._writer.close()
        return self._sink.take()


class _WholeArrow:
    """Arrow written in memory, without a step back into Python for every buffer."""

    def __init__(self, schema: pa.Schema) -> None:
        self._sink = pa.BufferOutputStream()
        self._writer = pa.ipc.new_stream(self._sink, schema)

    def write(self, batch: pa.RecordBatch) -> bytes:
        self._writer.write_batch(batch)
        return b""

    def finish(self) -> bytes:
        self._writer.close()
        written: bytes = self._sink.getvalue().to_pybytes()
        return written


class _CsvWriter(_Writer):
    def __init__(self, schema: pa.Schema) -> None:
        flat = pa.schema([pa.field(one.name, _flat(one.type)) for one in schema])
        super().__init__(lambda sink: pa_csv.CSVWriter(sink, flat))
        self._schema = flat

    def write(self, batch: pa.RecordBatch) -> bytes:
        return super().write(
            pa.RecordBatch.from_arrays(
                [_flattened(column) for column in batch.columns], schema=self._schema
            )
        )


class _JsonLines:
    def write(self, batch: pa.RecordBatch) -> bytes:
        return msgspec.json.Encoder().encode_lines(batch.to_pylist())

    def finish(self) -> bytes:
        return b""


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
