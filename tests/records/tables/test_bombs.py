"""Few bytes that stand for many: refused before they are unpacked, so that memory stays bounded."""

import io
import json
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from records.contract import load_contract
from records.errors import TableError
from records.tables.cells import CellReader
from records.tables.codecs.arrow_messages import MessageReader, check_stream
from records.tables.codecs.base import without_misfits
from records.tables.codecs.limits import BATCH_BYTES, TOGETHER_BYTES
from records.tables.formats import TableFormat, count_rows, open_table, read_batches
from records.tables.header import select_columns
from tests.conftest import REPOSITORY

READER = CellReader(load_contract("simulated"))
GIB, MAX_MIB = 2**30, 200
# Reads each file that it is given; prints why it stopped, and how much memory that took.
READ = """
import json, resource, sys
import pyarrow as pa
from pathlib import Path
from records.contract import load_contract
from records.errors import TableError
from records.tables.cells import CellReader
from records.tables.codecs.arrow_messages import MessageReader, check_stream
from records.tables.codecs.base import without_misfits
from records.tables.codecs.limits import BATCH_BYTES, TOGETHER_BYTES
from records.tables.formats import TableFormat, count_rows, open_table, read_batches
from records.tables.header import select_columns
from records.errors import TableError
from records.tables.cells import CellReader
from records.tables.header import select_columns

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

def read(batches):
    try:
        for _ in batches:
            pass
    except TableError as error:
        return error.code

reader = CellReader(load_contract("simulated"))
select = lambda schema: select_columns(reader, schema, every_feature=False)
read(open_table(Path(sys.argv[1]), select).batches)
before, codes = peak(), {}
for name in sys.argv[2:]:
    codes[name] = [read(open_table(Path(name), select).batches)]
    if name.endswith(".arrow"):
        body = pa.BufferReader(open(name, "rb").read())
        codes[name].append(read(read_batches(body, TableFormat.ARROW, select)))
print(json.dumps({"codes": codes, "grown": peak() - before}))
"""


def arrow(table: pa.Table, **options: Any) -> bytes:
    sink = io.BytesIO()
    written = pa.ipc.IpcWriteOptions(**options)
    with pa.ipc.new_stream(sink, table.schema, options=written) as writer:
        writer.write_table(table)
    return sink.getvalue()


def parquet(table: pa.Table, **options: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()


def zeros(size: int) -> pa.Table:
    """A table of `size` bytes of nothing."""
    nothing = pa.array(np.zeros(size // 16, np.int64))
    return pa.table({"id": nothing, "period": nothing})


def one_long_text(rows: int, size: int = 8 * 2**20) -> pa.Table:
    index = pa.array(np.zeros(rows, np.int8))
    text = pa.DictionaryArray.from_arrays(index, pa.array(["x" * size]))
    return pa.table({"id": text, "period": pa.array(np.ones(rows, np.int8))})


def shared_view(rows: int, size: int = 8 * 2**20) -> pa.Table:
    views = struct.pack("<i4sii", size, b"yyyy", 0, 0) * rows
    buffers = [None, pa.py_buffer(views), pa.py_buffer(b"y" * size)]
    text = pa.Array.from_buffers(pa.string_view(), rows, buffers)
    return pa.table({"id": text, "period": pa.array(np.ones(rows, np.int8))})


ONE_PAGE: dict[str, Any] = {
    "use_dictionary": False,
    "data_page_size": GIB,
    "row_group_size": GIB,
    "write_batch_size": GIB,
    "max_rows_per_page": GIB,
}
BOMBS: dict[str, Callable[[], bytes]] = {
    "zstd.arrow": lambda: arrow(zeros(GIB), compression="zstd"),
    "lz4.arrow": lambda: arrow(zeros(GIB // 4), compression="lz4"),
    "dictionary.arrow": lambda: arrow(one_long_text(1000), compression="zstd"),
    "zstd.parquet": lambda: parquet(zeros(GIB // 4), compression="zstd", **ONE_PAGE),
    "gzip.parquet": lambda: parquet(zeros(GIB // 16), compression="gzip", **ONE_PAGE),
    "dictionary.parquet": lambda: parquet(
        one_long_text(10_000), compression="zstd", dictionary_pagesize_limit=GIB
    ),
    "prefix.parquet": lambda: parquet(
        one_long_text(100).cast(pa.schema([("id", pa.string()), ("period", pa.int8())])),
        compression="zstd",
        use_dictionary=False,
        column_encoding={"id": "DELTA_BYTE_ARRAY"},
    ),
}


def test_no_bomb_fills_the_memory(tmp_path: Path) -> None:
    small = tmp_path / "small.arrow"
    small.write_bytes(arrow(pa.table({"id": ["a"], "period": [1]}), compression="zstd"))
    for name, make in BOMBS.items():
        (tmp_path / name).write_bytes(make())
        assert (tmp_path / name).stat().st_size < 2 * 2**20, name
    done = subprocess.run(
        [sys.executable, "-c", READ, str(small), *(str(tmp_path / name) for name in BOMBS)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)

    for name, codes in printed["codes"].items():
        # A process of its own, with a limit, unpacks Parquet: this one gets a batch at a time.
        allowed = {None, "malformed_table", "batch_too_large"}
        assert set(codes) <= (allowed if name.endswith(".parquet") else {"batch_too_large"}), name
    assert printed["grown"] < MAX_MIB


def test_text_that_many_cells_look_at_is_refused() -> None:
    with pytest.raises(TableError, match="ids, levels and numbers are short"):
        _read(arrow(shared_view(100)))
    (batch,) = _read(arrow(shared_view(10, size=100)))
    assert batch.column("id").to_pylist() == ["y" * 100] * 10


def test_dictionaries_that_grow_for_ever_are_refused() -> None:
    part = BATCH_BYTES - 2**20
    words = pa.array([chr(97 + at) * part for at in range(TOGETHER_BYTES // part + 2)])
    sink = io.BytesIO()
    kind = pa.schema([("id", pa.dictionary(pa.int8(), pa.string())), ("period", pa.int8())])
    options = pa.ipc.IpcWriteOptions(compression="zstd", emit_dictionary_deltas=True)
    with pa.ipc.new_stream(sink, kind, options=options) as writer:
        for at in range(len(words)):
            known = words.slice(0, at + 1)
            text = pa.DictionaryArray.from_arrays(pa.array([at], pa.int8()), known)
            writer.write_batch(
                pa.RecordBatch.from_arrays([text, pa.array([1], pa.int8())], schema=kind)
            )
    with pytest.raises(TableError, match="What the dictionaries hold"):
        check_stream(memoryview(sink.getvalue()))


def _select(schema: pa.Schema) -> list[str]:
    return select_columns(READER, schema, every_feature=False)


def _read(body: bytes, *, whole: bool = False) -> list[pa.RecordBatch]:
    source = pa.BufferReader(body) if whole else io.BytesIO(body)
    return list(without_misfits(read_batches(source, TableFormat.ARROW, _select)))


EXPECTED = {
    *("malformed_table", "batch_too_large", "missing_header"),
    *("unknown_field", "missing_field", "wrong_type", "duplicate_field"),
}
TABLES = st.builds(
    lambda ids, seed: pa.table(
        {
            "id": pa.array([f"s-{one}" for one in ids]).dictionary_encode(),
            "period": pa.array([1] * len(ids), pa.int16()),
            "quiz": pa.array(np.random.default_rng(seed).normal(60, 20, len(ids))),
        }
    ),
    st.lists(st.integers(0, 30), min_size=1, max_size=300),
    st.integers(0, 9),
)


@given(TABLES, st.sampled_from([None, "zstd", "lz4"]), st.lists(st.integers(1, 5000), min_size=1))
def test_a_stream_is_handed_on_as_it_is(
    table: pa.Table, compression: str | None, sizes: list[int]
) -> None:
    body = arrow(table, compression=compression)
    reader, parts, at = MessageReader(io.BytesIO(body)), [], 0
    while part := reader.read(sizes[at % len(sizes)]):
        assert len(part) <= sizes[at % len(sizes)]
        parts.append(part)
        at += 1
    assert b"".join(parts) == body
    assert check_stream(memoryview(body)) == table.num_rows


@given(
    TABLES,
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1),
    st.booleans(),
)
def test_damaged_streams_are_refused_and_nothing_else_happens(
    table: pa.Table, changes: list[tuple[float, int]], whole: bool
) -> None:
    damaged = bytearray(arrow(table, compression="zstd"))
    for place, byte in changes:
        damaged[int(place * len(damaged))] = byte
    try:
        _read(bytes(damaged), whole=whole)
        count_rows(bytes(damaged), TableFormat.ARROW)
    except TableError as error:
        assert error.code in EXPECTED  # noqa: PT017 - no error is right as well


@pytest.mark.parametrize("compression", ["none", "zstd", "gzip", "snappy", "lz4"])
@pytest.mark.parametrize("dictionary", [True, False])
def test_an_honest_parquet_file_is_read_whatever_packs_it(
    tmp_path: Path, compression: str, dictionary: bool
) -> None:
    table = pa.table(
        {
            "id": pa.array([f"s-{at // 3}" for at in range(300)]).dictionary_encode(),
            "period": pa.array([1, 2, 3] * 100, pa.int16()),
            "quiz": pa.array([None, *(float(at) for at in range(299))]),
        }
    )
    options = {"compression": compression, "use_dictionary": dictionary}
    body = parquet(table, **options, row_group_size=70, data_page_size=200)
    read = _parquet(tmp_path, body)
    assert read["id"].cast(pa.string()).to_pylist() == table["id"].cast(pa.string()).to_pylist()
    assert read["quiz"].to_pylist() == table["quiz"].to_pylist()


def _parquet(folder: Path, body: bytes) -> pa.Table:
    file = folder / "table.parquet"
    file.write_bytes(body)
    return pa.Table.from_batches(without_misfits(open_table(file, _select).batches))


def test_damage_to_a_parquet_file_is_refused_and_ends_only_the_child(tmp_path: Path) -> None:
    table = pa.table({"id": ["a", "a", "b"], "period": [1, 2, 1], "quiz": [1.5, None, 2.5]})
    body = parquet(table, store_schema=False)
    size = int.from_bytes(body[-8:-4], "little")
    refused = 0
    for at in range(len(body) - 8 - size, len(body) - 8, max(1, size // 12)):
        for flipped in (1, 2, 16):
            damaged = bytearray(body)
            damaged[at] ^= flipped
            try:
                _parquet(tmp_path, bytes(damaged))
            except TableError as error:
                assert error.code in EXPECTED  # noqa: PT017 - some damage changes nothing
                refused += 1
    assert refused > 12
