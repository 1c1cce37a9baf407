"""The short way of `score/bulk` gives the bytes of the long one, and leaves it what is too much."""

import asyncio
import io
import json
import time
from collections.abc import Iterator
from itertools import count

import httpx
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from prometheus_client import REGISTRY
from starlette.applications import Starlette

from records.load import load_cohort
from scoring.students.intake import students_of
from scoring.tables.formats import TableFormat
from service.bulk.pending import BulkRequest
from service.bulk.timings import BulkTimings
from service.http import body as arrival
from service.http.problems import RequestError
from service.responder import Responder
from tests.scoring.arrow_tables import as_table
from tests.service.bulk.test_responder import ARROW, BAD, PARQUET, columns_of
from tests.service.in_process import LIMIT, Behind, Counting, Link, Site, site

CSV, JSON = "text/csv", "application/json"
_numbers = count()


@pytest.fixture(scope="module")
def here(responder: Responder) -> Iterator[Site]:
    with site(responder) as running:
        yield running


@pytest.fixture(scope="module")
def bodies(responder: Responder) -> dict[str, bytes]:
    """The same students in every format, one of them to be refused."""
    students = [*students_of(load_cohort("simulated", students=700, seed=3)), BAD]
    contract = responder.bundle.contract
    table = as_table(contract, students)
    arrow, parquet, csv = io.BytesIO(), io.BytesIO(), io.BytesIO()
    with pa.ipc.new_stream(arrow, table.schema) as writer:
        writer.write_table(table)
    pq.write_table(table, parquet)
    pa_csv.write_csv(table, csv)
    columns = json.dumps(columns_of(students, contract.feature_names)).encode()
    return {
        JSON: columns,
        ARROW: arrow.getvalue(),
        PARQUET: parquet.getvalue(),
        CSV: csv.getvalue(),
    }


def request(body: bytes, kind: str, *, extra: str = "", length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    head = f"POST /score/bulk?forecast=false HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\n{extra}"
    return f"{head}Content-Length: {size}\r\n\r\n".encode() + body


def long_way(link: Link, body: bytes, kind: str) -> bytes:
    """Ask with a head that was never there before."""
    link.send(request(body, kind, extra=f"X-Number: {next(_numbers)}\r\n"))
    return link.answer()


def known(link: Link, kind: str) -> None:
    """Send a first request, so that its head is known."""
    link.send(request(b"", kind))
    link.answer()


@pytest.mark.parametrize("kind", [JSON, ARROW, PARQUET, CSV])
def test_both_ways_give_the_same_bytes(here: Site, bodies: dict[str, bytes], kind: str) -> None:
    whole = bodies[kind]
    # Arrow and small bodies are read on the event loop, larger ones by a thread.
    assert (len(whole) < 128 * 1024) == (kind == PARQUET)
    with here.link() as link:
        known(link, kind)
        for body, status in ((whole, 200), (whole[: len(whole) // 2], 0), (b"", 0), (whole, 200)):
            expected = long_way(link, body, kind)
            before = here.front.long
            link.send(request(body, kind))
            assert link.answer() == expected
            assert here.front.long == before
            assert not status or expected.startswith(f"HTTP/1.1 {status} ".encode())


def test_options_and_formats_belong_to_the_head(here: Site, bodies: dict[str, bytes]) -> None:
    with here.link() as link:
        for extra in ("", "Accept: text/csv\r\n", "Accept: application/json\r\n", ""):
            for _ in range(2):
                link.send(request(bodies[ARROW], ARROW, extra=extra))
                answer = link.answer()
            wanted = extra.removeprefix("Accept: ").strip() or ARROW
            assert f"\r\ncontent-type: {wanted}\r\n".encode() in answer


def test_a_body_may_come_in_pieces_and_others_right_behind(
    here: Site, bodies: dict[str, bytes]
) -> None:
    with here.link() as link:
        known(link, ARROW)
        expected = long_way(link, bodies[ARROW], ARROW)
        data = request(bodies[ARROW], ARROW) * 3
        for at in range(0, len(data), 70_001):
            link.send(data[at : at + 70_001])
            time.sleep(0.001)
        assert [link.answer() for _ in range(3)] == [expected] * 3


def crowd(many: int) -> bytes:
    """So many students in a small body."""
    table = pa.table({"id": pa.array(range(many)), "period": pa.array([1] * many, pa.int8())})
    sink = io.BytesIO()
    packed = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_stream(sink, table.schema, options=packed) as writer:
        writer.write_table(table)
    return sink.getvalue()


def test_a_small_body_with_many_students_goes_the_long_way(
    here: Site, bodies: dict[str, bytes]
) -> None:
    many = 40_000
    packed = crowd(many)
    with httpx.Client(base_url=f"http://127.0.0.1:{here.port}", timeout=60) as client:

        def ask(body: bytes) -> httpx.Response:
            return client.post("/score/bulk", content=body, headers={"content-type": ARROW})

        ask(bodies[ARROW])
        before = here.front.long
        assert ask(bodies[ARROW]).headers["content-length"]
        assert here.front.long == before
        answer = ask(packed)
        assert here.front.long == before + 1
        assert answer.headers["transfer-encoding"] == "chunked"
        assert pa.ipc.open_stream(answer.content).read_all().num_rows == many
        assert ask(bodies[ARROW]).status_code == 200  # and the connection is as good as ever


@pytest.mark.parametrize("kind", [JSON, ARROW])
def test_a_body_that_stops_halfway_is_given_up(
    here: Site, bodies: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    with here.link() as link:
        known(link, kind)
        monkeypatch.setattr(arrival, "ARRIVAL_SECONDS", 0.3)
        monkeypatch.setattr(arrival, "SILENCE", 0.3)
        before = here.front.long
        link.send(request(bodies[kind], kind)[:-10])
        assert link.answer().startswith(b"HTTP/1.1 408 ")
        assert link.is_closed()
        assert here.front.long == before


def test_what_takes_long_but_never_stops_is_awaited(
    here: Site, bodies: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    with here.link() as link:
        known(link, ARROW)
        monkeypatch.setattr(arrival, "ARRIVAL_SECONDS", 0.1)
        monkeypatch.setattr(arrival, "SILENCE", 1.0)
        data = request(bodies[ARROW], ARROW)
        step = len(data) // 4 + 1
        for at in range(0, len(data), step):
            link.send(data[at : at + step])
            time.sleep(0.1)
        assert link.answer().startswith(b"HTTP/1.1 200 ")


def test_each_way_counts_its_requests(here: Site, bodies: dict[str, bytes]) -> None:
    def counted() -> list[float]:
        time.sleep(0.6)  # figures are written together
        labels = [{"route": "/score/bulk", "status": status} for status in ("200", "400")]
        requests = [REGISTRY.get_sample_value("bellwether_requests_total", it) for it in labels]
        refused = REGISTRY.get_sample_value(
            "bellwether_refusals_total", {"reason": "malformed-table"}
        )
        return [one or 0.0 for one in (*requests, refused)]

    with here.link() as link:
        known(link, ARROW)
        before = counted()
        for body in (bodies[ARROW], bodies[ARROW], b"no table"):
            link.send(request(body, ARROW))
            link.answer()
        short = counted()
        for body in (bodies[ARROW], bodies[ARROW], b"no table"):
            long_way(link, body, ARROW)
        after = counted()

    assert [b - a for a, b in zip(before, short, strict=True)] == [2, 1, 1]
    assert [b - a for a, b in zip(short, after, strict=True)] == [2, 1, 1]


def test_shutting_down_ends_a_connection_whose_body_goes_the_long_way(
    responder: Responder,
) -> None:
    whole = request(crowd(40_000), ARROW)
    with site(responder) as here, here.link() as link:
        known(link, ARROW)
        link.send(whole[:-5])
        time.sleep(0.1)
        here.server.should_exit = True
        time.sleep(0.2)
        link.send(whole[-5:])
        answer = b""
        while data := link.socket.recv(2**16):
            answer += data
    head = answer.partition(b"\r\n\r\n")[0]
    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"\r\nconnection: close" in head
    assert answer.endswith(b"\r\n0\r\n\r\n")


class Waiting:
    """Who waits for an answer, or has gone."""

    def __init__(self, gone: bool) -> None:
        self.disconnected = gone
        self.answers: list[bytes] = []

    def succeed(self, body: bytes) -> None:
        self.answers.append(body)

    def fail(self, refusal: RequestError) -> None:
        raise refusal


@pytest.mark.parametrize("kind", [ARROW, PARQUET])  # read by a thread; on the event loop
def test_who_has_gone_is_not_worked_for_and_teaches_no_costs(
    responder: Responder, bodies: dict[str, bytes], kind: str
) -> None:
    front = Counting(
        Starlette(), Behind(responder), is_main=True, max_body_bytes=LIMIT, queue_seconds=1.0
    )
    written = {ARROW: TableFormat.ARROW, PARQUET: TableFormat.PARQUET}[kind]
    body, asked = bodies[kind], BulkRequest(written, TableFormat.PARQUET, whole=True)

    async def ask(*, gone: bool) -> tuple[BulkTimings, float]:
        course, waiting = BulkTimings(time.perf_counter()), Waiting(gone)
        assert front.desk.submit(body, asked, waiting, course)
        until = time.perf_counter() + (0.3 if gone else 20)
        while not waiting.answers and time.perf_counter() < until:
            await asyncio.sleep(0.01)
        return course, front.desk.costs.of(asked, len(body))

    before = front.desk.costs.of(asked, len(body))
    course, after = asyncio.run(ask(gone=True))
    assert (course.slices, after) == (0, before)
    course, after = asyncio.run(ask(gone=False))
    assert course.slices
    assert after != before
