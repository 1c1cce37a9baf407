"""Heads, upgrades and malformed bytes: what uvicorn's protocol lacks."""

import json
import socket
import time
from collections.abc import Iterator

import pytest

from service.responder import Responder
from service.transport.heads import MAX_HEAD_BYTES
from tests.service.asking import FIELDS
from tests.service.in_process import ASGI, BODY, Site, request, site

# As `java.net.http.HttpClient` sends a first request by default, and `curl --http2`.
JAVA = (
    "POST /score HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nContent-Length: {length}\r\n"
    "Host: 127.0.0.1:3000\r\nHTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\n"
    "Upgrade: h2c\r\nUser-Agent: Java-http-client/17.0.15\r\nContent-Type: application/json\r\n\r\n"
)
CURL = (
    "POST /score HTTP/1.1\r\nHost: 127.0.0.1:3000\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n"
    "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\nContent-Type: application/json\r\n"
    "Content-Length: {length}\r\n\r\n"
)
CHUNKED = (
    "POST /score HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, upgrade\r\nUpgrade: TLS/1.0\r\n"
    "Transfer-Encoding: chunked\r\n\r\n"
)
WEBSOCKET = (
    "POST /score HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Content-Length: {length}\r\n\r\n"
)


@pytest.fixture(scope="module")
def here(responder: Responder) -> Iterator[Site]:
    with site(responder) as running:
        yield running


def recorded(head: str, body: bytes = BODY) -> bytes:
    if "chunked" in head:
        body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    return head.format(length=len(body)).encode() + body


def problem_of(answer: bytes, status: int) -> str:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode()), answer
    assert b"\r\ncontent-type: application/problem+json\r\n" in head
    assert b"\r\nx-content-type-options: nosniff" in head
    problem = json.loads(body)
    assert set(problem) == FIELDS
    assert problem["status"] == status
    return str(problem["type"]).rpartition(":")[2]


@pytest.mark.parametrize("head", [JAVA, CURL, CHUNKED, WEBSOCKET])
def test_an_upgrade_that_is_not_served_is_ignored(here: Site, head: str) -> None:
    with here.link() as link:
        link.send(request())
        expected = link.answer()
        # More than one on a connection, and requests without an upgrade between them.
        link.send((recorded(head) + request()) * 3)
        assert [link.answer() for _ in range(6)] == [expected] * 6


@pytest.mark.parametrize("head", [JAVA, CHUNKED])
@pytest.mark.parametrize("extra", ["", ASGI])
def test_an_upgrade_may_be_cut_anywhere(here: Site, head: str, extra: str) -> None:
    data = recorded(head.replace("Host", extra + "Host"), b"{")
    with here.link() as link:
        link.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link.send(request(b"{"))
        expected = link.answer()
        for at in range(1, len(data)):
            link.send(data[:at])
            time.sleep(0.0005)
            link.send(data[at:] + request(b"{"))
            assert [link.answer(), link.answer()] == [expected] * 2, at


def test_a_body_behind_an_upgrade_is_never_a_request(here: Site) -> None:
    """A proxy that forwards `Upgrade` would else let a client smuggle requests past it."""
    inner = b"GET /policy HTTP/1.1\r\nHost: x\r\n\r\n"
    with here.link() as link:
        data = recorded(JAVA, inner)
        link.send(data[: -len(inner)])
        time.sleep(0.05)
        link.send(inner)
        assert problem_of(link.answer(), 400) == "malformed-json"
        link.send(request())
        assert link.answer().startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01 what is this\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /é HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
        request(extra="Content-Length: 3\r\n"),
        request(extra="Transfer-Encoding: chunked\r\n"),
        request(length=10**30, body=b""),
        request().replace(b"Content-Length: ", b"Content-Length: +"),
        request(extra="X: a\r\n b\r\n"),
        recorded(CHUNKED).replace(b"{", b"\r\nz", 1),
    ],
)
def test_what_is_no_http_gets_the_one_error_shape(here: Site, data: bytes) -> None:
    with here.link() as link:
        link.send(data)
        answer = link.answer()
        assert problem_of(answer, 400) == "bad-request"
        assert b"\r\nconnection: close" in answer
        assert link.is_closed()


def test_malformed_bytes_do_not_overtake_the_answers_before_them(here: Site) -> None:
    page = b"GET /model HTTP/1.1\r\nHost: x\r\n\r\n"
    with here.link() as link:
        link.send(request() + page + request() + b"\x00\r\n\r\n")
        answers = [link.answer() for _ in range(4)]
        assert [answer[:13] for answer in answers[:3]] == [b"HTTP/1.1 200 "] * 3
        assert problem_of(answers[3], 400) == "bad-request"
        assert link.is_closed()


@pytest.mark.parametrize(
    "head",
    [
        "POST /score HTTP/1.1\r\nX-Long: {large}\r\n",
        "POST /{large} HTTP/1.1\r\n",
        "POST /score HTTP/1.1\r\n" + "{many}",
    ],
)
@pytest.mark.parametrize("step", [1000, 10**9])
def test_a_head_beyond_the_limit_is_rejected(here: Site, head: str, step: int) -> None:
    large = "x" * MAX_HEAD_BYTES
    many = "".join(f"x-{number}: y\r\n" for number in range(MAX_HEAD_BYTES // 8))
    data = (head.format(large=large, many=many) + "Content-Length: 0\r\n\r\n").encode()
    for before in (b"", request()):
        with here.link() as link:
            sent = before + data
            for at in range(0, len(sent), step):
                link.send(sent[at : at + step])
            if before:
                assert link.answer().startswith(b"HTTP/1.1 200 ")
            answer = link.answer()
            assert problem_of(answer, 431) == "head-too-large"
            assert b"\r\nconnection: close" in answer
            assert link.is_closed()


def test_a_head_below_the_limit_is_not_rejected(here: Site) -> None:
    with here.link() as link:
        for _ in range(3):
            link.send(request(extra=f"X-Long: {'x' * (MAX_HEAD_BYTES - 1000)}\r\n") * 2)
            assert link.answer().startswith(b"HTTP/1.1 200 ")
            assert link.answer().startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "endless", ["0\r\nX-Trailer: {large}", "1;extension={large}", "0\r\n{many}"]
)
def test_what_surrounds_chunks_has_the_same_limit(here: Site, endless: str) -> None:
    many = "".join(f"x-{number}: y\r\n" for number in range(100_000))
    data = recorded(CHUNKED)[: -len(b"0\r\n\r\n")]
    data += endless.format(large="x" * 10**6, many=many).encode()
    with here.link() as link:
        for at in range(0, len(data), 10_000):
            link.send(data[at : at + 10_000])
        assert problem_of(link.answer(), 431) == "head-too-large"
        assert link.is_closed()


def test_trailers_change_nothing(here: Site) -> None:
    with here.link() as link:
        link.send(recorded(CHUNKED)[:-2] + b"Content-Type: text/plain\r\nX: y\r\n\r\n" + request())
        assert link.answer() == link.answer()


def test_connections_that_send_nothing_or_half_a_head_are_closed(responder: Responder) -> None:
    with (
        site(responder, idle_seconds=0.6, head_seconds=0.3) as here,
        here.link() as silent,
        here.link() as halfway,
        here.link() as used,
    ):
        halfway.send(request()[:40])
        started = time.monotonic()
        assert problem_of(halfway.answer(), 408) == "request-timeout"
        assert halfway.is_closed()
        assert silent.is_closed()
        assert time.monotonic() - started > 0.2
        del used


def test_an_idle_connection_is_closed_and_a_used_one_is_not(responder: Responder) -> None:
    with site(responder, idle_seconds=1.0) as here, here.link() as link:
        for extra in ("", ASGI, "", ASGI, ""):
            link.send(request(extra=extra))
            assert link.answer().startswith(b"HTTP/1.1 200 ")
            time.sleep(0.4)
        link.send(request())
        link.answer()
        started = time.monotonic()
        assert link.is_closed()
        assert time.monotonic() - started > 0.7


def test_a_body_may_take_longer_than_a_connection_may_be_idle(responder: Responder) -> None:
    with site(responder, idle_seconds=0.3, head_seconds=0.3) as here:
        for extra in ("", ASGI):
            with here.link() as link:
                data = request(extra=extra)
                link.send(data[:-10])
                time.sleep(1.0)
                link.send(data[-10:])
                assert link.answer().startswith(b"HTTP/1.1 200 ")
