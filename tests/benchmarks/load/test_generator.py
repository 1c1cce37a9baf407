"""The open loop keeps to its schedule whatever the service does; the closed loop waits for it."""

import socket
import threading
import time
from collections.abc import Callable

import numpy as np

from benchmarks.load.arrivals import constant_arrivals
from benchmarks.load.generator import Target, drive_closed, drive_open, send_once
from benchmarks.load.http_client import http_request
from benchmarks.load.outcomes import Outcome
from benchmarks.server import free_port

REQUEST = http_request("/score", b'{"students":[]}')
Listening = Callable[[Callable[[int], int]], int]


def stalling_once(seconds: float) -> Callable[[int], int]:
    """Answer one request at a time, and the eleventh only after so many seconds."""
    turn = threading.Lock()

    def answer(number: int) -> int:
        with turn:
            time.sleep(seconds if number == 10 else 0)
        return 200

    return answer


def test_everybody_who_was_due_during_a_stall_is_seen_to_wait(listening: Listening) -> None:
    stall = 0.4
    port = listening(stalling_once(stall))
    arrivals = constant_arrivals(100, 1.0)
    samples = drive_open(Target("127.0.0.1", port, [REQUEST]), arrivals, seconds=1.0)
    late = samples.latency > 0.1
    # 40 requests were due while the server stood still; those of its last 0.1 s waited less.
    assert 25 <= late.sum() <= 60
    assert samples.latency.max() > 0.9 * stall
    np.testing.assert_allclose(samples.due, arrivals)
    # Waiting for answers does not delay sending: that would be coordinated omission.
    assert np.median(samples.lag) < 0.02
    assert (samples.outcome == Outcome.ANSWERED).all()


def test_a_closed_loop_hides_the_same_stall(listening: Listening) -> None:
    port = listening(stalling_once(0.4))
    samples = drive_closed(Target("127.0.0.1", port, [REQUEST]), in_parallel=1, seconds=1.0)
    assert (samples.latency > 0.1).sum() == 1


def test_a_closed_loop_has_no_more_requests_under_way_than_asked_for(listening: Listening) -> None:
    under_way, most, lock = 0, 0, threading.Lock()

    def answer(_: int) -> int:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        time.sleep(0.005)
        with lock:
            under_way -= 1
        return 200

    port = listening(answer)
    drive_closed(Target("127.0.0.1", port, [REQUEST]), in_parallel=4, seconds=0.5)
    assert most == 4


def test_outcomes_are_told_apart(listening: Listening) -> None:
    port = listening(lambda number: (200, 429, 503, 500)[number % 4])
    arrivals = constant_arrivals(200, 0.2)
    samples = drive_open(Target("127.0.0.1", port, [REQUEST]), arrivals, seconds=0.2)
    counts = np.bincount(samples.outcome, minlength=4).tolist()
    assert counts == [10, 20, 10, 0]


def test_no_answer_in_time_counts_as_unanswered_and_holds_nobody_up(listening: Listening) -> None:
    def answer(_: int) -> int:
        time.sleep(2)
        return 200

    port = listening(answer)
    target = Target("127.0.0.1", port, [REQUEST], timeout=0.2, connections=1)
    started = time.perf_counter()
    samples = drive_open(target, constant_arrivals(50, 0.2), seconds=0.2)
    assert (samples.outcome == Outcome.UNANSWERED).all()
    assert time.perf_counter() - started < 1.5


def test_a_server_that_is_gone_leaves_every_request_unanswered() -> None:
    target = Target("127.0.0.1", free_port(), [REQUEST])
    samples = drive_open(target, constant_arrivals(50, 0.1), seconds=0.1)
    assert (samples.outcome == Outcome.UNANSWERED).all()


def test_answers_come_back_in_the_order_of_the_requests(listening: Listening) -> None:
    port = listening(lambda number: 200 + number)
    bodies = [b'{"a":1}', b'{"b":2}', b'{"c":3}']
    answers = send_once(Target("127.0.0.1", port, [http_request("/", body) for body in bodies]))
    assert answers == [(200, bodies[0]), (201, bodies[1]), (202, bodies[2])]


def test_a_connection_that_is_to_be_closed_is_not_used_again() -> None:
    """Also where the server does not say that it closes it, and takes its time to."""
    told: list[int] = []  # requests on each connection

    def converse(link: socket.socket) -> None:
        position = len(told)
        told.append(0)
        with link:
            while link.recv(2**16):
                told[position] += 1
                link.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    def serve(server: socket.socket) -> None:
        for _ in range(3):
            threading.Thread(target=converse, args=(server.accept()[0],), daemon=True).start()

    once = REQUEST.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1)
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, args=(server,), daemon=True).start()
        port = server.getsockname()[1]
        assert send_once(Target("127.0.0.1", port, [once, once])) == [(200, b"")] * 2
        assert told == [1, 1]
        assert send_once(Target("127.0.0.1", port, [REQUEST, REQUEST])) == [(200, b"")] * 2
        assert told == [1, 1, 2]
