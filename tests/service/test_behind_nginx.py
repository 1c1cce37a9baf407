"""The same request gets the same answer alone and through nginx, whatever it holds and however it is sent."""

import json
import re
import socket
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.service.asking import student
from tests.service.links import port
from tests.service.nginx import proxied
from tests.service.running import Running

BODIES = st.one_of(
    st.integers(1, 60).map(
        lambda number: json.dumps({"students": [student(f"é-{row}") for row in range(number)]})
    ),
    st.sampled_from(["{", "", '{"students": []}', '{"students": [{"id": "x", "periods": []}]}']),
    st.text(max_size=100),
).map(lambda text: text.encode("utf-8", "replace"))
HEADERS = st.lists(
    st.sampled_from(
        [
            "X-Request-ID: 4711",
            "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "Accept: text/html",
            "Cookie: a=b",
            "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQ",
            "Origin: https://example.org",
            "X-Forwarded-For: 10.1.2.3, 10.1.2.4",
        ]
    ),
    max_size=4,
    unique=True,
)


@pytest.fixture(scope="module")
def behind(server: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of an nginx before the server."""
    with proxied(server.url, tmp_path_factory.mktemp("nginx"), buffers=False) as url:
        yield int(url.rpartition(":")[2])


def ask(to: int, data: bytes) -> tuple[int, bytes]:
    """Send a request that closes its connection; return status and body of the response."""
    with socket.create_connection(("127.0.0.1", to), timeout=30) as link:
        link.sendall(data)
        received = b""
        while piece := link.recv(2**16):
            received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    if b"transfer-encoding: chunked" in head.lower():
        body = b"".join(chunks(body))
    status = re.match(rb"HTTP/1\.1 (\d{3}) ", head)
    assert status is not None, received
    return int(status[1]), body


def chunks(body: bytes) -> Iterator[bytes]:
    while body:
        size, _, rest = body.partition(b"\r\n")
        yield rest[: int(size, 16)]
        body = rest[int(size, 16) + 2 :]


def request(body: bytes, headers: list[str], size: int) -> bytes:
    """Return a request; `size` is that of its chunks, 0 for none."""
    extra = "".join(f"{one}\r\n" for one in headers)
    if not any(one.startswith("Connection") for one in headers):
        extra += "Connection: close\r\n"
    else:
        extra = extra.replace("Connection: Upgrade", "Connection: close, Upgrade")
    head = f"POST /score HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{extra}"
    if not size:
        return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    written = b"".join(b"%x\r\n%b\r\n" % (len(one), one) for one in pieces)
    return f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + written + b"0\r\n\r\n"


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=BODIES, headers=HEADERS, size=st.sampled_from([0, 1, 700, 10_000]))
def test_a_request_gets_the_same_answer_alone_and_behind_nginx(
    server: Running, behind: int, body: bytes, headers: list[str], size: int
) -> None:
    expected = ask(port(server), request(body, [], 0))
    assert ask(port(server), request(body, headers, size)) == expected
    assert ask(behind, request(body, headers, size)) == expected
