"""Cohorts and single students beside each other: none starves, excess is rejected at once."""

import asyncio
import io
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from itertools import count
from typing import TypeVar

import httpx
import numpy as np
import pyarrow as pa
import pytest

from records.load import load_cohort
from scoring.students.writing import students_of
from service.batching.batcher import Batcher
from service.bulk.costs import measure_bulk_costs, sample_bodies
from service.bulk.pending import BulkRequest
from service.bulk.route import MAX_STREAMS
from service.http.problems import RequestError
from service.responder import Responder
from tests.scoring.arrow_tables import as_table
from tests.service.asking import kind, problem, score, student
from tests.service.batching.test_batcher import Asker, Bench, body
from tests.service.bulk_responders import bulk_of
from tests.service.running import Running

ARROW = {"content-type": "application/vnd.apache.arrow.stream"}
# Several times what may wait, also where a student takes but three microseconds.
_AT_ONCE = 64
T = TypeVar("T")


@pytest.fixture(scope="module")
def cohort(responder: Responder) -> pa.Table:
    """Two thousand students, just under a MiB."""
    drawn = students_of(load_cohort("simulated", students=250, seed=5))
    many = [{**one, "id": f"{copy}-{one['id']}"} for copy in range(8) for one in drawn]
    return as_table(responder.bundle.contract, many)


def written(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def endless(table: pa.Table, end: threading.Event) -> Iterator[bytes]:
    """The same students under ever new names, until told to end."""
    sink = io.BytesIO()
    names = table["id"].to_pylist()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        for copy in count():
            if end.is_set():
                break
            fresh = pa.array([f"{copy}-{name}" for name in names])
            writer.write_table(table.set_column(0, "id", fresh))
            yield sink.getvalue()
            sink.seek(0)
            sink.truncate()
    yield sink.getvalue()


def test_single_students_are_answered_beside_two_endless_cohorts(
    server: Running, http: httpx.Client, cohort: pa.Table
) -> None:
    end = threading.Event()

    def stream() -> int:
        query = "recommendations=false&forecast=false"
        with (
            httpx.Client(base_url=server.url, timeout=60) as client,
            client.stream(
                "POST", f"/score/bulk?{query}", content=endless(cohort, end), headers=ARROW
            ) as answer,
        ):
            return sum(map(len, answer.iter_bytes()))

    waits, statuses = [], set()
    with ThreadPoolExecutor(2) as pool:
        streams = [pool.submit(stream) for _ in range(2)]
        time.sleep(1.0)
        for number in range(150):
            started = time.perf_counter()
            statuses.add(score(http, student(f"s-{number}")).status_code)
            waits.append(time.perf_counter() - started)
        assert not any(one.done() for one in streams)  # they were there all the time
        end.set()
        sizes = [one.result() for one in streams]

    assert statuses == {200}
    # Without turns they would wait for the end of streams that have none; how long turns take on a
    # busy machine is a matter for benchmarks.
    assert np.median(waits) < 0.5
    assert max(waits) < 20
    assert min(sizes) > 100_000  # and were answered


def test_cohorts_that_would_wait_too_long_are_refused_at_once(
    server: Running, http: httpx.Client, cohort: pa.Table
) -> None:
    sent = written(cohort)
    assert len(sent) < 2**20  # taken in as a whole
    gate = threading.Barrier(_AT_ONCE)

    def ask() -> httpx.Response:
        with httpx.Client(base_url=server.url, timeout=60) as client:
            client.get("/livez")
            gate.wait()
            return client.post("/score/bulk", content=sent, headers=ARROW)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        answers = [one.result() for one in [pool.submit(ask) for _ in range(_AT_ONCE)]]

    refused = [one for one in answers if one.status_code != 200]
    assert 0 < len(refused) < _AT_ONCE
    for one in refused:
        assert kind(problem(one, 429)) == "too-busy"
        assert int(one.headers["retry-after"]) >= 1
    taken_in = [one for one in answers if one.status_code == 200]
    assert {pa.ipc.open_stream(one.content).read_all().num_rows for one in taken_in} == {2000}
    assert score(http, student()).status_code == 200


def test_streams_have_a_few_places(server: Running, cohort: pa.Table) -> None:
    address = server.url.removeprefix("http://").split(":")
    start = written(pa.concat_tables([cohort, cohort]))[: 2**20 + 100]
    head = (
        b"POST /score/bulk HTTP/1.1\r\nHost: x\r\nContent-Length: 50000000\r\n"
        b"Content-Type: application/vnd.apache.arrow.stream\r\n\r\n"
    )
    # The later ones wait where the earlier ones' first parts are still being worked off.
    links = []
    try:
        for _ in range(MAX_STREAMS):
            link = socket.create_connection((address[0], int(address[1])), timeout=30)
            links.append(link)
            link.sendall(head + start)
            time.sleep(0.3)
        extra = socket.create_connection((address[0], int(address[1])), timeout=30)
        links.append(extra)
        extra.sendall(head + start)
        said = extra.recv(2**16)
    finally:
        for link in links:
            link.close()

    assert said.startswith(b"HTTP/1.1 429 ")
    # For want of a place, or of time where the first parts are still being worked off.
    assert re.search(rb"\r\nretry-after: [1-9]\d*\r\n", said.lower())
    deadline = time.monotonic() + 30  # places of those who hung up are free again
    while time.monotonic() < deadline:
        answer = httpx.post(
            server.url + "/score/bulk",
            content=iter([written(pa.concat_tables([cohort, cohort.slice(0, 0)])), b""]),
            headers=ARROW,
            timeout=30,
        )
        if answer.status_code == 200:
            break
        time.sleep(0.2)
    assert answer.status_code == 200


async def in_turn(batcher: Batcher, step: Callable[[], T]) -> T:
    told: asyncio.Future[T] = asyncio.get_running_loop().create_future()
    batcher.run_step(step, told)
    return await told


@pytest.mark.parametrize("threads", [0, 1])
def test_steps_of_long_work_and_short_requests_take_turns(
    responder: Responder, threads: int
) -> None:
    executor: Executor | None = ThreadPoolExecutor(1) if threads else None
    bench = Bench(responder, executor=executor)
    order: list[str] = []

    class Named(Asker):
        def succeed(self, _: bytes) -> None:
            order.append("short")

    async def guests() -> None:
        def step() -> int:
            order.append("step")
            time.sleep(0.01)
            return len(order)

        for _ in range(4):
            await in_turn(bench.batcher, step)

    async def both() -> None:
        working = asyncio.create_task(guests())
        for _ in range(3):
            await asyncio.sleep(0)
            bench.batcher.submit(body(student()), Named())
            await bench.idle()
        await working

    asyncio.run(both())
    if executor is not None:
        executor.shutdown()
    assert order.count("short") == 3
    assert order.count("step") == 4
    assert "short" in order[:3]  # not after all of the long work


def test_a_step_that_fails_harms_nobody_else(responder: Responder) -> None:
    bench = Bench(responder)

    async def both() -> tuple[object, Asker]:
        asker = Asker()
        bench.batcher.submit(body(student("s-1")), asker)
        failing = asyncio.create_task(in_turn(bench.batcher, lambda: 1 // 0))
        (failed,) = await asyncio.gather(failing, return_exceptions=True)
        await bench.idle()
        return failed, asker

    failed, asker = asyncio.run(both())
    assert isinstance(failed, ZeroDivisionError)
    assert asker.answer["assessments"][0]["id"] == "s-1"


def test_long_work_is_told_that_the_service_ends(responder: Responder) -> None:
    bench = Bench(responder)

    async def ended() -> list[object]:
        waiting = asyncio.create_task(in_turn(bench.batcher, lambda: 1))
        later = in_turn(bench.batcher, lambda: 1)
        await asyncio.sleep(0)
        bench.batcher.close()
        assert bench.batcher.admit(0.001) is None
        return list(await asyncio.gather(waiting, later, return_exceptions=True))

    for told in asyncio.run(ended()):
        assert isinstance(told, RequestError)
        assert told.status == 503


def test_what_a_body_took_corrects_what_the_next_is_reckoned_to_take(responder: Responder) -> None:
    costs = measure_bulk_costs(bulk_of(responder), responder.bundle)
    students = json.loads(responder.sample_request)["students"]
    kinds = dict(sample_bodies(responder.bundle.contract, students))
    assert len(kinds) == 3  # columnar JSON, Arrow, CSV
    for sent in kinds:
        request = BulkRequest(sent, sent)
        assert 0 < costs.of(request, 10**6) < 60
        for _ in range(30):
            costs.learn(request, 10**6, 0.5)
        assert costs.of(request, 2 * 10**6) == pytest.approx(1.0, rel=0.01)
