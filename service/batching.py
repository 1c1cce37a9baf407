"""Answer together what arrives together.

`submit` -> a lane -> turns of the event loop, one pass of the model each -> `Recipient`.

The first request that arrives schedules a turn with `call_soon`: it begins once every socket that
was readable has been read, so an idle service adds no delay and a busy one finds its batches made.
Each turn answers short requests, up to a number of rows, or one slice of a long one, in turns if
both wait: nobody waits for the whole of a long request.

On a CPU the passes run on the event loop itself: a thread beside it would take the interpreter's
lock in turns of five milliseconds, and a batch took up to three times as long. On a GPU, or where
another process has the model, they run in a thread, and the next batch gathers meanwhile.
"""

import asyncio
import concurrent.futures
import logging
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Protocol, TypeVar

from opentelemetry.trace import Span

from service.admission import Answering, Workload
from service.answer import Answered, Answers
from service.problems import BUSY, INTERNAL, NOT_READY, RequestError, stock_problem
from service.refusals import Pace
from service.request import ScoreRequest
from service.slicing import cut, joined
from service.turns import Turn

_log = logging.getLogger("bentoml.serve")

# The rows of one pass: more no longer pay (design notes: the gates leave the L2 cache).
ROWS = 256
# A body of this size holds about 40 students; a larger one is a long request.
LONG_BYTES = 32 * 1024
# Decoding takes about a millisecond for these; larger bodies are decoded beside the event loop.
_INLINE_BYTES = 256 * 1024

Outcome = Answered | RequestError
T = TypeVar("T")
# Of the event loop, or of a thread that waits.
Told = asyncio.Future[T] | concurrent.futures.Future[T]


class Recipient(Protocol):
    """Who waits for an answer.

    Attributes:
        gone: Whether nobody waits any more; what has not begun is then left out.
    """

    gone: bool

    def succeed(self, body: bytes) -> None:
        """Take the answer."""
        ...

    def fail(self, refusal: RequestError) -> None:
        """Take the reason why there is none."""
        ...


class Awaited:
    """A recipient whose answer is awaited.

    Args:
        span: Where its request is traced.
    """

    def __init__(self, span: Span | None = None) -> None:
        self.gone = False
        self.span = span
        self._future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def answer(self) -> bytes:
        """Wait for the answer.

        Raises:
            RequestError: There is none, and why.
        """
        try:
            return await self._future
        finally:
            self.gone = True

    def succeed(self, body: bytes) -> None:
        """Take the answer."""
        if not self._future.done():
            self._future.set_result(body)

    def fail(self, refusal: RequestError) -> None:
        """Take the reason why there is none."""
        if not self._future.done():
            self._future.set_exception(refusal)


class Model(Answering, Protocol):
    """What answers: `service.answer.Responder`."""

    def answer(self, requests: Sequence[ScoreRequest]) -> Answers:
        """Answer several requests in one pass."""
        ...


@dataclass(slots=True, eq=False)
class _Job:
    """A request on its way.

    Attributes:
        body: JSON; let go once it is decoded.
        recipient: Who waits.
        arrived: When, on the clock of `perf_counter`.
        work: Estimated seconds.
        share: Those of one turn; of a short request, all of them.
        long: Whether it goes in slices.
        request: What it asks for, once decoded.
        slices: What is still to be answered of a long one.
        done: Answers to the slices before.
    """

    body: bytes
    recipient: Recipient
    arrived: float
    work: float
    share: float
    long: bool
    request: ScoreRequest | None = None
    slices: deque[ScoreRequest] = field(default_factory=deque)
    done: list[Answered] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class _Guest:
    """A step of long work that is no `score` request: a slice of a cohort.

    Attributes:
        step: Does it.
        outcome: Whoever waits for it.
    """

    step: Callable[[], Any]
    outcome: Told[Any]


class Batcher:
    """Gathers requests and answers them; for one event loop.

    Args:
        model: Reads and answers requests.
        workload: Decides what is taken in.
        observe: Is told of every turn.
        executor: Where passes run; None for the event loop itself.
        beside: Where large bodies are decoded; None for the event loop itself.
        rows: Most rows of one pass.
    """

    def __init__(
        self,
        model: Model,
        workload: Workload,
        observe: Callable[[Turn], None],
        *,
        executor: concurrent.futures.Executor | None = None,
        beside: concurrent.futures.Executor | None = None,
        rows: int = ROWS,
    ) -> None:
        self._model = model
        self._workload = workload
        self._observe = observe
        self._executor = executor
        self._beside = beside
        self._rows = rows
        self._short: deque[_Job] = deque()
        self._long: deque[_Job | _Guest] = deque()
        self._decoding: set[_Job] = set()
        self._scheduled = False
        self._long_next = False
        self._closed = False
        self._refused = 0
        # Whether a short request was refused and nothing has left since: then all are.
        self._full = False
        self._pace = Pace()
        self._ended = 0.0

    def submit(self, body: bytes, recipient: Recipient) -> bool:
        """Take a request in; its recipient is told later, in another turn of the event loop.

        Returns:
            Whether it is taken in; else `refusal` says why, and the recipient is told nothing.
        """
        size = len(body)
        long = size > LONG_BYTES
        work = None if self._closed else self._workload.admit(size, long=long)
        if work is None:
            self._refused += 1
            self._full = self._full or not long
            return False
        job = _Job(body, recipient, perf_counter(), work, work, long)
        if not long:
            self._short.append(job)
        elif self._beside is None or size <= _INLINE_BYTES:
            self._long.append(job)
        else:
            self._decode_beside(job, self._beside)
        self._schedule()
        return True

    def has_room(self, size: int) -> bool:
        """Say of a body of `size` bytes, before it is read, whether `submit` might take it in.

        Nothing is kept for it: a body that is slow to arrive holds no place. Where the answer is
        no, the body need not be read, and `turn_away` counts the request.
        """
        if size <= LONG_BYTES:
            return not self._full
        return not self._closed and self._workload.has_room(size, long=True)

    def turn_away(self) -> None:
        """Count a request that was refused without its body having been read."""
        self._refused += 1

    def admit(self, seconds: float) -> float | None:
        """Take long work in that comes to `take_turn` step by step.

        Args:
            seconds: What all of it is reckoned to take.

        Returns:
            What to give to `leave` once it is done; None where it would wait too long.
        """
        return None if self._closed else self._workload.admit_guest(seconds)

    def leave(self, work: float) -> None:
        """Let go of work that `admit` took in."""
        self._workload.leave_guest(work)
        self._full = self._closed

    def take_turn(self, step: Callable[[], T], told: Told[T]) -> None:
        """Have a step of long work done when its turn comes, where passes run.

        It takes its place among the slices of long requests: short requests have every other turn.

        Args:
            step: What is to be done.
            told: Gets what the step returns or raises; RequestError where the service is shutting
                down.
        """
        if self._closed:
            told.set_exception(self.refusal())
            return
        self._long.append(_Guest(step, told))
        self._schedule()

    @property
    def retry_after(self) -> int:
        """Return in how many seconds a refused request may come back; 0 for never."""
        return 0 if self._closed else self._workload.retry_after

    def hold(self, size: int) -> float:
        """Return for how many seconds to keep a refusal back (`service.refusals.Pace`)."""
        return self._pace.delay(size, perf_counter())

    def refusal(self) -> RequestError:
        """Return what is told to those who are not taken in."""
        if self._closed:
            return RequestError(NOT_READY, "The service is shutting down; ask another instance.")
        seconds = str(self.retry_after)
        detail = f"More is being asked than can be answered. Try again in {seconds} s."
        return RequestError(BUSY, detail, headers=[(b"retry-after", seconds.encode())])

    def close(self) -> None:
        """Refuse what still waits, and everything that comes."""
        self._closed = self._full = True
        for job in (*self._short, *self._long, *self._decoding):
            if isinstance(job, _Guest):
                if not job.outcome.done():
                    job.outcome.set_exception(self.refusal())
                continue
            self._leave(job)
            if not job.recipient.gone:
                job.recipient.fail(self.refusal())
        self._short.clear()
        self._long.clear()
        self._decoding.clear()

    @property
    def waiting(self) -> int:
        """Return how many requests wait."""
        return len(self._short) + len(self._long) + len(self._decoding)

    @property
    def busy(self) -> bool:
        """Return whether a turn runs or is due."""
        return self._scheduled

    def _schedule(self) -> None:
        if not self._scheduled and (self._short or self._long):
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        """Answer one batch of short requests, or one slice of a long one, or do a guest's step."""
        if (guest := self._next_guest()) is not None:
            self._host(guest)
            return
        started = perf_counter()
        jobs = self._next_jobs()
        decoded = perf_counter()
        if not jobs:
            self._finish()
            return
        requests = [job.slices[0] if job.long else _decoded(job) for job in jobs]
        if self._executor is None:
            self._deliver(jobs, requests, self._answer(requests), started, decoded)
            return
        loop = asyncio.get_running_loop()
        passing = loop.run_in_executor(self._executor, self._answer, requests)
        passing.add_done_callback(
            lambda passed: self._deliver(jobs, requests, passed.result(), started, decoded)
        )

    def _next_guest(self) -> _Guest | None:
        """Return the guest whose turn it is, if it is a guest's."""
        while self._long and (self._long_next or not self._short):
            guest = self._long[0]
            if not isinstance(guest, _Guest):
                break
            self._long.popleft()
            if not guest.outcome.done():  # who has gone waits no longer
                self._long_next = False
                return guest
        return None

    def _host(self, guest: _Guest) -> None:
        """Do a guest's step."""
        started = perf_counter()
        if self._executor is None:
            try:
                result = guest.step()
            except Exception as error:  # noqa: BLE001 - it is told to whoever waits
                guest.outcome.set_exception(error)
            else:
                guest.outcome.set_result(result)
            self._learn_guest(perf_counter() - started)
            self._finish()
            return
        passing = asyncio.get_running_loop().run_in_executor(self._executor, guest.step)

        def hand_over(passed: asyncio.Future[Any]) -> None:
            error = passed.exception()
            if not guest.outcome.done():
                if error is not None:
                    guest.outcome.set_exception(error)
                else:
                    guest.outcome.set_result(passed.result())
            self._learn_guest(perf_counter() - started)
            self._finish()

        passing.add_done_callback(hand_over)

    def _next_jobs(self) -> list[_Job]:
        """Return the jobs of this turn, decoded."""
        if self._long and (self._long_next or not self._short):
            self._long_next = False
            return self._next_slice()
        self._long_next = True
        return self._next_short()

    def _next_short(self) -> list[_Job]:
        jobs: list[_Job] = []
        rows = 0
        while self._short and rows < self._rows:
            job = self._short[0]
            if not self._is_ready(job):
                self._short.popleft()
                continue
            number = len(_decoded(job).students.ids)
            if jobs and rows + number > self._rows:
                break
            rows += number
            jobs.append(self._short.popleft())
        return jobs

    def _next_slice(self) -> list[_Job]:
        """Return the long request whose turn it is: they go round, a slice each."""
        while self._long:
            job = self._long[0]
            if isinstance(job, _Guest):
                break
            self._long.popleft()
            if not self._is_ready(job):
                continue
            if not job.slices:
                job.slices.extend(cut(_decoded(job), self._rows))
                job.share = job.work / len(job.slices)
            return [job]
        return []

    def _is_ready(self, job: _Job) -> bool:
        """Decode a request; tell of it where that is its end."""
        if job.recipient.gone:
            self._leave(job)
            return False
        if job.request is None:
            outcome = self._read(job.body)
            if isinstance(outcome, RequestError):
                self._end_early(job, outcome)
                return False
            job.request = outcome
            job.body = b""
        return True

    def _read(self, body: bytes) -> ScoreRequest | RequestError:
        try:
            return self._model.read(body)
        except RequestError as refusal:
            return refusal
        except Exception as error:  # noqa: BLE001 - the fault of one request is not the others'
            log_without_values("/score", error)
            return stock_problem(INTERNAL.status, b"")

    def _decode_beside(self, job: _Job, beside: concurrent.futures.Executor) -> None:
        self._decoding.add(job)
        decoding = asyncio.get_running_loop().run_in_executor(beside, self._read, job.body)

        def decoded(done: asyncio.Future[ScoreRequest | RequestError]) -> None:
            if job not in self._decoding:
                return  # the service was closed meanwhile
            self._decoding.discard(job)
            outcome = done.result()
            if isinstance(outcome, RequestError):
                self._end_early(job, outcome)
            else:
                job.request, job.body = outcome, b""
                self._long.append(job)
                self._schedule()

        decoding.add_done_callback(decoded)

    def _answer(self, requests: Sequence[ScoreRequest]) -> tuple[list[Outcome], list[Answers]]:
        """Answer requests together; where that fails, each alone, so that one harms no other."""
        try:
            answers = self._model.answer(requests)
        except Exception as error:  # noqa: BLE001 - whatever it is, the others are answered
            log_without_values("/score", error)
            if len(requests) == 1:
                return [stock_problem(INTERNAL.status, b"")], []
            alone = [self._answer([request]) for request in requests]
            return [one for ones, _ in alone for one in ones], [
                one for _, ones in alone for one in ones
            ]
        return list(answers.results), [answers]

    def _deliver(
        self,
        jobs: Sequence[_Job],
        requests: Sequence[ScoreRequest],
        passed: tuple[list[Outcome], list[Answers]],
        started: float,
        decoded: float,
    ) -> None:
        """Hand the outcomes of a turn over, and learn from it."""
        outcomes, answers = passed
        began = [job for job in jobs if not job.done]
        ended: list[tuple[_Job, Outcome]] = []
        for job, outcome in zip(jobs, outcomes, strict=True):
            last = self._take_slice(job, outcome) if job.long else outcome
            if last is not None:
                self._end(job, last)
                ended.append((job, last))
        now = perf_counter()
        # Where requests waited all the time since the last turn, reading others took its part: it
        # belongs to what this turn cost. Not more than the turn itself, or a storm of requests
        # that are refused would let fewer and fewer in.
        reading = min(started - self._ended, now - started) if self._ended else 0.0
        self._workload.learn(sum(job.share for job in jobs), now - started + reading)
        self._full = self._closed
        turn = Turn(
            requests=requests,
            answers=answers,
            outcomes=[outcome for _, outcome in ended],
            seconds=[now - job.arrived for job, _ in ended],
            queued=[started - job.arrived for job in began],
            decode=decoded - started,
            refused=self._refused,
            recipients=[job.recipient for job, _ in ended],
            started=started,
            ended=now,
        )
        self._refused = 0
        self._finish()
        self._observe(turn)

    def _take_slice(self, job: _Job, outcome: Outcome) -> Outcome | None:
        """Keep a slice's answer; return the whole once it is complete."""
        job.slices.popleft()
        if isinstance(outcome, RequestError):
            return outcome
        job.done.append(outcome)
        if not job.slices:
            return joined(job.done)
        self._long.append(job)
        return None

    def _end(self, job: _Job, outcome: Outcome) -> None:
        self._leave(job)
        if job.recipient.gone:
            return
        if isinstance(outcome, RequestError):
            job.recipient.fail(outcome)
        else:
            job.recipient.succeed(outcome.body)

    def _end_early(self, job: _Job, outcome: RequestError) -> None:
        """End a request that never comes to a pass."""
        self._end(job, outcome)
        now = perf_counter()
        self._observe(
            Turn(
                requests=(),
                answers=(),
                outcomes=[outcome],
                seconds=[now - job.arrived],
                queued=(),
                recipients=[job.recipient],
                started=now,
                ended=now,
            )
        )

    def _leave(self, job: _Job) -> None:
        self._workload.leave(job.work, long=job.long)
        self._full = self._closed

    def _learn_guest(self, seconds: float) -> None:
        self._workload.learn_guest(seconds)
        self._full = self._closed

    def _finish(self) -> None:
        self._scheduled = False
        self._ended = perf_counter() if self._short or self._long else 0.0
        self._schedule()


def _decoded(job: _Job) -> ScoreRequest:
    if job.request is None:
        raise TypeError("a request is decoded before it is batched")
    return job.request


def log_without_values(route: str, error: BaseException) -> None:
    """Log where an error arose but not its message, which may quote a student's value."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    _log.error("%s failed with %s\n%s", route, type(error).__qualname__, frames)
