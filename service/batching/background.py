"""Background work in steps that leaves the batches of plain scores their time.

Work goes round, a step each. Where batches were answered since the last step, the next one waits
nineteen times as long as a step takes: plain scores then lose about a twentieth of their time to
explanations, however many of these are asked for.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Any, Final, Protocol, TypeVar

from scoring.steps import Steps, advance
from service.batching.jobs import Told
from service.http.error_log import log_without_values
from service.http.problems import INTERNAL, RequestError, stock_problem

T = TypeVar("T")
# Share of the time that background work has while batches are answered.
SHARE: Final = 0.05


class StepRunner(Protocol):
    """What does the steps: `service.batching.batcher.Batcher`."""

    batches: int

    def admit(self, seconds: float) -> float | None:
        """Take work in."""
        ...

    def leave(self, work: float) -> None:
        """Let go of it."""
        ...

    def run_step(self, step: Callable[[], T], told: Told[T]) -> None:
        """Do a step when its turn comes."""
        ...

    def refusal(self) -> RequestError:
        """Return what is answered where work is not taken in."""
        ...


@dataclass(slots=True, eq=False)
class _Work:
    """Work on its way.

    Attributes:
        steps: What is to be done.
        admitted: What the runner reckons with.
        is_wanted: Whether somebody still waits for it.
        done: Gets the result, the error, or None where the client has disconnected.
    """

    steps: Steps[Any]
    admitted: float
    is_wanted: Callable[[], bool]
    done: Callable[[Any], None]


class BackgroundQueue:
    """Work that is done step by step beside batches; for one event loop.

    Args:
        runner: Does the steps.
    """

    def __init__(self, runner: StepRunner) -> None:
        self._runner = runner
        self._waiting: deque[_Work] = deque()
        self._is_running = False

    def submit(
        self,
        steps: Steps[T],
        seconds: float,
        *,
        is_wanted: Callable[[], bool],
        done: Callable[[T | BaseException | None], None],
    ) -> bool:
        """Take work in.

        Args:
            steps: What is to be done; what it returns must not be None.
            seconds: What all of it is reckoned to take.
            is_wanted: Asked before every step; work of disconnected clients is dropped.
            done: Gets the result, the error, or None where the work was dropped.

        Returns:
            Whether it is taken in; else nothing happens.
        """
        admitted = self._runner.admit(seconds)
        if admitted is None:
            return False
        self._waiting.append(_Work(steps, admitted, is_wanted, done))
        if not self._is_running:
            self._is_running = True
            self._next()
        return True

    def close(self) -> None:
        """Refuse what still waits."""
        while self._waiting:
            self._end(self._waiting.popleft(), self._runner.refusal())

    def _next(self) -> None:
        while self._waiting:
            work = self._waiting.popleft()
            if work.is_wanted():
                self._do(work)
                return
            self._end(work, None)
        self._is_running = False

    def _do(self, work: _Work) -> None:
        told: asyncio.Future[tuple[Any, float]] = asyncio.get_running_loop().create_future()
        told.add_done_callback(partial(self._stepped, work, self._runner.batches))
        self._runner.run_step(partial(_timed_step, work.steps), told)

    def _stepped(self, work: _Work, batches: int, told: asyncio.Future[tuple[Any, float]]) -> None:
        if (error := told.exception()) is not None:
            self._end(work, error)
            self._next()
            return
        result, spent = told.result()
        if result is None:
            self._waiting.append(work)
        else:
            self._end(work, result)
        if self._runner.batches == batches:
            self._next()
        else:
            asyncio.get_running_loop().call_later(spent * (1 / SHARE - 1), self._next)

    def _end(self, work: _Work, outcome: object) -> None:
        self._runner.leave(work.admitted)
        work.done(outcome)


def _timed_step(steps: Steps[Any]) -> tuple[Any, float]:
    """Do one step; return the result, None before the last one, and the seconds it took."""
    began = perf_counter()
    result = advance(steps, 0.0)
    return result, perf_counter() - began


def problem_of(error: BaseException, path: str) -> RequestError:
    """Return what is answered where background work failed; a fault of ours is logged."""
    if isinstance(error, RequestError):
        return error
    log_without_values(path, error)
    return stock_problem(INTERNAL.status, b"")
