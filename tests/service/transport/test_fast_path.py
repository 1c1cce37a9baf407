"""The fast path of `score` gives the bytes that ASGI gives, and leaves everything unusual to ASGI."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.http import body as arrival
from service.responder import Responder
from tests.service.asking import student
from tests.service.in_process import ASGI, BODY, LIMIT, Site, request, site

PAGE = b"GET /model HTTP/1.1\r\nHost: x\r\n\r\n"
BODIES = st.one_of(
    st.integers(1, 40).map(
        lambda number: json.dumps(
            {"students": [student(f"é-{row}") for row in range(number)]}
        ).encode()
    ),
    st.just(b"{"),
    st.just(b""),
    st.just(b'{"students": [{"id": "x", "periods": []}]}'),
    st.binary(max_size=200),
)


@pytest.fixture(scope="module")
def here(responder: Responder) -> Iterator[Site]:
    with site(responder) as running:
        yield running


def chunked(body: bytes, size: int) -> bytes:
    """Return a request whose body comes in chunks."""
    head = request(b"").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return head + b"".join(b"%x;a=b\r\n%b\r\n" % (len(one), one) for one in pieces) + b"0\r\n\r\n"


def ask(here: Site, data: bytes) -> bytes:
    with here.link() as link:
        link.send(data)
        return link.answer()


def test_a_score_request_needs_no_asgi(here: Site) -> None:
    before = here.front.through_asgi
    with here.link() as link:
        for _ in range(5):
            link.send(request())
            assert link.answer().startswith(b"HTTP/1.1 200 OK\r\n")

    assert here.front.through_asgi == before


@pytest.mark.parametrize(
    "extra",
    [
        "X-Request-ID: 7f3a\r\ntraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n",
        "Authorization: Bearer abc\r\nCookie: a=b\r\nAccept: text/html\r\nX-Forwarded-For: 10.0.0.1\r\n",
    ],
)
def test_headers_that_proxies_and_callers_add_keep_to_the_fast_path(here: Site, extra: str) -> None:
    before, plain = here.front.through_asgi, ask(here, request())
    for number in range(3):
        assert ask(here, request(extra=f"{extra}X-Number: {number}\r\n")) == plain
    assert here.front.through_asgi == before


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=BODIES,
    extra=st.sampled_from(["", "X-Request-ID: 1\r\n", "Upgrade: h2c\r\nConnection: Upgrade\r\n"]),
    size=st.integers(1, 3000),
)
def test_the_same_request_gets_the_same_answer_however_it_is_sent(
    here: Site, body: bytes, extra: str, size: int
) -> None:
    expected = ask(here, request(body, extra=ASGI))
    before = here.front.through_asgi
    assert ask(here, request(body)) == expected
    assert ask(here, request(body, extra=extra)) == expected
    padded = request(body).replace(b"Content-Length: ", b"Content-Length: 000")
    assert ask(here, padded) == expected
    assert here.front.through_asgi == before
    assert ask(here, chunked(body, size)) == expected
    with here.link() as link:
        link.send((request(body) + PAGE + request(extra=extra)) * 2)
        answers = [link.answer() for _ in range(6)]
    alone = [expected, ask(here, PAGE), ask(here, request())]
    assert answers == alone * 2


def test_a_request_may_be_cut_anywhere(here: Site) -> None:
    data, expected = request(b"{"), ask(here, request(b"{"))
    with here.link() as link:
        for at in range(1, len(data)):
            link.send(data[:at])
            time.sleep(0.0005)
            link.send(data[at:])
            assert link.answer() == expected
        for at in range(len(data)):
            link.send(data[at : at + 1])
        assert link.answer() == expected


def test_pipelined_requests_are_answered_in_order(here: Site) -> None:
    names = [f"s-{number}" for number in range(300)]
    bodies = [json.dumps({"students": [student(name)]}).encode() for name in names]
    with here.link() as link:
        sending = threading.Thread(target=link.send, args=(b"".join(map(request, bodies)),))
        sending.start()
        answers = [json.loads(link.answer().partition(b"\r\n\r\n")[2]) for _ in names]
        sending.join()

    assert [answer["assessments"][0]["id"] for answer in answers] == names


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET /score HTTP/1.1\r\nHost: x\r\n\r\n", 405),
        (request().replace(b"application/json", b"text/plain"), 415),
        (request(extra="Content-Encoding: gzip\r\n"), 415),
        (request().replace(b"/score", b"/scores"), 404),
        (request().replace(b"/score", b"/score?x=1"), 200),
        (request(b"x" * (LIMIT + 1)), 413),
    ],
)
def test_what_is_unusual_is_answered_by_asgi(here: Site, data: bytes, status: int) -> None:
    before = here.front.through_asgi
    assert ask(here, data).startswith(f"HTTP/1.1 {status} ".encode())
    assert here.front.through_asgi == before + 1


def test_a_request_that_asks_before_it_sends_a_body_is_asked(here: Site) -> None:
    with here.link() as link:
        link.send(request(extra="Expect: 100-continue\r\n")[: -len(BODY)])
        assert link.answer() == b"HTTP/1.1 100 Continue\r\n\r\n"
        link.send(BODY)
        assert link.answer().startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "data",
    [request().replace(b"HTTP/1.1", b"HTTP/1.0"), request(extra="Connection: close\r\n")],
)
def test_a_connection_ends_where_its_client_wants_that(here: Site, data: bytes) -> None:
    with here.link() as link:
        link.send(data)
        assert b"\r\nconnection: close\r\n" in link.answer()
        assert link.is_closed()


def test_a_client_that_hangs_up_harms_no_other(here: Site) -> None:
    for cut in (len(request()), len(request()) - 20, 30):
        for _ in range(10):
            with here.link() as other:
                other.send(request()[:cut])
    assert ask(here, request()).startswith(b"HTTP/1.1 200 ")
    assert here.route.arriving.held == 0


def test_a_body_that_stops_halfway_is_given_up(here: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrival, "ARRIVAL_SECONDS", 0.2)
    answers = set()
    for extra in ("", ASGI):
        with here.link() as link:
            link.send(request(extra=extra)[:-10])
            answers.add(link.answer())
            assert link.is_closed()
    assert len(answers) == 1
    assert answers.pop().startswith(b"HTTP/1.1 408 ")


def test_shutting_down_answers_what_was_accepted(responder: Responder) -> None:
    with site(responder) as here, here.link() as idle, here.link() as link:
        for one in (idle, link):
            one.send(request())
            assert one.answer().startswith(b"HTTP/1.1 200 ")
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
    async def ask_often(name: str) -> None:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{here.port}") as client:
            for number in range(20):
                body = {"students": [student(f"{name}-{number}")]}
                got = (await client.post("/score", json=body, timeout=30)).json()
                assert [one["id"] for one in got["assessments"]] == [f"{name}-{number}"]

    async def all_ask() -> None:
        await asyncio.gather(*(ask_often(f"s-{number}") for number in range(20)))

    asyncio.run(all_ask())


def test_the_fast_path_can_be_switched_off(responder: Responder) -> None:
    with site(responder, fast_path=False) as here:
        assert ask(here, request()).startswith(b"HTTP/1.1 200 ")
        assert here.front.through_asgi == 1
