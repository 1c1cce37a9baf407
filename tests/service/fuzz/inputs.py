"""Hostile bodies and tables, made from valid ones and a seed."""

import copy
import io
import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

# A student's value that no answer, message or log may repeat. Ids and names of fields are echoed.
SECRET_TEXT, SECRET_NUMBER = "sekret-9f3b", 987_654_321_012
JSON, CSV = "application/json", "text/csv"
ARROW = "application/vnd.apache.arrow.stream"
MEDIA_TYPES = {"csv": CSV, "arrow": ARROW, "parquet": "application/vnd.apache.parquet"}
# Claimed for a body of another kind.
TYPES = (
    *(*MEDIA_TYPES.values(), JSON, "application/x-ndjson", "text/plain", "", 'a/b;c="'),
    *("application/vnd.bentoml+pickle", "multipart/form-data; boundary=x"),
)
FEATURES = ("attendance", "assignments", "internal_marks", "quiz", "engagement")
_SCALARS: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1.5, 1e308, -1e308, 10**40, 2**63, SECRET_NUMBER, SECRET_TEXT),
    *("", " ", "\u202e", "\x00", "NaN", "=1+1", [], {}, [[]], [[[]]] * 3, {"": {"": None}}),
)
_RAW = (b"NaN", b"Infinity", b"-0", b"1e999", b"\\ud800", b"\xff\xfe", b"\xef\xbb\xbf", b"\x00", b"[" * 3000,
        b'{"a":' * 2000, b"1" * 5000, b'"id":"x",', b",,", b"]", b"}", b"\r\n", b'"', b"'", b";")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Input:
    """A body.

    Attributes:
        body: Its bytes.
        media_type: What it claims to be.
        is_whole: Whether values stand where values belong: in a damaged body a value may have
            become a name or an id, which may be echoed.
    """

    body: bytes
    media_type: str
    is_whole: bool = True


def students(generator: random.Random, number: int) -> list[dict[str, Any]]:
    """Make up valid students with ids that tell whose they are."""
    return [
        {
            "id": f"fuzz-{generator.getrandbits(48):012x}",
            "periods": [
                {
                    "period": period,
                    **{
                        name: round(generator.uniform(0, 10), 2)
                        for name in FEATURES
                        if generator.random() < 0.8
                    },
                }
                for period in range(1, generator.randint(1, 8) + 1)
            ],
        }
        for _ in range(number)
    ]


def score_body(generator: random.Random) -> Input:
    """Make a body for `score`: valid, structurally wrong, or damaged."""
    request: dict[str, Any] = {"students": students(generator, generator.randint(0, 4))}
    for _ in range(generator.choice((0, 1, 1, 2, 5))):
        replace_node(generator, request)
    text = json.dumps(request, ensure_ascii=generator.random() < 0.5)
    body = text.encode("utf-8", "surrogatepass")
    if generator.random() < 0.4:
        return Input(damaged(generator, body), JSON, is_whole=False)
    return Input(body, JSON)


def replace_node(generator: random.Random, tree: Any) -> None:
    """Put something hostile in the place of some part of a JSON value."""
    name = None
    while True:
        if isinstance(tree, dict) and tree:
            key: Any = generator.choice(list(tree))
        elif isinstance(tree, list) and tree:
            key = generator.randrange(len(tree))
        else:
            return
        name = key if isinstance(key, str) else name
        if generator.random() < 0.4 or not isinstance(tree[key], dict | list) or not tree[key]:
            break
        tree = tree[key]
    if isinstance(tree, dict) and generator.random() < 0.2:
        tree[generator.choice(("", "quizz", "period", "ID", "\u00e9", "x" * 300))] = tree[key]
    else:
        new = copy.deepcopy(generator.choice(_SCALARS))
        # Ids are echoed, so that they are no place for what must not be.
        tree[key] = "" if name == "id" and new in (SECRET_TEXT, SECRET_NUMBER) else new


def damaged(generator: random.Random, body: bytes) -> bytes:
    """Delete, insert, repeat or change some bytes."""
    changed = bytearray(body)
    for _ in range(generator.randint(1, 4)):
        at = generator.randrange(len(changed) + 1)
        length = generator.choice((0, 1, 2, 7, 64))
        new = generator.choice((b"", generator.randbytes(generator.randint(1, 8)),
                                generator.choice(_RAW), bytes(changed[at : at + 40])))  # fmt: skip
        changed[at : at + length] = new
    if generator.random() < 0.2:
        del changed[generator.randrange(len(changed) + 1) :]
    return bytes(changed)


def table(generator: random.Random) -> pa.Table:
    """Make a table of students with hostile cells, columns and types."""
    rows = [
        {"id": one["id"], **period}
        for one in students(generator, generator.randint(0, 12))
        for period in one["periods"]
    ]
    names = ["id", "period", *FEATURES]
    if generator.random() < 0.3:
        generator.shuffle(rows)
    columns: dict[str, pa.Array] = {}
    for name in names:
        cells = [row.get(name) for row in rows]
        kind = generator.random()
        if kind < 0.1 and name != "id":
            cells = [SECRET_TEXT if generator.random() < 0.1 else str(cell) for cell in cells]
        elif kind < 0.15 and name != "id":
            cells = [SECRET_NUMBER if generator.random() < 0.1 else cell for cell in cells]
        array = pa.array(cells)
        if kind > 0.9:
            array = generator.choice(_CASTS)(array)
        columns[name] = array
    for name in list(columns):
        if generator.random() < 0.03:
            columns[generator.choice((name + " ", name.upper(), "", "x"))] = columns.pop(name)
    return pa.table(columns)


def _dictionary(array: pa.Array) -> pa.Array:
    return array.dictionary_encode()


def _nested(array: pa.Array) -> pa.Array:
    return pa.array([[cell] for cell in array.to_pylist()], pa.list_(array.type))


def _nulls(array: pa.Array) -> pa.Array:
    return pa.nulls(len(array))


def _texts(array: pa.Array) -> pa.Array:
    return pa.array([str(cell) for cell in array.to_pylist()], pa.large_string())


def _bytes(array: pa.Array) -> pa.Array:
    return pa.array([str(cell).encode() for cell in array.to_pylist()], pa.binary())


_CASTS: tuple[Callable[[pa.Array], pa.Array], ...] = (_dictionary, _nested, _nulls, _texts, _bytes)


def encoded(generator: random.Random, found: pa.Table, form: str) -> Input:
    """Write a table as `csv`, `arrow` or `parquet`, and perhaps damage it."""
    sink = io.BytesIO()
    if form == "csv":
        separator = generator.choice(",,,,;\t")
        lines = [separator.join(found.column_names)]
        lines += [
            separator.join("" if cell is None else str(cell) for cell in row.values())
            for row in found.to_pylist()
        ]
        ending = generator.choice(("\n", "\n", "\r\n", "\r"))
        encoding = generator.choice(("utf-8", "utf-8", "utf-16", "cp1252"))
        sink.write(ending.join(lines).encode(encoding, "replace"))
    elif form == "arrow":
        compression = generator.choice((None, "zstd", "lz4"))
        options = pa.ipc.IpcWriteOptions(compression=compression)
        with pa.ipc.new_stream(sink, found.schema, options=options) as writer:
            writer.write_table(found, max_chunksize=generator.choice((1, 7, 1000)))
    else:
        pq.write_table(found, sink, compression=generator.choice(("none", "snappy", "zstd")))
    body, media_type = sink.getvalue(), MEDIA_TYPES[form]
    if generator.random() < 0.4:
        return Input(damaged(generator, body), media_type, is_whole=False)
    return Input(body, media_type, is_whole=form != "csv")


def bulk_body(generator: random.Random) -> Input:
    """Make a body for `score/bulk`."""
    form = generator.choice(("csv", "arrow", "json"))
    if form == "json":
        found = students(generator, generator.randint(0, 5))
        columns = {
            "id": [one["id"] for one in found],
            "lengths": [len(one["periods"]) for one in found],
            "features": {
                name: [period.get(name) for one in found for period in one["periods"]]
                for name in FEATURES
            },
        }
        for _ in range(generator.choice((0, 1, 2))):
            replace_node(generator, columns)
        body = json.dumps(columns).encode("utf-8", "surrogatepass")
        if generator.random() < 0.3:
            return Input(damaged(generator, body), JSON, is_whole=False)
        return Input(body, JSON)
    return encoded(generator, table(generator), form)
