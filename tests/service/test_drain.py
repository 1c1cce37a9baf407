"""Told to stop, the service answers what it has taken in, then ends by itself."""

import json
import signal
import socket
import threading
import time
from contextlib import ExitStack
from http.client import HTTPResponse
from pathlib import Path

import httpx
import psutil
import pytest

from tests.service.asking import student
from tests.service.links import await_workers, connected, split, until, workers
from tests.service.running import Running, environment, serving

CLIENTS = 8
CROWD, BURSTS = 100, 12


def request(number: int) -> bytes:
    body = json.dumps({"students": [student(f"s-{number}-{row}") for row in range(60)]}).encode()
    head = f"POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def process_of(running: Running, module: str) -> psutil.Process:
    [found] = [
        child
        for child in psutil.Process(running.process.pid).children(recursive=True)
        if module in " ".join(child.cmdline())
    ]
    return found


def assert_answered(link: socket.socket, number: int) -> None:
    """The request of that number, and that the connection ends with it."""
    data = b""
    while chunk := link.recv(2**16):
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 "), data[:200]
    assert b"connection: close" in head
    assert json.loads(body)["assessments"][0]["id"] == f"s-{number}-0"


@pytest.mark.parametrize("count", [1, 2])
def test_what_was_taken_in_is_answered_and_the_server_ends(
    bundle_dir: Path, tmp_path: Path, count: int
) -> None:
    variables = environment(tmp_path, bundle=bundle_dir, threads="1", workers=str(count))
    with serving(tmp_path, variables) as running:
        await_workers(running, count)
        links = [connected(running) for _ in range(CLIENTS)]
        until(lambda: sum(split(running)) == CLIENTS)
        there = workers(running)
        # Halfway through their bodies when the signal comes: taken in, and not to be dropped.
        for number, link in enumerate(links):
            link.sendall(request(number)[:-20])
        time.sleep(0.3)
        running.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        for number, link in enumerate(links):
            link.sendall(request(number)[-20:])
        for number, link in enumerate(links):
            assert_answered(link, number)
            link.close()
        assert running.process.wait(timeout=15) == 0
        for worker in there:
            assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE
        assert "Traceback" not in running.said()


def test_health_and_metrics_answer_while_more_is_asked_than_can_be_done(
    bundle_dir: Path, tmp_path: Path
) -> None:
    """Every client gets an answer, or in time a rejection with `Retry-After`.

    Bursts come faster than any client could ask: each is sent whole before an answer is read.
    """
    variables = environment(tmp_path, bundle=bundle_dir, threads="1", queue_milliseconds="20")
    with serving(tmp_path, variables) as running, ExitStack() as open_links:
        links = [open_links.enter_context(connected(running)) for _ in range(CROWD)]
        statuses: list[int] = []
        told: list[str | None] = []
        slowest: list[float] = []
        over = threading.Event()

        def insist() -> None:
            for _ in range(BURSTS):
                for link in links:
                    link.sendall(request(0))
                for link in links:
                    with HTTPResponse(link) as got:
                        got.begin()
                        statuses.append(got.status)
                        body = json.loads(got.read())
                    if got.status == 429:
                        told.append(got.headers["retry-after"])
                        assert body["type"].endswith("too-busy")
            over.set()

        crowd = threading.Thread(target=insist)
        crowd.start()
        with httpx.Client(base_url=running.url, timeout=30) as client:
            while crowd.is_alive():
                for path in ("/livez", "/readyz", "/metrics", "/model"):
                    started = time.monotonic()
                    assert client.get(path).status_code == 200
                    slowest.append(time.monotonic() - started)
                time.sleep(0.05)
            page = client.get("/metrics").text
            again = client.post("/score", content=request(0).partition(b"\r\n\r\n")[2])

    assert over.is_set()
    assert len(statuses) == CROWD * BURSTS
    assert set(statuses) == {200, 429}
    assert statuses.count(200) > 50
    assert statuses.count(429) > BURSTS
    assert set(told) <= {str(seconds) for seconds in range(1, 10)}
    assert max(slowest) < 2
    refused = 'bellwether_refusals_total{reason="too-busy"} '
    assert f"{refused}{len(told):.1f}\n" in page
    assert again.status_code == 200


def test_a_worker_behind_a_load_balancer_answers_until_the_balancer_has_noticed(
    bundle_dir: Path, tmp_path: Path
) -> None:
    variables = environment(tmp_path, bundle=bundle_dir, threads="1", drain_seconds="4")
    body = json.dumps({"students": [student()]}).encode()
    with serving(tmp_path, variables) as running:
        with httpx.Client(base_url=running.url, timeout=30) as client:
            assert client.post("/score", content=body).status_code == 200
            running.process.send_signal(signal.SIGTERM)
            until(lambda: client.get("/readyz").status_code == 503)
            began = time.monotonic()
            assert client.get("/livez").status_code == 200
            answered = 0
            while time.monotonic() - began < 2:
                for headers in ({}, {"origin": "https://example.org"}):
                    got = client.post("/score", content=body, headers=headers)
                    assert got.status_code == 200
                    assert got.headers["connection"] == "close"
                    answered += 1
            assert answered > 10
        assert running.process.wait(timeout=30) == 0
        assert "Traceback" not in running.said()
