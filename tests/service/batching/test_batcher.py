"""Requests that arrive together are answered together, and none harms or waits for another."""

import asyncio
import itertools
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.batching.admission import AdmissionController, CostModel
from service.batching.batcher import LONG_BYTES, ROWS, Batcher
from service.batching.records import BatchRecord
from service.http.problems import RequestError
from service.responder import Answers, Responder
from service.rows.decoder import ScoreRequest
from tests.service.asking import kind, student

FREE = CostModel(run=1e-9, request=1e-9, byte=1e-12)


class Asker:
    """Somebody who asks and keeps what comes back."""

    def __init__(self, order: list["Asker"] | None = None) -> None:
        self.disconnected = False
        self.outcome: bytes | RequestError | None = None
        self._order = order

    def succeed(self, body: bytes) -> None:
        self._take(body)

    def fail(self, refusal: RequestError) -> None:
        self._take(refusal)

    def _take(self, outcome: bytes | RequestError) -> None:
        assert self.outcome is None, "answered twice"
        self.outcome = outcome
        if self._order is not None:
            self._order.append(self)

    @property
    def answer(self) -> Any:
        assert isinstance(self.outcome, bytes), self.outcome
        return msgspec.json.decode(self.outcome)

    @property
    def refusal(self) -> RequestError:
        assert isinstance(self.outcome, RequestError)
        return self.outcome


class Watched:
    """The real responder, with what it was asked; told to fail, it fails."""

    def __init__(self, responder: Responder, fails: Callable[[list[str]], bool]) -> None:
        self._responder = responder
        self._fails = fails
        self.sample_request = responder.sample_request
        self.passes: list[list[str]] = []

    def read(self, body: bytes) -> ScoreRequest:
        return self._responder.read(body)

    def answer(self, requests: Sequence[ScoreRequest]) -> Answers:
        ids = [name for request in requests for name in request.students.ids]
        self.passes.append(ids)
        if self._fails(ids):
            raise ValueError("a fault of ours")
        return self._responder.answer(requests)


class Bench:
    """A batcher over the real responder, in a loop of its own."""

    def __init__(
        self,
        responder: Responder,
        *,
        fails: Callable[[list[str]], bool] = lambda _: False,
        costs: CostModel = FREE,
        limit: float = 1.0,
        executor: Executor | None = None,
    ) -> None:
        self.model = Watched(responder, fails)
        self.turns: list[BatchRecord] = []
        workload = AdmissionController(costs, limit=limit, turn=ROWS, slice_bytes=LONG_BYTES)
        self.batcher = Batcher(
            self.model, workload, self.turns.append, executor=executor, beside=executor
        )

    def ask(self, *bodies: bytes) -> list[Asker]:
        """Submit all at once; return the clients, once all are answered."""

        async def all_answered() -> list[Asker]:
            askers = [Asker() for _ in bodies]
            for body, asker in zip(bodies, askers, strict=True):
                if not self.batcher.submit(body, asker):
                    asker.fail(self.batcher.refusal())
            await self.idle()
            return askers

        return asyncio.run(all_answered())

    async def idle(self) -> None:
        async with asyncio.timeout(60):
            while self.batcher.waiting or self.batcher.busy:
                await asyncio.sleep(0)


def body(*students: Any, **more: Any) -> bytes:
    return msgspec.json.encode({"students": list(students), **more})


def ids(asker: Asker) -> list[str]:
    return [one["id"] for one in asker.answer["assessments"]]


def class_of(number: int, name: str = "c") -> bytes:
    return body(*(student(f"{name}-{row}") for row in range(number)))


def test_what_arrives_together_is_answered_in_one_pass(responder: Responder) -> None:
    bench = Bench(responder)
    askers = bench.ask(*(body(student(f"s-{number}")) for number in range(50)))

    assert [ids(asker) for asker in askers] == [[f"s-{number}"] for number in range(50)]
    assert bench.model.passes == [[f"s-{number}" for number in range(50)]]


def test_a_request_alone_waits_for_nobody(responder: Responder) -> None:
    """One turn of the event loop after it came, it is answered: there is no delay to fill up."""
    bench = Bench(responder)

    async def ask() -> Asker:
        asker = Asker()
        bench.batcher.submit(body(student()), asker)
        await asyncio.sleep(0)
        return asker

    assert ids(asyncio.run(ask())) == ["s-1"]


def test_no_pass_holds_more_than_its_rows(responder: Responder) -> None:
    bench = Bench(responder)
    askers = bench.ask(*(class_of(20, f"c{number}") for number in range(40)))

    assert [len(names) for names in bench.model.passes] == [240, 240, 240, 80]
    assert all(len(ids(asker)) == 20 for asker in askers)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_comes_together_each_gets_what_it_would_alone(
    responder: Responder, data: st.DataObject
) -> None:
    mark = st.one_of(st.none(), st.floats(0, 100), st.just(101.0), st.just("no number"))
    week = st.fixed_dictionaries({"attendance": mark, "quiz": mark})
    weeks = st.lists(week, min_size=1, max_size=8).map(
        lambda some: [{"period": at, **one} for at, one in enumerate(some, 1)]
    )
    classes = data.draw(
        st.lists(
            st.tuples(st.lists(weeks, min_size=0, max_size=6), st.booleans(), st.booleans()),
            min_size=1,
            max_size=20,
        )
    )
    numbers = itertools.count()
    bodies = [
        body(
            *(student(f"s-{next(numbers)}", periods) for periods in histories),
            recommendations=advice,
            forecast=forecast,
        )
        for histories, advice, forecast in classes
    ]
    together = Bench(responder).ask(*bodies)
    for one, asker in zip(bodies, together, strict=True):
        [alone] = Bench(responder).ask(one)
        if isinstance(alone.outcome, RequestError):
            assert asker.refusal.body() == alone.refusal.body()
        else:
            assert asker.answer == alone.answer


def test_a_faulty_request_is_refused_and_the_others_are_answered(responder: Responder) -> None:
    bench = Bench(responder)
    good, broken, faulty = bench.ask(body(student()), b"{", body(student("s-2", [{"period": 99}])))

    assert ids(good) == ["s-1"]
    assert broken.refusal.status == 400
    assert faulty.refusal.status == 422
    assert sum(len(turn.outcomes) for turn in bench.turns) == 3


def test_a_crash_in_a_pass_reaches_only_the_request_that_causes_it(responder: Responder) -> None:
    bench = Bench(responder, fails=lambda names: "bad" in names)
    askers = bench.ask(*(body(student(name)) for name in ("a", "b", "bad", "c")))

    assert [ids(asker) for asker in (askers[0], askers[1], askers[3])] == [["a"], ["b"], ["c"]]
    assert askers[2].refusal.status == 500
    assert kind(msgspec.json.decode(askers[2].refusal.body())) == "internal-error"
    assert ids(bench.ask(body(student()))[0]) == ["s-1"]


def test_a_crash_in_a_slice_ends_the_long_request_alone(responder: Responder) -> None:
    bench = Bench(responder, fails=lambda names: "c-300" in names)
    long, short = bench.ask(class_of(1000), body(student()))

    assert long.refusal.status == 500
    assert ids(short) == ["s-1"]
    assert bench.batcher.waiting == 0


def test_who_has_gone_costs_no_pass(responder: Responder) -> None:
    bench = Bench(responder)

    async def leave() -> Asker:
        gone, stays = Asker(), Asker()
        bench.batcher.submit(body(student("gone")), gone)
        bench.batcher.submit(body(student("stays")), stays)
        gone.disconnected = True
        await bench.idle()
        assert gone.outcome is None
        return stays

    assert ids(asyncio.run(leave())) == ["stays"]
    assert bench.model.passes == [["stays"]]


@pytest.mark.parametrize("threads", [0, 1])
def test_a_long_request_lets_short_ones_pass(responder: Responder, threads: int) -> None:
    with ThreadPoolExecutor(1) as executor:
        bench = Bench(responder, executor=executor if threads else None)

        async def ask() -> tuple[list[Asker], Asker, list[Asker]]:
            order: list[Asker] = []
            long = Asker(order)
            bench.batcher.submit(class_of(2000), long)
            shorts = []
            while long.outcome is None:
                asker = Asker(order)
                shorts.append(asker)
                bench.batcher.submit(body(student(f"s-{len(shorts)}")), asker)
                while asker.outcome is None:
                    await asyncio.sleep(0)
            await bench.idle()
            return order, long, shorts

        order, long, shorts = asyncio.run(ask())

    assert order.index(long) >= 3
    assert [ids(asker) for asker in shorts] == [[f"s-{at}"] for at in range(1, len(shorts) + 1)]
    assert long.answer == msgspec.json.decode(responder.score(class_of(2000)).body)
    slices = [names for names in bench.model.passes if names[0].startswith("c-")]
    assert [len(names) for names in slices] == [256] * 7 + [208]


def test_an_answer_in_slices_is_the_answer_in_one(responder: Responder) -> None:
    """Byte for byte, faulty students and all."""
    faulty = [student(f"f-{row}", [{"period": 1, "attendance": 999}]) for row in range(30)]
    good = [student(f'g-"],"errors":[]}}{row}') for row in range(600)]
    mixed = body(*(one for pair in itertools.zip_longest(faulty, good) for one in pair if one))
    [asker] = Bench(responder).ask(mixed)

    assert asker.outcome == responder.score(mixed).body


def test_long_requests_go_round(responder: Responder) -> None:
    bench = Bench(responder)
    bench.ask(class_of(600, "a"), class_of(300, "b"))

    assert [(names[0][0], len(names)) for names in bench.model.passes] == [
        ("a", 256),
        ("b", 256),
        ("a", 256),
        ("b", 44),
        ("a", 88),
    ]


def test_what_would_wait_too_long_is_refused_at_once(responder: Responder) -> None:
    bench = Bench(responder, costs=CostModel(run=0.001, request=0.01, byte=1e-9), limit=0.1)
    askers = bench.ask(*(body(student(f"s-{number}")) for number in range(30)))

    answered = [asker for asker in askers if isinstance(asker.outcome, bytes)]
    refused = [asker.refusal for asker in askers if isinstance(asker.outcome, RequestError)]
    assert answered == askers[: len(answered)]
    assert 9 <= len(answered) <= 12
    assert {refusal.status for refusal in refused} == {429}
    assert dict(refused[0].headers) == {b"retry-after": b"1"}
    assert kind(msgspec.json.decode(refused[0].body())) == "too-busy"
    assert sum(turn.refused for turn in bench.turns) == len(refused)
    assert ids(bench.ask(body(student()))[0]) == ["s-1"]


def test_shutting_down_tells_those_who_wait(responder: Responder) -> None:
    bench = Bench(responder)

    async def close() -> tuple[Asker, bool]:
        waiting = Asker()
        bench.batcher.submit(body(student()), waiting)
        bench.batcher.close()
        late = bench.batcher.submit(body(student()), Asker())
        await bench.idle()
        return waiting, late

    waiting, late = asyncio.run(close())
    assert waiting.refusal.status == 503
    assert not late
    assert bench.batcher.refusal().status == 503


def test_there_is_no_room_from_a_refusal_until_something_leaves(responder: Responder) -> None:
    bench = Bench(responder, costs=CostModel(run=1.0, request=1.0, byte=0.0), limit=0.5)
    small, large = body(student()), class_of(200)
    seen: list[tuple[bool, bool]] = []

    def look() -> None:
        seen.append((bench.batcher.has_room(len(small)), bench.batcher.has_room(len(large))))

    async def ask() -> None:
        look()
        assert bench.batcher.submit(small, Asker())
        look()
        assert not bench.batcher.submit(small, Asker())
        look()
        await bench.idle()
        look()
        bench.batcher.turn_away()
        assert bench.batcher.submit(small, Asker())
        await bench.idle()
        bench.batcher.close()
        look()

    asyncio.run(ask())
    # A long request waits four times its own work on top, so a short one may leave room for it.
    assert seen == [(True, True), (True, True), (False, True), (True, True), (False, False)]
    # A request that is rejected while none is answered is counted at once.
    assert [turn.refused for turn in bench.turns] == [1, 1, 0]
