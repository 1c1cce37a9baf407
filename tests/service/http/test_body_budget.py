"""Bodies on their way hold no more than a worker's budget, and leave it whole however they end."""

import asyncio
import json
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY
from starlette.types import Message

from service.bulk import route
from service.http import body as arrival
from service.http.body import ClientDisconnectedError, UnwantedBodyError, receive_body
from service.http.body_budget import BodyBudget, PartialBody
from service.http.problems import RequestError
from service.responder import Responder
from tests.service.in_process import ASGI, BODY, Link, Site, request, site

LIMIT = 50_000
# Bytes of the longest body that is received without a server.
MOST = 2000
# Larger than the budget by far, were all of them kept; each is refused for what it holds.
CROWD = 120
GARBAGE = b"x" * 2000
CSV = b"x" * 1500
BUSY = b"HTTP/1.1 429 "
# What the bodies of these tests hold is no JSON, and a table without the columns that it needs.
WRONG = (b"HTTP/1.1 400 ", b"HTTP/1.1 422 ")

pieces = st.lists(st.binary(max_size=400), max_size=12)


@pytest.fixture(scope="module")
def running(responder: Responder) -> Iterator[Site]:
    with site(responder, max_body_bytes=2**17, max_arriving_bytes=2**22) as running:
        running.route.arriving.limit = LIMIT  # less than the setting allows
        yield running


@pytest.fixture
def tight(running: Site) -> Iterator[Site]:
    """A site whose budget is whole, before and after."""
    assert running.route.arriving.held == 0
    yield running
    wait_until_whole(running)


def table(*, extra: str = "") -> bytes:
    head = f"POST /score/bulk HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\n{extra}"
    return f"{head}Content-Length: {len(CSV)}\r\n\r\n".encode() + CSV


def wait_until_whole(here: Site) -> None:
    deadline = time.monotonic() + 10
    while here.route.arriving.held:
        assert time.monotonic() < deadline, here.route.arriving.held
        time.sleep(0.01)


def slow(here: Site, stack: ExitStack, data: bytes) -> list[Link]:
    """Have a crowd send all of a request but its last ten bytes."""
    crowd = [stack.enter_context(here.link()) for _ in range(CROWD)]
    for link in crowd:
        link.send(data[:-10])
    with here.link() as last:  # accepted and read behind them
        for _ in range(5):
            last.send(request())
            assert last.answer().startswith(b"HTTP/1.1 200 ")
    assert LIMIT - 2100 < here.route.arriving.held <= LIMIT
    return crowd


def counted(route: str, status: int) -> float:
    labels = {"route": route, "status": str(status)}
    return REGISTRY.get_sample_value("bellwether_requests_total", labels) or 0.0


WAYS = [
    request(GARBAGE),
    request(GARBAGE, extra=ASGI),
    table(),
]


@pytest.mark.parametrize("data", WAYS)
def test_slow_senders_hold_no_more_than_the_budget(tight: Site, data: bytes) -> None:
    with ExitStack() as stack:
        crowd = slow(tight, stack, data)
        for link in crowd:
            link.send(data[-10:])
        answers = [link.answer() for link in crowd]
        refused = [answer for answer in answers if answer.startswith(BUSY)]
        assert all(b"\r\nretry-after: 1\r\n" in answer for answer in refused)
        assert all(b"too-busy" in answer for answer in refused)
        taken_in = [answer for answer in answers if answer.startswith(WRONG)]
        assert len(taken_in) == LIMIT // (len(data.partition(b"\r\n\r\n")[2]) - 10 + 64)
        assert len(refused) == CROWD - len(taken_in)
        for link in crowd:  # a rejected client continues
            link.send(request())
            assert link.answer().startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("data", WAYS)
def test_those_who_vanish_leave_the_budget_whole(tight: Site, data: bytes) -> None:
    with ExitStack() as stack:
        slow(tight, stack, data)
    wait_until_whole(tight)
    with tight.link() as link:
        link.send(data[:-10])
        time.sleep(0.05)
        link.send(data[-10:])
        assert link.answer().startswith(WRONG)


def test_senders_of_nothing_hold_nothing_and_whole_bodies_need_nothing(tight: Site) -> None:
    with ExitStack() as stack:
        heads = [stack.enter_context(tight.link()) for _ in range(50)]
        for link in heads:
            link.send(request()[: -len(BODY)])
        time.sleep(0.1)
        assert tight.route.arriving.held == 0
        slow(tight, stack, request(GARBAGE))
        with tight.link() as link:
            for extra in ("", ASGI):
                link.send(request(extra=extra))
                assert link.answer().startswith(b"HTTP/1.1 200 ")
        for link in heads:  # what completes a body needs no room
            link.send(BODY)
            assert link.answer().startswith(b"HTTP/1.1 200 ")


def test_both_ways_refuse_with_the_same_bytes(tight: Site) -> None:
    with ExitStack() as stack:
        slow(tight, stack, request(GARBAGE))
        # With room for a few bytes, as there may be, a whole body has none.
        answers = {ask_in_pieces(tight, data) for data in WAYS}

    assert len(answers) == 1
    assert json.loads(answers.pop().partition(b"\r\n\r\n")[2])["status"] == 429


@pytest.mark.parametrize(("data", "route"), [(WAYS[0], "/score"), (WAYS[2], "/score/bulk")])
def test_who_is_refused_is_counted_though_nothing_else_goes_on(
    tight: Site, data: bytes, route: str
) -> None:
    with ExitStack() as stack:
        slow(tight, stack, request(GARBAGE))
        before = counted(route, 429)
        assert ask_in_pieces(tight, data).startswith(BUSY)
        deadline = time.monotonic() + 5
        while counted(route, 429) == before:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    assert counted(route, 429) == before + 1


def ask_in_pieces(here: Site, data: bytes) -> bytes:
    end = data.index(b"\r\n\r\n") + 4
    with here.link() as link:
        for piece in (data[:end], data[end:-10], data[-10:]):
            link.send(piece)
            time.sleep(0.05)
        return link.answer()


def test_a_body_that_stops_halfway_gives_back_what_it_held(
    tight: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrival, "ARRIVAL_SECONDS", 0.2)
    monkeypatch.setattr(route, "SILENCE", 0.2)
    for data in WAYS[:3]:
        with tight.link() as link:
            link.send(data[:-10])
            assert link.answer().startswith(b"HTTP/1.1 408 ")
            wait_until_whole(tight)


def test_a_long_table_that_finds_no_room_is_refused_once_it_would_have_begun(tight: Site) -> None:
    head = "POST /score/bulk HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\n"
    with tight.link() as link:
        link.send(f"{head}Content-Length: {3 * 2**20}\r\n\r\n".encode())
        link.send(b"x" * (2**20 + 1))
        answer = link.answer()
        assert answer.startswith(BUSY)
        assert b"\r\nconnection: close\r\n" in answer
        assert tight.route.arriving.held == 0


@pytest.mark.parametrize("size", [1, 2, 100, 70_000])
def test_memory_holds_no_more_than_is_counted(size: int) -> None:
    budget = BodyBudget(2**20)
    body = PartialBody(budget)
    tracemalloc.start()
    try:
        while body.is_kept and budget.held < 2**19:
            body.add(bytes(bytearray(size)))
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert body.is_kept
    assert held < 1.1 * budget.held


@given(
    limit=st.integers(0, 3000),
    steps=st.lists(
        st.tuples(
            st.integers(0, 5), st.sampled_from(["add", "last", "whole", "drop"]), st.binary()
        ),
        max_size=60,
    ),
)
def test_the_budget_counts_what_is_kept_and_nothing_else(
    limit: int, steps: list[tuple[int, str, bytes]]
) -> None:
    budget = BodyBudget(limit)
    bodies = {number: PartialBody(budget) for number in range(6)}
    kept = dict.fromkeys(bodies, b"")
    for number, step, piece in steps:
        body = bodies[number]
        if step in ("add", "last"):
            body.add(piece, last=step == "last")
            kept[number] = kept[number] + piece if body.is_kept else b""
        if step == "drop":
            body.drop()
        if step == "whole":
            assert body.whole() == kept[number]
        if step in ("drop", "whole"):
            bodies[number], kept[number] = PartialBody(budget), b""
        assert 0 <= budget.held <= limit
        if not any(kept.values()):
            assert budget.held == 0
    for body in bodies.values():
        body.drop()
    assert budget.held == 0


@given(limit=st.integers(0, 3000), sent=pieces, others=st.integers(0, 3000), hangs_up=st.booleans())
def test_a_body_over_asgi_is_whole_or_refused_and_leaves_nothing(
    limit: int, sent: list[bytes], others: int, hangs_up: bool
) -> None:
    budget = BodyBudget(limit)
    taken = others if budget.take(others) else 0
    messages: list[Message] = [
        {"type": "http.request", "body": piece, "more_body": True} for piece in sent
    ]
    if hangs_up:
        messages.append({"type": "http.disconnect"})
    else:
        messages.append({"type": "http.request", "body": b"end", "more_body": False})
    coming = iter(messages)

    async def receive() -> Message:
        assert taken <= budget.held <= limit
        return next(coming)

    whole = b"".join(sent) + b"end"
    arriving = receive_body({"headers": []}, receive, MOST, budget)
    if hangs_up:
        with pytest.raises(ClientDisconnectedError):
            asyncio.run(arriving)
    elif len(whole) > MOST:
        with pytest.raises(RequestError, match="may hold"):
            asyncio.run(arriving)
    elif sum(len(piece) + 64 for piece in sent if piece) > limit - taken:
        with pytest.raises(UnwantedBodyError) as unwanted:
            asyncio.run(arriving)
        assert unwanted.value.size == len(whole)
    else:
        assert asyncio.run(arriving) == whole
    assert budget.held == taken
