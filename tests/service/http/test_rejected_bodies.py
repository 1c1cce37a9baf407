"""A body that there is no room for is let through unread, and its connection goes on."""

import json
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from service.batching.admission import AdmissionController, CostModel
from service.batching.batcher import LONG_BYTES, Batcher
from service.http import body as arrival
from service.responder import Responder
from service.transport.fast_path import ScoreProtocol, ScoreRequest
from tests.service.asking import student
from tests.service.in_process import ASGI, BODY, Link, Site, request, site
from tests.service.running import environment, serving

# Taken in, it would be refused for what it holds, with 400.
GARBAGE = b"x" * 2000
LONG = b"x" * (LONG_BYTES + 1000)
BUSY = b"HTTP/1.1 429 "


@pytest.fixture(scope="module")
def crowded(responder: Responder) -> Iterator[Site]:
    with site(responder) as running:
        yield running


@contextmanager
def crowd(here: Site) -> Iterator[None]:
    """Keep the service busy."""
    controller = AdmissionController(CostModel(), limit=-1.0, turn=256, slice_bytes=LONG_BYTES)
    assert controller.admit(1, long=False) is not None  # and it never leaves
    free, here.route.batcher = here.route.batcher, Batcher(responder_of(here), controller, ignore)
    try:
        yield
    finally:
        here.route.batcher = free


def responder_of(here: Site) -> Responder:
    model = here.route.batcher._model
    assert isinstance(model, Responder)
    return model


def ignore(record: object) -> None:
    del record


@pytest.fixture
def full(crowded: Site) -> Iterator[Site]:
    """A site that is busy and has rejected a first request."""
    free = crowded.route.batcher
    with crowd(crowded):
        with crowded.link() as link:
            link.send(request())
            assert link.answer().startswith(BUSY)
        yield crowded
    assert crowded.route.batcher is free


def make_room(here: Site) -> None:
    """End the crowd's work."""
    free = AdmissionController(CostModel(), limit=1.0, turn=256, slice_bytes=LONG_BYTES)
    here.route.batcher = Batcher(responder_of(here), free, ignore)


@pytest.mark.parametrize("body", [GARBAGE, LONG, b""])
def test_a_refused_body_is_not_read(full: Site, body: bytes) -> None:
    before = full.front.through_asgi
    with full.link() as link:
        link.send(request(body))
        answer = link.answer()
    assert answer.startswith(BUSY)
    assert b"\r\nretry-after: " in answer
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["type"].endswith("too-busy")
    assert full.front.through_asgi == before


@pytest.mark.parametrize("body", [GARBAGE, LONG])
def test_the_long_way_gives_the_same_bytes(full: Site, body: bytes) -> None:
    before = full.front.through_asgi
    with full.link() as link:
        link.send(request(body))
        short = link.answer()
        link.send(request(body, extra=ASGI))
        assert link.answer() == short
    assert full.front.through_asgi == before + 1


@pytest.mark.parametrize("size", [1, 50, 1000])
def test_a_refused_body_may_come_in_pieces(full: Site, size: int) -> None:
    data = request(GARBAGE)
    end = data.index(b"\r\n\r\n") + 4
    with full.link() as link:
        link.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link.send(data[:end])
        for at in range(end, len(data), size):
            link.send(data[at : at + size])
        assert link.answer().startswith(BUSY)
        make_room(full)
        link.send(request())
        assert link.answer().startswith(b"HTTP/1.1 200 ")


def test_the_refusal_comes_once_the_body_has(full: Site) -> None:
    """Not before: many clients read only once all is sent; an early answer breaks some off."""
    with full.link() as link:
        data = request(GARBAGE)
        link.send(data[:-10])
        link.socket.settimeout(0.3)
        with pytest.raises(TimeoutError):
            link.answer()
        link.socket.settimeout(20)
        link.send(data[-10:])
        assert link.answer().startswith(BUSY)


def test_who_was_refused_from_the_head_stays_so(full: Site) -> None:
    """What came of the body is gone."""
    with full.link() as link:
        data = request()
        link.send(data[:-10])
        time.sleep(0.1)
        make_room(full)
        link.send(data[-10:])
        assert link.answer().startswith(BUSY)
        link.send(data)
        assert link.answer().startswith(b"HTTP/1.1 200 ")


def test_a_body_that_had_room_when_its_head_came_holds_no_place(crowded: Site) -> None:
    with crowded.link() as link:
        data = request()
        link.send(data[:-10])
        time.sleep(0.1)
        with crowd(crowded):
            link.send(data[-10:])
            assert link.answer().startswith(BUSY)


def test_what_is_pipelined_behind_refused_bodies_is_answered_in_order(full: Site) -> None:
    page = b"GET /model HTTP/1.1\r\nHost: x\r\n\r\n"
    with full.link() as link:
        link.send((request(GARBAGE) + page) * 20)
        starts = [link.answer()[:13] for _ in range(40)]
        make_room(full)
        link.send(request())
        assert link.answer().startswith(b"HTTP/1.1 200 ")

    assert starts == [BUSY, b"HTTP/1.1 200 "] * 20


def test_the_end_of_a_skipped_body_and_a_next_request_may_come_together(full: Site) -> None:
    with full.link() as link:
        data = request(GARBAGE)
        link.send(data[:-10])
        time.sleep(0.1)
        link.send(data[-10:] + b"GET /policy HTTP/1.1\r\nHost: x\r\n\r\n")
        assert link.answer().startswith(BUSY)
        assert link.answer().startswith(b"HTTP/1.1 200 ")


def test_a_client_that_hangs_up_in_a_refused_body_harms_nobody(full: Site) -> None:
    for cut in (10, 1000, 0):
        for _ in range(20):
            with full.link() as link:
                data = request(GARBAGE)
                link.send(data[: len(data) - cut])
    make_room(full)
    with full.link() as link:
        link.send(request())
        assert link.answer().startswith(b"HTTP/1.1 200 ")
    assert not full.route.batcher.waiting


def test_a_refused_body_that_stops_halfway_is_given_up(
    full: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrival, "ARRIVAL_SECONDS", 0.2)
    with full.link() as link:
        link.send(request(GARBAGE)[:-10])
        answer = link.answer()
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"\r\nconnection: close\r\n" in answer
        assert link.is_closed()


@pytest.mark.parametrize("body", [GARBAGE, LONG])
def test_who_waits_to_be_asked_for_a_body_is_refused_without(full: Site, body: bytes) -> None:
    with full.link() as link:
        link.send(request(body, extra="Expect: 100-continue\r\n")[: -len(body)])
        answer = link.answer()
        assert answer.startswith(BUSY)
        assert b"\r\nconnection: close\r\n" in answer
        assert link.is_closed()


def test_who_waits_to_be_asked_for_a_body_is_asked_where_there_is_room(crowded: Site) -> None:
    with crowded.link() as link:
        link.send(request(extra="Expect: 100-continue\r\n")[: -len(BODY)])
        assert link.answer() == b"HTTP/1.1 100 Continue\r\n\r\n"
        link.send(BODY)
        assert link.answer().startswith(b"HTTP/1.1 200 ")


def test_a_body_that_is_too_large_is_told_so_even_then(full: Site) -> None:
    with full.link() as link:
        link.send(request(b"x" * (2**20 + 1)))
        assert link.answer().startswith(b"HTTP/1.1 413 ")


def test_refused_bodies_do_not_pile_up(full: Site) -> None:
    """A thousand connections without an answer yet hold no bodies."""
    with full.link() as link:
        link.send(request(GARBAGE)[:-10])
        time.sleep(0.1)
        [held] = [one for one in requests_of(full) if one.more_body]
        assert held._body.size == len(GARBAGE) - 10
        assert not held._body.is_kept
        assert full.route.arriving.held == 0
        link.send(b"x" * 10)
        assert link.answer().startswith(BUSY)


def requests_of(here: Site) -> list[ScoreRequest]:
    """The last request of each connection that took the fast path."""
    connections = here.server.server_state.connections
    running = [
        connection.running for connection in connections if isinstance(connection, ScoreProtocol)
    ]
    return [one for one in running if isinstance(one, ScoreRequest)]


def test_shutting_down_refuses_what_was_on_its_way(responder: Responder) -> None:
    with site(responder) as here, crowd(here), here.link() as link:
        link.send(request())
        assert link.answer().startswith(BUSY)
        data = request(GARBAGE)
        link.send(data[:-5])
        time.sleep(0.1)
        [one] = requests_of(here)
        here.server.should_exit = True
        while one.keep_alive:  # the server looks every tenth of a second
            time.sleep(0.01)
        link.send(data[-5:])
        answer = link.answer()
        assert answer.startswith(BUSY)
        assert b"\r\nconnection: close\r\n" in answer
        assert link.is_closed()


def test_a_storm_ends_with_answers_refusals_and_a_clean_stop(
    bundle_dir: Path, tmp_path: Path
) -> None:
    """In a process of its own: every connection sees whole answers, up to SIGTERM."""
    variables = environment(tmp_path, bundle=bundle_dir, threads="1", queue_milliseconds="5")
    data = request(json.dumps({"students": [student(f"s-{row}") for row in range(40)]}).encode())
    end = data.index(b"\r\n\r\n") + 4
    with serving(tmp_path, variables) as running:
        port = int(running.url.rpartition(":")[2])
        stopping = threading.Event()
        seen: list[bytes] = []
        faults: list[BaseException] = []

        def insist(number: int) -> None:
            link = Link(port)
            cut = (len(data), end, end + 1000)[number % 3]
            try:
                while not stopping.is_set():
                    link.send(data[:cut])
                    link.send(data[cut:])
                    seen.append(link.answer())
            except (OSError, AssertionError) as fault:
                if not stopping.is_set():
                    faults.append(fault)
            finally:
                link.socket.close()

        crowd = [threading.Thread(target=insist, args=(number,)) for number in range(60)]
        for one in crowd:
            one.start()
        time.sleep(2)
        before = len(seen)
        stopping.set()
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(timeout=20) == 0
        for one in crowd:
            one.join(20)
        assert not faults
        assert before > 100
        assert {answer[:13] for answer in seen} == {BUSY, b"HTTP/1.1 200 "}
        assert "Traceback" not in running.said()
