"""Rejections are held back where they would take too much of the time, and are then sent together."""

import asyncio
import itertools
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from service.http.rejections import RejectionPacer, RejectionQueue


def test_a_few_refusals_are_sent_at_once() -> None:
    pace = RejectionPacer()

    assert [pace.delay(1000, 100.0) for _ in range(100)] == [0.0] * 100
    assert pace.delay(1000, 101.0) == 0.0


@given(st.floats(1e-6, 0.01), st.integers(0, 100_000))
def test_refusals_take_no_more_than_their_share(interval: float, size: int) -> None:
    """However fast they are asked for, until they are a quarter of a second late."""
    pace, cost = RejectionPacer(), 2.5e-5 + 5e-10 * size
    sent = [at * interval + pace.delay(size, at * interval) for at in range(2000)]
    late = [at for at, moment in enumerate(sent) if moment - at * interval > 0.249]
    kept = sent[: late[0]] if late else sent

    assert all(0 <= moment - at * interval <= 0.25 + 1e-9 for at, moment in enumerate(sent))
    assert len(kept) * cost <= (kept[-1] + 0.1) / 16 + 2 * cost


@given(st.lists(st.floats(0, 0.01), min_size=1, max_size=500), st.integers(0, 100_000))
def test_who_came_later_is_never_due_earlier(gaps: list[float], size: int) -> None:
    pace, now, sent = RejectionPacer(), 0.0, []
    for gap in gaps:
        now += gap
        sent.append(now + pace.delay(size, now))

    assert all(later >= earlier - 1e-9 for earlier, later in itertools.pairwise(sent))


def test_those_who_are_held_are_told_in_order_and_about_when_they_are_due() -> None:
    told: list[tuple[int, float]] = []
    loops: list[int] = []

    async def hold() -> float:
        loop = asyncio.get_running_loop()

        def tell(those: Sequence[int]) -> None:
            loops.append(len(those))
            told.extend((one, loop.time()) for one in those)

        refusals = RejectionQueue(tell)
        start = loop.time()
        for number in range(100):
            refusals.add(number, 0.0 if number < 5 else number / 500)
        assert [one for one, _ in told] == [0, 1, 2, 3, 4]
        await asyncio.sleep(0.3)
        return start

    start = asyncio.run(hold())
    assert [one for one, _ in told] == list(range(100))
    # Early by 20 ms at most; late by as much as the machine is.
    assert all(moment - start >= one / 500 - 0.021 for one, moment in told[5:])
    assert len(loops) <= 5 + 12


def test_a_quiet_time_in_between_stops_nothing() -> None:
    told: list[int] = []

    async def hold() -> None:
        refusals: RejectionQueue[int] = RejectionQueue(told.extend)
        for number in range(3):
            refusals.add(number, 0.03)
            await asyncio.sleep(0.08)

    asyncio.run(hold())
    assert told == [0, 1, 2]
