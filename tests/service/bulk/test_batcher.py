"""Cohorts that wait together are worked off together, and none harms or changes another."""

import asyncio
import io
import json
import weakref
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from records.arrays import Bools, Floats, Ints
from records.load import load_cohort
from records.tables.formats import TableFormat
from scoring.runtime.scorer import Scorer, Scores
from scoring.steps import Steps, advance
from scoring.students.writing import students_of
from scoring.tables.answers import AnswerTables
from scoring.tables.assessor import Wanted
from service.bulk import responder as bulk
from service.bulk.costs import BulkCosts
from service.bulk.pending import BulkRequest, SliceResult
from service.bulk.queue import BulkQueue
from service.bulk.slice_writer import TableAnswer
from service.bulk.timings import BulkTimings
from service.http.problems import RequestError
from service.responder import Responder
from tests.scoring.arrow_tables import as_table
from tests.service.batching.test_batcher import Asker, Bench
from tests.service.bulk.test_responder import BAD, columns_of
from tests.service.bulk_responders import bulk_of

# Of histories as long as they can be and shorter ones.
_STUDENTS = [
    {**one, "periods": one["periods"][: 1 + at % 11]}
    for at, one in enumerate(students_of(load_cohort("simulated", students=600, seed=21)))
]
_WANTED = [Wanted(), Wanted(forecast=False), Wanted(recommendations=False, forecast=False)]
# A mark that no other student has: who has it makes the model fail.
_POISON = 12.3456


def in_arrow(responder: Responder, students: Sequence[Any]) -> bytes:
    sink = io.BytesIO()
    table = as_table(responder.bundle.contract, students)
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=500)
    return sink.getvalue()


def in_columns(responder: Responder, students: Sequence[Any]) -> bytes:
    return json.dumps(columns_of(students, responder.bundle.contract.feature_names)).encode()


@dataclass
class Sent:
    """A body, how it is written, and the client of its answer."""

    body: bytes
    request: BulkRequest
    asker: Asker

    @classmethod
    def of(
        cls,
        responder: Responder,
        students: Sequence[Any],
        wanted: Wanted = _WANTED[1],
        kind: TableFormat | None = TableFormat.ARROW,
    ) -> "Sent":
        write = in_columns if kind is None else in_arrow
        request = BulkRequest(kind, kind, wanted, whole=True)
        return cls(write(responder, students), request, Asker())

    def alone(self, responder: Responder) -> bytes | RequestError:
        """What it is answered without anybody beside it."""
        try:
            return b"".join(bulk_of(responder).answer(pa.BufferReader(self.body), self.request))
        except RequestError as refusal:
            return refusal


def answered(responder: Responder, sent: Sequence[Sent]) -> list[SliceResult]:
    """Submit all in one turn of an event loop, and wait; return the slices, as they were noted."""
    worked: list[SliceResult] = []

    async def run() -> None:
        batcher = Bench(responder).batcher
        with ThreadPoolExecutor(1) as readers:
            costs = BulkCosts(dict.fromkeys([None, *TableFormat], 1e-12))
            desk = BulkQueue(bulk_of(responder), batcher, costs, worked.append, readers)
            for one in sent:
                assert desk.submit(one.body, one.request, one.asker, BulkTimings(perf_counter()))
            while any(one.asker.outcome is None and not one.asker.disconnected for one in sent):
                await asyncio.sleep(0.001)

    asyncio.run(asyncio.wait_for(run(), 60))
    return worked


def part_of(start: int, size: int) -> list[Any]:
    return [_STUDENTS[at % len(_STUDENTS)] for at in range(start, start + size)]


cohorts = st.tuples(
    st.integers(0, 500),  # the first student
    st.integers(1, 60) | st.sampled_from([255, 256, 257, 400]),  # how many
    st.sampled_from(_WANTED),
    st.sampled_from([None, TableFormat.ARROW]),
    st.sampled_from(["sound", "sound", "sound", "one refused", "all refused", "damaged"]),
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(asked=st.lists(cohorts, min_size=1, max_size=7))
def test_everybody_is_answered_as_alone(responder: Responder, asked: list[Any]) -> None:
    sent = []
    for start, size, wanted, kind, state in asked:
        students = part_of(start, size)
        if state == "one refused":
            students.insert(size // 2, BAD)
        if state == "all refused":
            students = [BAD]
        one = Sent.of(responder, students, wanted, kind)
        if state == "damaged":
            one.body = one.body[: len(one.body) // 2]
        sent.append(one)

    answered(responder, sent)

    for one in sent:
        alone, beside = one.alone(responder), one.asker.outcome
        if isinstance(alone, RequestError):
            assert isinstance(beside, RequestError)
            assert beside.body() == alone.body()
        else:
            assert beside == alone


def test_those_who_ask_for_the_same_share_executions(responder: Responder) -> None:
    sizes = [40, 50, 60, 70]
    sent = [Sent.of(responder, part_of(10 * at, size)) for at, size in enumerate(sizes)]
    other = Sent.of(responder, part_of(0, 30), _WANTED[2])

    worked = answered(responder, [*sent[:2], other, *sent[2:]])

    assert [len(one.students.ids) for one in worked] == [*sizes, 30]
    assert sum(worked[0].executions) == sum(sizes)
    assert [one.executions for one in worked[1:4]] == [()] * 3
    assert sum(worked[4].executions) == 30
    # What all took together is divided by students.
    shares = [one.seconds.compute / size for one, size in zip(worked, sizes, strict=False)]
    assert shares == pytest.approx([shares[0]] * 4)


@pytest.mark.parametrize("state", ["all refused", "too long"])
def test_executions_are_counted_once(
    responder: Responder, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    sound = [Sent.of(responder, part_of(0, size)) for size in (20, 30)]
    if state == "all refused":
        first, scored = Sent.of(responder, [BAD]), 50
    else:  # scored with the others, and then not to be answered
        monkeypatch.setattr(bulk_of(responder), "_max_students", 49)
        first, scored = Sent.of(responder, part_of(0, 50)), 100
        first.request = replace(first.request, answer=None)

    worked = answered(responder, [first, *sound])

    assert sum(sum(one.executions) for one in worked) == scored


class Turns:
    """Turns that go on for no time, and in which of them something is done."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self._turn = 0
        monkeypatch.setattr("service.bulk.batcher.advance", self._advance)

    def _advance(self, steps: Steps[Any], _seconds: float) -> Any:
        self._turn += 1
        return advance(steps, 0.0)

    def of(self, owner: Any, name: str) -> Counter[int]:
        """Return how often a function is called from now on, by turn."""
        call, calls = getattr(owner, name), Counter[int]()

        def counting(*given: Any, **named: Any) -> Any:
            calls[self._turn] += 1
            return call(*given, **named)

        self._monkeypatch.setattr(owner, name, counting)
        return calls


def test_many_small_cohorts_make_no_long_turn(
    responder: Responder, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = Turns(monkeypatch)
    read, finished = turns.of(bulk, "read_batches"), turns.of(TableAnswer, "finish")

    answered(responder, [Sent.of(responder, part_of(at, 2)) for at in range(20)])

    assert list(read.values()) == list(finished.values()) == [1] * 20


def test_others_have_turns_between_the_stages(
    responder: Responder, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = Turns(monkeypatch)
    scored, decided = (
        turns.of(Scorer, "score"),
        turns.of(bulk_of(responder)._tables.assessor, "tabulate"),
    )
    written = turns.of(AnswerTables, "batch")

    answered(responder, [Sent.of(responder, part_of(at, 300)) for at in range(2)])

    assert [len(one) for one in (scored, decided, written)] == [3, 1, 2]
    assert len(scored | decided | written) == 6


def test_a_long_cohort_is_worked_off_beside_short_ones(
    responder: Responder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "SLICE", 100)
    monkeypatch.setattr("service.bulk.batcher.SLICE", 100)
    long, short = Sent.of(responder, part_of(0, 600)), Sent.of(responder, part_of(0, 90))

    worked = answered(responder, [long, short])

    assert [len(one.students.ids) for one in worked] == [100, 90, 100, 100, 100, 100, 100]
    assert long.asker.outcome == long.alone(responder)
    assert short.asker.outcome == short.alone(responder)


@contextmanager
def failing(monkeypatch: pytest.MonkeyPatch, on: Callable[[Floats], bool]) -> Iterator[list[int]]:
    """Let the model fail for some values; yields how many records each call had."""
    score, calls = Scorer.score, []

    def watched(
        self: Scorer, values: Floats, lengths: Ints, *, forecast: bool | Bools = True
    ) -> Scores:
        calls.append(len(values))
        if on(values):
            raise ValueError("a fault of ours")
        return score(self, values, lengths, forecast=forecast)

    with monkeypatch.context() as patched:
        patched.setattr(Scorer, "score", watched)
        yield calls


def poisoned(students: list[Any]) -> list[Any]:
    first, *others = students
    last = {**first["periods"][-1], "quiz": _POISON}
    return [{**first, "periods": [*first["periods"][:-1], last]}, *others]


def test_what_fails_with_one_is_tried_without_it(
    responder: Responder, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = [Sent.of(responder, part_of(30 * at, 20)) for at in range(3)]
    alone = [one.alone(responder) for one in sound]
    bad = Sent.of(responder, poisoned(part_of(0, 25)))

    def holds_poison(values: Floats) -> bool:
        return bool(np.nanmin(abs(values - _POISON)) < 1e-4)

    with failing(monkeypatch, holds_poison) as calls:
        answered(responder, [sound[0], bad, *sound[1:]])

    assert calls == [85, 20, 25, 20, 20]
    assert [one.asker.outcome for one in sound] == alone
    assert isinstance(bad.asker.outcome, RequestError)
    assert bad.asker.outcome.status == 500


def test_an_answer_that_becomes_too_long_harms_no_other(
    responder: Responder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_of(responder), "_max_students", 49)
    long, sound = (Sent.of(responder, part_of(5, size)) for size in (50, 60))
    long.request = replace(long.request, answer=None)

    answered(responder, [long, sound])

    assert isinstance(long.asker.outcome, RequestError)
    assert b"too_many_students" in long.asker.outcome.body()
    assert sound.asker.outcome == sound.alone(responder)


def test_who_has_gone_is_left_out(responder: Responder, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = [Sent.of(responder, part_of(0, size)) for size in (20, 30, 40)]
    sent[1].asker.disconnected = True

    with failing(monkeypatch, lambda _: False) as calls:
        answered(responder, sent)

    assert calls == [60]
    assert sent[1].asker.outcome is None
    assert sent[2].asker.outcome == sent[2].alone(responder)


def test_who_goes_after_being_read_is_left_out(
    responder: Responder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.bulk.batcher.SLICE", 100)
    monkeypatch.setattr("service.bulk.batcher.TURN_SECONDS", 0.0)
    first, second = (Sent.of(responder, part_of(0, size)) for size in (80, 90))

    class Leading(Asker):
        def succeed(self, body: bytes) -> None:
            super().succeed(body)
            second.asker.disconnected = True

    first.asker = Leading()
    with failing(monkeypatch, lambda _: False) as calls:
        answered(responder, [first, second])

    assert calls == [80]
    assert second.asker.outcome is None


def test_who_cannot_be_told_keeps_nobody_else_waiting(responder: Responder) -> None:
    class Unable(Asker):
        def succeed(self, body: bytes) -> None:
            super().succeed(body)
            raise ValueError("a fault of ours")

    unable, other = (Sent.of(responder, part_of(0, size)) for size in (600, 590))
    unable.asker = Unable()
    answered(responder, [unable, other])

    assert other.asker.outcome == other.alone(responder)


def test_a_document_is_let_go_once_it_is_read(responder: Responder) -> None:
    source = io.BytesIO(in_columns(responder, part_of(0, 5)))
    cohort = bulk_of(responder).open(source, BulkRequest(None, None, whole=True))
    assert next(part for part in cohort.parts if part is not None).students == 5
    held = weakref.ref(source)
    del source
    assert held() is None


def test_all_that_wait_are_told_that_the_service_ends(responder: Responder) -> None:
    sent = [Sent.of(responder, part_of(0, size)) for size in (20, 30)]

    async def run() -> float:
        batcher = Bench(responder).batcher
        with ThreadPoolExecutor(1) as readers:
            costs = BulkCosts(dict.fromkeys([None, *TableFormat], 1e-12))
            desk = BulkQueue(bulk_of(responder), batcher, costs, lambda _: None, readers)
            for one in sent:
                assert desk.submit(one.body, one.request, one.asker, BulkTimings(perf_counter()))
            batcher.close()
            await asyncio.sleep(0.05)
            return batcher.waiting

    assert asyncio.run(run()) == 0
    for one in sent:
        assert isinstance(one.asker.outcome, RequestError)
        assert one.asker.outcome.status == 503
