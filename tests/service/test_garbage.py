"""Requests that end badly leave nothing behind that only the garbage collector would find.

The collector looks at old objects rarely (`service.asgi`), so that a cycle which holds a body would hold it for long.
"""

import gc
import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import pytest

from service.responder import Responder
from tests.service.asking import student
from tests.service.in_process import ASGI, Site, request, site

# More than is answered at once, so that clients hang up while their requests are worked on.
STUDENTS = [student(f"s-{row}") for row in range(2000)]
ROWS = json.dumps({"students": STUDENTS}).encode()
WRONG = json.dumps({"students": [{**one, "periods": 3} for one in STUDENTS]}).encode()
COLUMNS = json.dumps({"id": ["a"] * 2000, "features": {"quiz": [[1.0, []]] * 2000}}).encode()
CSV = b"id,period,quiz\n" + b"a,1\n" * 2000


@pytest.fixture(scope="module")
def here(responder: Responder) -> Iterator[Site]:
    with site(responder) as running:
        yield running


def bulk(body: bytes, kind: str) -> bytes:
    head = f"POST /score/bulk HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


@contextmanager
def nothing_left(here: Site) -> Iterator[None]:
    """Fail where a cycle refers to a frame, and by it to whatever a function was working on."""
    gc.collect()
    gc.disable()
    try:
        yield
        wait_until_idle(here)
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        frames = [one for one in gc.garbage if isinstance(one, FrameType)]
        left = {frame.f_code.co_qualname for frame in frames}
        large = [
            one
            for one in gc.garbage
            if isinstance(one, bytes | bytearray | list) and len(one) > 1000
        ]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    assert not left
    assert not large


def wait_until_idle(here: Site) -> None:
    deadline = time.monotonic() + 20
    while not here.route.batcher.is_idle or here.server.server_state.connections:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    time.sleep(0.1)


@pytest.mark.parametrize(
    "data",
    [
        request(WRONG),
        request(WRONG, extra=ASGI),
        bulk(COLUMNS, "application/json"),
        bulk(CSV, "text/csv"),
        bulk(b"x" * 2_000_000, "application/vnd.apache.arrow.stream"),
        request(b"{"),
    ],
)
def test_a_rejected_request_leaves_nothing(here: Site, data: bytes) -> None:
    with nothing_left(here):
        for _ in range(3):
            with here.link() as link:
                link.send(data)
                assert link.answer().startswith(b"HTTP/1.1 4")


@pytest.mark.parametrize("share", [0.5, 1.0])
@pytest.mark.parametrize(
    "data",
    [
        request(ROWS),
        request(ROWS, extra=ASGI),
        bulk(COLUMNS, "application/json"),
        bulk(CSV * 100, "text/csv"),
    ],
)
def test_a_request_whose_client_hangs_up_leaves_nothing(
    here: Site, data: bytes, share: float
) -> None:
    with nothing_left(here):
        for _ in range(3):
            with here.link() as link:
                link.send(data[: int(len(data) * share)])
                time.sleep(0.03)
                link.socket.shutdown(socket.SHUT_RDWR)
