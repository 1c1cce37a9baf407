"""Whole cohorts in and out over HTTP give what single students give."""

import asyncio
import io
import json
from collections.abc import Iterator, Sequence
from typing import Any

import httpx
import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from records.load import load_cohort
from records.tables.formats import TableFormat
from scoring.steps import finish
from scoring.students.writing import students_of
from service.bulk.columnar_decoder import ColumnarReader
from service.bulk.pending import BulkRequest
from service.bulk.streams import RequestStream
from service.http.problems import RequestError
from service.responder import Responder
from tests.scoring.arrow_tables import as_table
from tests.scoring.mixed import INTAKE, MIXED
from tests.scoring.tables.test_intake import STUDENTS, assert_same
from tests.service.bulk_responders import bulk_of

ARROW = "application/vnd.apache.arrow.stream"
PARQUET = "application/vnd.apache.parquet"
BAD = {"id": "bad", "periods": [{"period": 1, "quiz": 130.0}]}
READER = ColumnarReader(MIXED, 100)


def columns_of(students: Sequence[dict[str, Any]], features: Sequence[str]) -> dict[str, Any]:
    """Students as columnar JSON."""
    rows = [period for one in students for period in one["periods"]]
    return {
        "id": [one["id"] for one in students],
        "lengths": [len(one["periods"]) for one in students],
        "period": [row["period"] for row in rows],
        "features": {name: [row.get(name) for row in rows] for name in features},
    }


@pytest.fixture(scope="module")
def students() -> list[dict[str, Any]]:
    drawn = students_of(load_cohort("simulated", students=40, seed=3).at(6))
    return [*drawn[:20], BAD, *drawn[20:]]


@pytest.fixture(scope="module")
def table(students: list[dict[str, Any]], responder: Responder) -> pa.Table:
    return as_table(responder.bundle.contract, students)


def arrow(table: pa.Table, rows: int = 50) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=rows)
    return sink.getvalue()


def read(body: bytes) -> pa.Table:
    return pa.ipc.open_stream(body).read_all()


def bulk(
    http: httpx.Client, body: bytes, kind: str, query: str = "", **head: str
) -> httpx.Response:
    return http.post(f"/score/bulk{query}", content=body, headers={"content-type": kind, **head})


def single(http: httpx.Client, students: Sequence[Any]) -> dict[str, Any]:
    """The answer of `score`, by id."""
    answer = http.post("/score", json={"students": students}).json()
    return {one["id"]: one for one in answer["assessments"]}


@given(STUDENTS)
def test_columns_of_json_are_admitted_as_rows_of_json(students: list[dict[str, Any]]) -> None:
    body = json.dumps(columns_of(students, MIXED.feature_names)).encode()
    ids, admission = finish(READER.read(body))

    # An absent feature is null here, which says the same.
    filled = [
        {
            **one,
            "periods": [
                {"period": 0, **dict.fromkeys(MIXED.feature_names), **row} for row in one["periods"]
            ],
        }
        for one in students
    ]
    assert ids == [one["id"] for one in students]
    assert_same(admission, INTAKE.read(filled))


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({"lengths": [1], "features": {}}, "id", "missing_field"),
        ({"id": ["a"], "lengths": [1], "features": {}, "x": 1}, "x", "unknown_field"),
        ({"id": ["a"], "lengths": [1], "features": {"x": [1]}}, "features.x", "unknown_field"),
        ({"id": ["a"], "lengths": [1, 1], "features": {}}, "lengths", "wrong_length"),
        ({"id": ["a"], "lengths": [-1], "features": {}}, "lengths", "wrong_type"),
        (
            {"id": ["a"], "lengths": [2], "features": {"clicks": [1]}},
            "features.clicks",
            "wrong_length",
        ),
        ({"id": ["a"], "lengths": [1], "features": {"clicks": 1}}, "features.clicks", "wrong_type"),
        ({"id": ["a"], "lengths": [1], "features": {"clicks": 0}}, "features.clicks", "wrong_type"),
        (
            {"id": ["a"], "lengths": [1], "features": {"clicks": False}},
            "features.clicks",
            "wrong_type",
        ),
        ({"id": [], "lengths": [], "features": {}}, "id", "empty_list"),
        # Sixty bytes that stand for billions of rows.
        ({"id": ["a"], "lengths": [2**31], "features": {}}, "lengths", "out_of_range"),
        ({"id": ["a"], "lengths": [2**62], "features": {}}, "lengths", "out_of_range"),
        (
            {"id": ["a", "b"], "lengths": [1, 2**31], "features": {"clicks": None}},
            "lengths",
            "out_of_range",
        ),
        ({"id": ["a"] * 101, "lengths": [1] * 101, "features": {}}, "id", "too_many_students"),
    ],
)
def test_columns_that_do_not_fit_together_are_refused(body: Any, field: str, code: str) -> None:
    with pytest.raises(RequestError) as caught:
        finish(READER.read(json.dumps(body).encode()))
    (fault,) = caught.value.details.errors
    assert (fault.field, fault.code) == (field, code)


@pytest.mark.parametrize("kind", [ARROW, "text/csv"])
def test_a_table_is_answered_as_its_students_are_one_by_one(
    http: httpx.Client, students: list[dict[str, Any]], table: pa.Table, kind: str
) -> None:
    sink = io.BytesIO()
    if kind == "text/csv":
        pa_csv.write_csv(table, sink)
    body = arrow(table) if kind == ARROW else sink.getvalue()
    answer = bulk(http, body, kind, accept=ARROW)

    assert answer.status_code == 200, answer.text
    rows = read(answer.content).to_pylist()
    known = single(http, students)
    assert [row["id"] for row in rows] == [one["id"] for one in students]
    for row in rows:
        if row["id"] == "bad":
            assert row["status"] == "refused"
            assert [one["field"] for one in row["errors"]] == ["periods[0].quiz"]
        else:
            one = known[row["id"]]
            assert (row["status"], row["tier"], row["since"]) == (
                one["status"],
                one["tier"],
                one["since"],
            )
            assert row["risk"] == pytest.approx(one["risk"], abs=1e-5)
            assert [said["rule"] for said in row["recommendations"]] == [
                said["rule"] for said in one["recommendations"]
            ]


@pytest.mark.parametrize(
    "kind",
    [
        pa.large_string(),
        pa.string_view(),
        pa.dictionary(pa.int16(), pa.string()),
        pa.dictionary(pa.int32(), pa.large_string()),
        pa.dictionary(pa.int32(), pa.string_view()),
    ],
    ids=str,
)
def test_text_of_every_type_says_the_same(
    responder: Responder, table: pa.Table, kind: pa.DataType
) -> None:
    def said(sent: pa.Table) -> bytes:
        request = BulkRequest(TableFormat.ARROW, None, whole=True)
        return b"".join(bulk_of(responder).answer(pa.BufferReader(arrow(sent)), request))

    for name in ("id", "period", "quiz"):
        at = table.schema.get_field_index(name)
        plain = table.column(at).combine_chunks().cast(pa.string())
        text: Any = _dictionary(plain, kind) if pa.types.is_dictionary(kind) else plain.cast(kind)
        assert said(table.set_column(at, name, text)) == said(table), name


def _dictionary(plain: pa.Array, kind: pa.DataType) -> pa.Array:
    encoded = plain.dictionary_encode()
    indices = encoded.indices.cast(kind.index_type)
    return pa.DictionaryArray.from_arrays(indices, encoded.dictionary.cast(kind.value_type))


@pytest.mark.parametrize("query", ["", "?recommendations=false&forecast=false"])
def test_columns_of_json_hold_what_the_table_holds(
    http: httpx.Client, students: list[dict[str, Any]], table: pa.Table, query: str
) -> None:
    names = ["attendance", "assignments", "internal_marks", "quiz", "engagement"]
    body = json.dumps(columns_of(students, names)).encode()
    said = bulk(http, body, "application/json", query).json()
    rows = read(bulk(http, arrow(table), ARROW, query).content).to_pylist()
    same = bulk(http, arrow(table), ARROW, query, accept="application/json").json()

    for answer in (said, same):
        assert answer["model"] == http.get("/model").json()["model"]
        for name in ("id", "status", "period", "tier", "since", "trajectory", "observed_share"):
            assert answer[name] == [row[name] for row in rows], name
        assert answer["risk"] == pytest.approx([row["risk"] for row in rows], abs=1e-5, nan_ok=True)
        assert answer["forecast"]["score"] == [row["forecast_score"] for row in rows]
        advice = answer["recommendations"]
        told = [
            (row["row"], one["rule"], one["measured"])
            for row in rows
            for one in row["recommendations"]
        ]
        assert list(zip(advice["row"], advice["rule"], advice["measured"], strict=True)) == told
        assert [(one["row"], one["field"]) for one in answer["errors"]] == [(20, "periods[0].quiz")]


def test_answers_come_as_lines_and_as_csv(http: httpx.Client, table: pa.Table) -> None:
    lines = bulk(http, arrow(table), ARROW, accept="application/x-ndjson")
    assert len([json.loads(line) for line in lines.text.splitlines()]) == 41
    cells = bulk(http, arrow(table), ARROW, accept="text/csv")
    assert cells.headers["content-type"] == "text/csv"
    assert len(cells.text.splitlines()) == 42


def test_the_model_stands_in_the_table(http: httpx.Client, table: pa.Table) -> None:
    said = read(bulk(http, arrow(table), ARROW).content).schema.metadata[b"bellwether.model"]
    assert msgspec.json.decode(said) == http.get("/model").json()["model"]


@pytest.mark.parametrize(
    ("body", "kind", "head", "query", "refused"),
    [
        (b"", ARROW, {}, "", (400, "malformed_table")),
        (b"{", "application/json", {}, "", (400, "malformed_json")),
        (b"id,period,quizz\na,1,3\n", "text/csv", {}, "", (422, "unknown_field")),
        (b"id,period\na,1\nb,1\na,2\n", "text/csv", {}, "", (422, "unsorted_table")),
        (b"id,period\n", "text/csv", {}, "", (422, "empty_table")),
        (b"id,period\na,1\n", "text/csv", {}, "?forecasts=false", (422, "unknown_field")),
        (b"id,period\na,1\n", "text/csv", {}, "?forecast=no", (422, "wrong_type")),
        (b"id,period\na,1\n", "text/csv", {"accept": "image/png"}, "", (406, None)),
        (b"id,period\na,1\n", "text/html", {}, "", (415, None)),
        (b"\x1f\x8b", "text/csv", {"content-encoding": "gzip"}, "", (415, None)),
    ],
)
def test_what_cannot_be_answered_is_refused_in_the_one_shape(
    http: httpx.Client,
    *,
    body: bytes,
    kind: str,
    head: dict[str, str],
    query: str,
    refused: tuple[int, str | None],
) -> None:
    status, code = refused
    answer = bulk(http, body, kind, query, **head)
    assert answer.status_code == status
    problem = answer.json()
    assert problem["status"] == status
    assert [one["code"] for one in problem["errors"]] == ([code] if code else [])


def long_table(responder: Responder, copies: int) -> pa.Table:
    drawn = students_of(load_cohort("simulated", students=200, seed=3))
    many = [{**one, "id": f"{copy}-{one['id']}"} for copy in range(copies) for one in drawn]
    return as_table(responder.bundle.contract, many)


@pytest.fixture(scope="module")
def long(responder: Responder) -> pa.Table:
    """Ten thousand students: several MiB, so that the body is streamed."""
    return long_table(responder, 50)


@pytest.mark.parametrize("kind", [ARROW, "text/csv"])
def test_a_long_table_is_worked_off_as_it_comes(
    http: httpx.Client, long: pa.Table, kind: str
) -> None:
    sink = io.BytesIO()
    if kind == "text/csv":
        pa_csv.write_csv(long, sink)
    body = arrow(long, 3000) if kind == ARROW else sink.getvalue()
    assert len(body) > 2**20  # more than is taken in one go

    def pieces() -> Iterator[bytes]:
        for start in range(0, len(body), 100_000):
            yield body[start : start + 100_000]

    answer = http.post(
        "/score/bulk?recommendations=false&forecast=false",
        content=pieces(),
        headers={"content-type": kind, "accept": ARROW},
    )
    rows = read(answer.content)
    assert rows.num_rows == 10_000
    assert rows["row"].to_pylist() == list(range(10_000))
    assert "refused" not in rows["status"].to_pylist()


def test_parquet_is_no_format_of_requests_but_one_of_answers(
    http: httpx.Client, table: pa.Table
) -> None:
    sink = io.BytesIO()
    pq.write_table(table, sink)
    refused = bulk(http, sink.getvalue(), PARQUET, accept=ARROW)
    assert refused.status_code == 415
    assert ARROW in refused.json()["detail"]
    answer = bulk(http, arrow(table), ARROW, accept=PARQUET)
    assert pq.read_table(io.BytesIO(answer.content)).num_rows > 0


def test_a_small_body_with_many_students_is_answered_like_a_long_one(http: httpx.Client) -> None:
    many = 40_000
    table = pa.table({"id": pa.array(range(many)), "period": pa.array([1] * many, pa.int8())})
    sink = io.BytesIO()
    packed = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_stream(sink, table.schema, options=packed) as writer:
        writer.write_table(table)
    assert len(sink.getvalue()) < 2**20
    answer = bulk(http, sink.getvalue(), ARROW, accept=ARROW)
    assert answer.headers.get("content-length") is None
    assert read(answer.content)["id"].to_pylist() == [str(one) for one in range(many)]


def test_a_body_that_unpacks_to_too_much_is_refused(http: httpx.Client) -> None:
    nothing = pa.array(np.zeros(2**25, np.int8))
    sink = io.BytesIO()
    table = pa.table({"id": nothing, "period": nothing})
    packed = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_stream(sink, table.schema, options=packed) as writer:
        writer.write_table(table)
    answer = bulk(http, sink.getvalue(), ARROW)
    assert answer.status_code == 413
    assert answer.json()["errors"][0]["code"] == "batch_too_large"


def test_a_long_table_that_is_wrong_at_its_beginning_gets_its_refusal(
    http: httpx.Client, long: pa.Table
) -> None:
    answer = bulk(http, arrow(long.rename_columns(["id", "period", *"abcde"]), 3000), ARROW)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["code"] == "unknown_field"


def test_an_answer_that_has_begun_is_cut_where_the_rest_is_wrong(
    http: httpx.Client, long: pa.Table
) -> None:
    whole = arrow(long, 3000)
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        bulk(http, whole[: len(whole) - 100_000], ARROW, accept="application/x-ndjson")


def test_json_out_has_a_limit_of_students(http: httpx.Client, long: pa.Table) -> None:
    answer = bulk(http, arrow(long.slice(0, 8 * 600), 3000), ARROW, accept="application/json")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["code"] == "too_many_students"


@given(st.lists(st.binary(max_size=50)), st.lists(st.integers(1, 60), min_size=1))
def test_a_body_is_read_as_it_arrived(chunks: list[bytes], sizes: list[int]) -> None:
    def reading(body: RequestStream) -> bytes:
        parts, at = [], 0
        while part := body.read(sizes[at % len(sizes)]):
            parts.append(part)
            at += 1
        return b"".join(parts)

    async def both() -> bytes:
        body = RequestStream()
        read = asyncio.get_running_loop().run_in_executor(None, reading, body)
        for chunk in chunks:
            await body.feed(chunk)
        body.end()
        return await read

    assert asyncio.run(both()) == b"".join(chunks)


def test_tables_in_process_need_no_server(responder: Responder, table: pa.Table) -> None:
    request = BulkRequest(TableFormat.ARROW, TableFormat.ARROW)
    assert (
        read(b"".join(bulk_of(responder).answer(io.BytesIO(arrow(table)), request))).num_rows == 41
    )
