"""Background work: it goes round in steps, waits beside batches, and is dropped when unwanted."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from scoring.steps import Steps
from service.batching.background import SHARE, BackgroundQueue, problem_of
from service.batching.jobs import Told
from service.http.problems import BUSY, RequestError


class Runner:
    """Does every step in the next turn of the event loop; batches are answered if asked to."""

    def __init__(self, *, is_busy: bool = False, room: int = 99) -> None:
        self.batches = 0
        self.admitted: list[float] = []
        self.left: list[float] = []
        self._is_busy = is_busy
        self._room = room

    def admit(self, seconds: float) -> float | None:
        if len(self.admitted) == self._room:
            return None
        self.admitted.append(seconds)
        return seconds

    def leave(self, work: float) -> None:
        self.left.append(work)

    def run_step(self, step: Callable[[], Any], told: Told[Any]) -> None:
        self.batches += self._is_busy
        try:
            told.set_result(step())
        except Exception as error:  # noqa: BLE001 - as the batcher does
            told.set_exception(error)

    def refusal(self) -> RequestError:
        return RequestError(BUSY, "closed")


def counting(name: str, steps: int, seen: list[str]) -> Steps[str]:
    for at in range(steps):
        seen.append(f"{name}{at}")
        yield
    return name


def finished(queue_of: Callable[[BackgroundQueue], int], runner: Runner) -> list[object]:
    """Return the outcomes of what `queue_of` submits, in the order of their coming."""
    outcomes: list[object] = []

    async def run() -> None:
        queue = BackgroundQueue(runner)
        queue.outcomes = outcomes  # type: ignore[attr-defined]
        expected = queue_of(queue)
        while len(outcomes) < expected:
            await asyncio.sleep(0)

    asyncio.run(asyncio.wait_for(run(), 20))
    return outcomes


def submit(
    queue: BackgroundQueue, steps: Steps[Any], *, is_wanted: Callable[[], bool] = lambda: True
) -> bool:
    done = queue.outcomes.append  # type: ignore[attr-defined]
    return queue.submit(steps, 0.5, is_wanted=is_wanted, done=done)


def test_work_goes_round_a_step_each() -> None:
    seen: list[str] = []
    runner = Runner()

    def both(queue: BackgroundQueue) -> int:
        submit(queue, counting("a", 3, seen))
        submit(queue, counting("b", 2, seen))
        return 2

    assert finished(both, runner) == ["b", "a"]
    assert seen == ["a0", "b0", "a1", "b1", "a2"]
    assert runner.admitted == runner.left == [0.5, 0.5]


def test_work_that_nobody_wants_any_more_is_dropped_between_steps() -> None:
    seen: list[str] = []

    def one(queue: BackgroundQueue) -> int:
        submit(queue, counting("a", 5, seen), is_wanted=lambda: len(seen) < 2)
        return 1

    runner = Runner()
    assert finished(one, runner) == [None]
    assert seen == ["a0", "a1"]
    assert runner.left == [0.5]


def test_an_error_ends_its_own_work_alone() -> None:
    def broken() -> Steps[str]:
        yield
        raise ValueError("secret")

    def both(queue: BackgroundQueue) -> int:
        submit(queue, broken())
        submit(queue, counting("b", 2, []))
        return 2

    first, second = finished(both, Runner())
    assert isinstance(first, ValueError)
    assert second == "b"


def test_work_beyond_the_room_is_not_taken_in() -> None:
    taken: list[bool] = []

    def both(queue: BackgroundQueue) -> int:
        taken.extend(submit(queue, counting("a", 1, [])) for _ in range(2))
        return 1

    assert finished(both, Runner(room=1)) == ["a"]
    assert taken == [True, False]


@pytest.mark.parametrize("is_busy", [True, False])
def test_steps_have_a_twentieth_of_the_time_beside_batches_and_all_of_it_alone(
    is_busy: bool,
) -> None:
    step, steps = 0.01, 4

    def slow() -> Steps[str]:
        for _ in range(steps):
            time.sleep(step)
            yield
        return "done"

    began = time.perf_counter()
    assert finished(lambda queue: int(submit(queue, slow())), Runner(is_busy=is_busy)) == ["done"]
    spent = time.perf_counter() - began
    # Alone it is only bounded from below: the machine may be slow.
    assert spent >= (steps * step / SHARE if is_busy else steps * step)


def test_what_still_waits_is_refused_when_the_service_closes() -> None:
    def closed(queue: BackgroundQueue) -> int:
        for name in ("a", "b"):
            submit(queue, counting(name, 3, []))
        queue.close()
        return 1

    outcomes = finished(closed, Runner())
    assert isinstance(outcomes[0], RequestError)


def test_a_fault_of_ours_is_answered_without_its_message() -> None:
    refusal = RequestError(BUSY, "later")
    assert problem_of(refusal, "/score") is refusal
    found = problem_of(ValueError("secret"), "/score")
    assert found.status == 500
    assert b"secret" not in found.body()
