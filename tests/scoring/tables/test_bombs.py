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
from scoring.tables.arrow_messages import MessageReader, check_stream
from scoring.tables.formats import TableFormat, count_rows, read_batches
from scoring.tables.intake import TableError, TableIntake
from scoring.tables.limits import BATCH_BYTES, TOGETHER_BYTES, MalformedError
from scoring.tables.parquet_thrift import I32, I64, Compact
from tests.conftest import REPOSITORY

INTAKE = TableIntake(load_contract("simulated"))
GIB, MOST_MIB = 2**30, 200
# Reads each file that it is given; says why it stopped, and how much memory that took.
READ = """
import json, resource, sys
import pyarrow as pa
from records.contract import load_contract
from scoring.tables.formats import TableFormat, read_batches
from scoring.tables.intake import TableError, TableIntake

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

def read(source, kind):
    try:
        for _ in read_batches(source, kind, intake.check, intake.columns):
            pass
    except TableError as error:
        return error.code

intake = TableIntake(load_contract("simulated"))
warm = pa.BufferReader(pa.py_buffer(open(sys.argv[1], "rb").read()))
read(warm, TableFormat(sys.argv[1].rpartition(".")[2]))
before, codes = peak(), {}
for name in sys.argv[2:]:
    kind = TableFormat(name.rpartition(".")[2])
    with open(name, "rb") as file:
        codes[name] = [read(file, kind), read(pa.BufferReader(open(name, "rb").read()), kind)]
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
    told = json.loads(done.stdout)

    codes = {Path(name).name: found for name, found in told["codes"].items()}
    expected = {name: ["batch_too_large"] * 2 for name in BOMBS}
    expected["prefix.parquet"] = ["unsupported_encoding"] * 2
    assert codes == expected
    assert told["grown"] < MOST_MIB


def test_text_that_many_cells_look_at_is_refused() -> None:
    with pytest.raises(TableError, match="ids, levels and numbers are short"):
        _read(arrow(shared_view(100)), TableFormat.ARROW)
    (batch,) = _read(arrow(shared_view(10, size=100)), TableFormat.ARROW)
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


def _read(body: bytes, kind: TableFormat, *, whole: bool = False) -> list[pa.RecordBatch]:
    source = pa.BufferReader(body) if whole else io.BytesIO(body)
    return list(read_batches(source, kind, INTAKE.check, INTAKE.columns))


EXPECTED = {
    *("malformed_table", "batch_too_large", "unsupported_encoding"),
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
    st.sampled_from(["none", "zstd", "gzip", "snappy", "lz4"]),
    st.sampled_from(["1.0", "2.0"]),
    st.booleans(),
)
def test_an_honest_file_is_read_whatever_packs_it(
    table: pa.Table, compression: str, version: str, dictionary: bool
) -> None:
    body = parquet(
        table,
        compression=compression,
        data_page_version=version,
        use_dictionary=dictionary,
        row_group_size=70,
        data_page_size=200,
    )
    read = pa.Table.from_batches(_read(body, TableFormat.PARQUET)).unify_dictionaries()
    assert read["id"].cast(pa.string()).to_pylist() == table["id"].cast(pa.string()).to_pylist()
    assert read["quiz"].to_pylist() == table["quiz"].to_pylist()
    assert count_rows(body, TableFormat.PARQUET) == table.num_rows


@given(
    TABLES,
    st.sampled_from([TableFormat.ARROW, TableFormat.PARQUET]),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1),
    st.booleans(),
)
def test_damaged_bytes_are_refused_and_nothing_else_happens(
    table: pa.Table, kind: TableFormat, changes: list[tuple[float, int]], whole: bool
) -> None:
    body = arrow(table, compression="zstd") if kind is TableFormat.ARROW else parquet(table)
    damaged = bytearray(body)
    for place, byte in changes:
        damaged[int(place * len(damaged))] = byte
    try:
        _read(bytes(damaged), kind, whole=whole)
        count_rows(bytes(damaged), kind)
    except TableError as error:
        told = error.code
    else:
        told = "nothing"
    assert told in {*EXPECTED, "nothing"}


# Damages each byte of a file's end in turn, and reads what is left.
DAMAGE = """
import sys
import pyarrow as pa
from records.contract import load_contract
from scoring.tables.formats import TableFormat, count_rows, read_batches
from scoring.tables.intake import TableError, TableIntake

intake = TableIntake(load_contract("simulated"))
whole = open(sys.argv[1], "rb").read()
end, refused = len(whole) - 8, 0
for at in range(end - int.from_bytes(whole[end : end + 4], "little"), end):
    for flipped in (1, 2, 16):
        body = bytearray(whole)
        body[at] ^= flipped
        try:
            count_rows(bytes(body), TableFormat.PARQUET)
            source = pa.BufferReader(bytes(body))
            for _ in read_batches(source, TableFormat.PARQUET, intake.check, intake.columns):
                pass
        except TableError:
            refused += 1
print(refused)
"""


def test_no_damage_to_a_file_s_end_ends_the_process(tmp_path: Path) -> None:
    file = tmp_path / "table.parquet"
    table = pa.table({"id": ["a", "a", "b"], "period": [1, 2, 1], "quiz": [1.5, None, 2.5]})
    # What pyarrow writes about itself, thousands of bytes, matters to nobody.
    pq.write_table(table, file, store_schema=False)
    done = subprocess.run(
        [sys.executable, "-c", DAMAGE, str(file)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 100


@pytest.mark.parametrize(
    "data",
    [
        b"\x15\x02\x05\x02\x02\x00",  # field 1 twice: which one counts?
        b"\x16\x02\x00",  # field 1 as a longer number than it should be: passed over by some
        b"\x15\x82\x80\x80\x80\x20\x00",  # 2^32 + 1: cut to 1 by some
        b"\x25" + b"\xff" * 9 + b"\x03\x00",  # more than 64 bits
        b"\x15\x02",  # without an end
    ],
)
def test_what_readers_could_take_differently_is_malformed(data: bytes) -> None:
    with pytest.raises(MalformedError):
        Compact(data).struct({1: I32, 2: I64})


def test_a_struct_is_read_as_far_as_it_is_wanted() -> None:
    data = b"\x15\x02\x19\x2c\x16\x03\x00\x16\x06\x00\x18\x01x\x00"
    assert Compact(data).struct({1: I32}) == {1: 1}
    assert Compact(data).struct({2: [{1: I64}]}) == {2: [{1: -2}, {1: 3}]}
