"""The short way of `score` gives the bytes of the long one, and leaves it whatever is not plain."""

import asyncio
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.http import body as arrival
from service.responder import Responder
from tests.conftest import REPOSITORY
from tests.service.asking import student
from tests.service.in_process import LIMIT, Site, request, site
from tests.service.running import environment


@pytest.fixture(scope="module")
def here(responder: Responder) -> Iterator[Site]:
    with site(responder, timeout_keep_alive=1) as running:
        yield running


def test_a_known_head_goes_the_short_way(here: Site) -> None:
    with here.link() as link:
        here.known(link)
        before = here.front.long
        for _ in range(5):
            link.send(request())
            assert link.answer().startswith(b"HTTP/1.1 200 OK\r\n")

    assert here.front.long == before


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    bodies=st.lists(
        st.one_of(
            st.integers(1, 40).map(
                lambda number: json.dumps(
                    {"students": [student(f"é-{row}") for row in range(number)]}
                ).encode()
            ),
            st.just(b"{"),
            st.just(b""),
            st.just(b'{"students": [{"id": "x", "periods": []}]}'),
            st.binary(max_size=200),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_both_ways_give_the_same_bytes(here: Site, bodies: list[bytes]) -> None:
    """An Accept that is unusual, but asks for nothing else, keeps to the long way."""
    with here.link() as link:
        here.known(link)
        for body in bodies:
            before = here.front.long
            link.send(request(body))
            short = link.answer()
            assert here.front.long == before
            link.send(request(body, extra="Accept: application/json;q=0.9\r\n"))
            assert link.answer() == short
            assert here.front.long == before + 1


@pytest.mark.parametrize("size", [1, 7, 100])
def test_a_request_may_come_in_pieces(here: Site, size: int) -> None:
    with here.link() as link:
        here.known(link)
        link.send(request())
        whole = link.answer()
        data = request()
        link.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(0, len(data), size):
            link.send(data[at : at + size])
        assert link.answer() == whole


def test_head_and_body_may_come_apart(here: Site) -> None:
    with here.link() as link:
        here.known(link)
        before = here.front.long
        data = request()
        end = data.index(b"\r\n\r\n") + 4
        for piece in (data[:end], data[end : end + 30], data[end + 30 :]):
            link.send(piece)
            time.sleep(0.05)
        assert link.answer().startswith(b"HTTP/1.1 200 ")

    assert here.front.long == before


def test_pipelined_requests_are_answered_in_order(here: Site) -> None:
    names = [f"s-{number}" for number in range(300)]
    bodies = [json.dumps({"students": [student(name)]}).encode() for name in names]
    with here.link() as link:
        here.known(link)
        sending = threading.Thread(target=link.send, args=(b"".join(map(request, bodies)),))
        sending.start()
        answers = [json.loads(link.answer().partition(b"\r\n\r\n")[2]) for _ in names]
        sending.join()

    assert [answer["assessments"][0]["id"] for answer in answers] == names


def test_short_and_long_ways_mix_on_one_connection(here: Site) -> None:
    page = b"GET /model HTTP/1.1\r\nHost: x\r\n\r\n"
    with here.link() as link:
        here.known(link)
        link.send((request() + page) * 3 + request())
        kinds = [b'"assessments"' in link.answer() for _ in range(7)]

    assert kinds == [True, False, True, False, True, False, True]


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET /score HTTP/1.1\r\nHost: x\r\n\r\n", 405),
        (request().replace(b"application/json", b"text/plain"), 415),
        (request(extra="Content-Encoding: gzip\r\n"), 415),
        (request().replace(b"/score", b"/scores"), 404),
        (request(b"x" * (LIMIT + 1)), 413),
        (request(length=10**30, body=b""), 400),
        (request(extra="Content-Length: 3\r\n"), 400),
        (request(extra="Transfer-Encoding: chunked\r\n"), 400),
        (request().replace(b"Content-Length: ", b"Content-Length: +"), 400),
        (b"\x16\x03\x01 what is this\r\n\r\n", 400),
    ],
)
def test_what_is_not_plain_is_answered_as_ever(here: Site, data: bytes, status: int) -> None:
    with here.link() as link:
        here.known(link)
        link.send(data)
        assert link.answer().startswith(f"HTTP/1.1 {status} ".encode())
    with here.link() as link:
        here.known(link)


@pytest.mark.parametrize(
    "extra", ["Expect: 100-continue\r\n", "Accept: text/plain\r\n", "Upgrade: h2c\r\n"]
)
def test_a_head_that_asks_for_more_is_never_remembered(here: Site, extra: str) -> None:
    before = here.front.long
    for _ in range(3):
        with here.link() as link:
            link.send(request(extra=extra))
            first = link.answer()
            if first == b"HTTP/1.1 100 Continue\r\n\r\n":
                first = link.answer()
            assert first.startswith(b"HTTP/1.1 200 ")

    assert here.front.long == before + 3


def test_the_old_protocol_closes_after_its_answer(here: Site) -> None:
    for _ in range(2):
        with here.link() as link:
            link.send(request().replace(b"HTTP/1.1", b"HTTP/1.0"))
            assert b"\r\nconnection: close\r\n" in link.answer()
            assert link.is_closed()


def test_who_asks_to_close_is_closed(here: Site) -> None:
    for _ in range(2):
        with here.link() as link:
            link.send(request(extra="Connection: close\r\n"))
            assert b"\r\nconnection: close\r\n" in link.answer()
            assert link.is_closed()


def test_an_idle_connection_is_closed_and_a_used_one_is_not(here: Site) -> None:
    with here.link() as link:
        here.known(link)
        for _ in range(4):
            link.send(request())
            link.answer()
            time.sleep(0.4)
        link.send(request())
        link.answer()
        started = time.monotonic()
        assert link.is_closed()
        assert 0.7 < time.monotonic() - started < 3


def test_a_client_that_hangs_up_harms_nobody(here: Site) -> None:
    with here.link() as link:
        here.known(link)
        for cut in (len(request()), len(request()) - 20, 30):
            for _ in range(10):
                with here.link() as other:
                    other.send(request()[:cut])
        link.send(request())
        assert link.answer().startswith(b"HTTP/1.1 200 ")


def test_a_body_that_stops_halfway_is_given_up(here: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrival, "ARRIVAL_SECONDS", 0.2)
    with here.link() as link:
        here.known(link)
        before = here.front.long
        link.send(request()[:-10])
        short = link.answer()
        assert link.is_closed()
        assert here.front.long == before
    with here.link() as link:
        link.send(request(extra="Accept: text/plain\r\n")[:-10])
        assert link.answer() == short


def test_shutting_down_answers_what_was_taken_in(responder: Responder) -> None:
    with site(responder) as here, here.link() as idle, here.link() as link:
        here.known(idle)
        here.known(link)
        link.send(request()[:-5])
        time.sleep(0.1)
        here.server.should_exit = True
        assert idle.is_closed()
        link.send(request()[-5:])
        answer = link.answer()
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b"\r\nconnection: close\r\n" in answer
        assert link.is_closed()


def test_many_clients_at_once_each_get_their_own(here: Site) -> None:
    async def ask(name: str) -> None:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{here.port}") as client:
            for number in range(20):
                body = {"students": [student(f"{name}-{number}")]}
                got = (await client.post("/score", json=body, timeout=30)).json()
                assert [one["id"] for one in got["assessments"]] == [f"{name}-{number}"]

    async def all_ask() -> None:
        await asyncio.gather(*(ask(f"s-{number}") for number in range(20)))

    asyncio.run(all_ask())


@pytest.mark.parametrize(("fast_path", "name"), [("true", "ScoreProtocol"), ("false", "Http")])
def test_bentoml_s_worker_uses_it_unless_told_otherwise(
    bundle_dir: Path, tmp_path: Path, fast_path: str, name: str
) -> None:
    script = (
        "import uvicorn; from service.app import Bellwether;"
        "config = uvicorn.Config(Bellwether.to_asgi(), workers=1, log_config=None); config.load();"
        "print(config.http_protocol_class.__name__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=REPOSITORY,
        env=environment(tmp_path, bundle=bundle_dir, fast_path=fast_path),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert name in done.stdout
