"""Answer together what arrives together.

`submit` -> `FairQueue` -> turns of the event loop, one pass of the model each -> `ResponseSink`.

The first request that arrives schedules a turn with `call_soon`: it begins once every socket that
was readable has been read, so an idle service adds no delay and a busy one finds its batches made.
Each turn answers short requests, up to a number of rows, or one slice of a long one, in turns if
both wait: nobody waits for the whole of a long request.

On a CPU the passes run on the event loop itself: a thread beside it would take the interpreter's
lock in turns of five milliseconds, and a batch took up to three times as long. On a GPU, or where
another process has the model, they run in a thread, and the next batch gathers meanwhile.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from time import perf_counter
from typing import Any, Protocol, TypedDict

from service.batching.admission import AdmissionController, Answering
from service.batching.background import BackgroundQueue, problem_of
from service.batching.fair_queue import FairQueue
from service.batching.jobs import BackgroundStep, Job, Outcome, ResponseSink, T, Told
from service.batching.records import BatchRecord
from service.batching.slicing import joined
from service.explain.reasons import Explaining
from service.http.error_log import log_without_values
from service.http.problems import BUSY, INTERNAL, NOT_READY, RequestError, stock_problem
from service.http.rejections import RejectionPacer
from service.responder import Answered, Answers
from service.routes import SCORE
from service.rows.decoder import ScoreRequest

# The rows of one pass: more no longer pay (design notes: the gates leave the L2 cache).
ROWS = 256
# A body of this size holds about 40 students; a larger one is a long request.
LONG_BYTES = 32 * 1024


class Model(Answering, Protocol):
    """What answers: `service.responder.Responder`."""

    def answer(self, requests: Sequence[ScoreRequest]) -> Answers:
        """Answer several requests in one pass."""
        ...


class _Others(TypedDict):
    """Requests that ended without an outcome since the last batch."""

    refused: int
    disconnected: int


class Batcher:
    """Gathers requests and answers them; for one event loop.

    Args:
        model: Reads and answers requests.
        workload: Decides what is taken in.
        observe: Is told of every turn.
        executor: Where passes run; None for the event loop itself.
        beside: Where large bodies are decoded; None for the event loop itself.
        rows: Most rows of one pass.

    Attributes:
        batches: How many were answered.
        background: Work that leaves the batches their time, such as reasons.
    """

    def __init__(
        self,
        model: Model,
        workload: AdmissionController,
        observe: Callable[[BatchRecord], None],
        *,
        executor: Executor | None = None,
        beside: Executor | None = None,
        rows: int = ROWS,
    ) -> None:
        self._model = model
        self._workload = workload
        self._observe = observe
        self._executor = executor
        self._lanes = FairQueue(model, rows, beside, lose=self._lose, wake=self._schedule)
        self._scheduled = False
        self._closed = False
        self._refused = 0
        self._disconnected = 0
        # Whether a short request was refused and nothing has left since: then all are.
        self._full = False
        self._pace = RejectionPacer()
        self._ended = 0.0
        self.batches = 0
        self.background = BackgroundQueue(self)

    def submit(self, body: bytes, recipient: ResponseSink) -> bool:
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
        self._lanes.add(Job(body, recipient, perf_counter(), work, work, long))
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
        if not self._scheduled:  # no turn comes that would tell of it
            self._tell_of_others()

    def admit(self, seconds: float) -> float | None:
        """Take long work in that comes to `run_step` step by step.

        Args:
            seconds: What all of it is reckoned to take.

        Returns:
            What to give to `leave` once it is done; None where it would wait too long.
        """
        return None if self._closed else self._workload.admit_background(seconds)

    def leave(self, work: float) -> None:
        """Let go of work that `admit` took in."""
        self._workload.leave_background(work)
        self._full = self._closed

    def run_step(self, step: Callable[[], T], told: Told[T]) -> None:
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
        self._lanes.add(BackgroundStep(step, told))

    @property
    def retry_after(self) -> int:
        """Return in how many seconds a refused request may come back; 0 for never."""
        return 0 if self._closed else self._workload.retry_after

    def hold(self, size: int) -> float:
        """Return for how many seconds to keep a refusal back (`service.http.rejections.RejectionPacer`)."""
        return self._pace.delay(size, perf_counter())

    async def rejection_when_due(self, size: int) -> RequestError:
        """Return the rejection of a body of `size` bytes, once it is due."""
        await asyncio.sleep(self.hold(size))
        return self.refusal()

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
        for one in self._lanes.clear():
            if not isinstance(one, BackgroundStep):
                self._end(one, self.refusal())
            elif not one.outcome.done():
                one.outcome.set_exception(self.refusal())
        self.background.close()

    @property
    def waiting(self) -> int:
        """Return how many requests wait."""
        return self._lanes.waiting

    @property
    def is_idle(self) -> bool:
        """Return whether nothing waits, runs or is due."""
        return not self.busy and not self.waiting

    @property
    def busy(self) -> bool:
        """Return whether a turn runs or is due."""
        return self._scheduled

    def _schedule(self) -> None:
        if not self._scheduled and self._lanes.ready:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        """Answer one batch of short requests, or one slice of a long one, or do a guest's step."""
        if (guest := self._lanes.next_step()) is not None:
            self._host(guest)
            return
        started = perf_counter()
        jobs = self._lanes.next_jobs()
        decoded = perf_counter()
        if not jobs:
            self._finish()
            return
        requests = [job.slices[0] if job.long else job.decoded for job in jobs]
        if self._executor is None:
            self._deliver(jobs, requests, self._answer(requests), started, decoded)
            return
        loop = asyncio.get_running_loop()
        passing = loop.run_in_executor(self._executor, self._answer, requests)
        passing.add_done_callback(
            lambda passed: self._deliver(jobs, requests, passed.result(), started, decoded)
        )

    def _host(self, guest: BackgroundStep) -> None:
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

    def _answer(
        self, requests: Sequence[ScoreRequest]
    ) -> tuple[list[Outcome | Explaining], list[Answers]]:
        """Answer requests together; where that fails, each alone, so that one harms no other."""
        try:
            answers = self._model.answer(requests)
        except Exception as error:  # noqa: BLE001 - whatever it is, the others are answered
            log_without_values(SCORE.path, error)
            if len(requests) == 1:
                return [stock_problem(INTERNAL.status, b"")], []
            alone = [self._answer([request]) for request in requests]
            return [one for ones, _ in alone for one in ones], [
                one for _, ones in alone for one in ones
            ]
        return list(answers.results), [answers]

    def _deliver(
        self,
        jobs: Sequence[Job],
        requests: Sequence[ScoreRequest],
        passed: tuple[list[Outcome | Explaining], list[Answers]],
        started: float,
        decoded: float,
    ) -> None:
        """Hand the outcomes of a turn over, and learn from it."""
        outcomes, answers = passed
        self.batches += 1
        began = [job for job in jobs if not job.done]
        ended: list[tuple[Job, Outcome]] = []
        for job, outcome in zip(jobs, outcomes, strict=True):
            last = self._take_slice(job, outcome) if job.long else outcome
            if isinstance(last, Explaining):
                self._explain(job, last)
            elif last is not None and self._end(job, last):
                ended.append((job, last))
        now = perf_counter()
        # Where requests waited all the time since the last turn, reading others took its part: it
        # belongs to what this turn cost. Not more than the turn itself, or a storm of requests
        # that are refused would let fewer and fewer in.
        reading = min(started - self._ended, now - started) if self._ended else 0.0
        self._workload.learn(sum(job.share for job in jobs), now - started + reading)
        self._full = self._closed
        turn = BatchRecord(
            requests=requests,
            answers=answers,
            outcomes=[outcome for _, outcome in ended],
            seconds=[now - job.arrived for job, _ in ended],
            queued=[started - job.arrived for job in began],
            decode=decoded - started,
            **self._others(),
            recipients=[job.recipient for job, _ in ended],
            started=started,
            ended=now,
        )
        self._finish()
        self._observe(turn)

    def _explain(self, job: Job, explaining: Explaining) -> None:
        """Have the reasons of an answer found before it is delivered."""
        self._leave(job)

        def done(outcome: bytes | BaseException | None) -> None:
            if isinstance(outcome, bytes):
                answered = Answered(outcome, explaining.assessed, explaining.refused)
                self._deliver_alone(job, answered)
            else:
                problem = None if outcome is None else problem_of(outcome, SCORE.path)
                self._deliver_alone(job, problem)

        if not self.background.submit(
            explaining.steps,
            explaining.seconds,
            is_wanted=lambda: not job.recipient.disconnected,
            done=done,
        ):
            done(self.refusal())

    def _take_slice(self, job: Job, outcome: Outcome | Explaining) -> Outcome | Explaining | None:
        """Keep a slice's answer; return the whole once it is complete."""
        job.slices.popleft()
        if not isinstance(outcome, Answered):  # reasons are given of a slice at most
            return outcome
        job.done.append(outcome)
        if not job.slices:
            return joined(job.done)
        self._lanes.add(job)
        return None

    def _end(self, job: Job, outcome: Outcome) -> bool:
        """Let go of a request; return whether there was still a client to deliver its outcome to."""
        self._leave(job)
        return self._hand_over(job, outcome)

    def _hand_over(self, job: Job, outcome: Outcome) -> bool:
        if job.recipient.disconnected:
            self._disconnected += 1
            return False
        if isinstance(outcome, RequestError):
            job.recipient.fail(outcome)
        else:
            job.recipient.succeed(outcome.body)
        return True

    def _lose(self, job: Job, outcome: RequestError | None) -> None:
        """End a request that never comes to a pass: it is refused, or nobody waits for it."""
        self._leave(job)
        self._deliver_alone(job, outcome)

    def _deliver_alone(self, job: Job, outcome: Outcome | None) -> None:
        """Deliver and record an outcome apart from a batch; None where nobody waits for it."""
        if outcome is None:
            self._disconnected += 1
            self._tell_of_others()
        elif self._hand_over(job, outcome):
            now = perf_counter()
            self._observe(
                BatchRecord(
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

    def _tell_of_others(self) -> None:
        """Report rejections and disconnects that no batch will report."""
        now = perf_counter()
        self._observe(BatchRecord((), (), (), (), (), **self._others(), started=now, ended=now))

    def _others(self) -> "_Others":
        others = _Others(refused=self._refused, disconnected=self._disconnected)
        self._refused = self._disconnected = 0
        return others

    def _leave(self, job: Job) -> None:
        self._workload.leave(job.work, long=job.long)
        self._full = self._closed

    def _learn_guest(self, seconds: float) -> None:
        self._workload.learn_background(seconds)
        self._full = self._closed

    def _finish(self) -> None:
        self._scheduled = False
        self._ended = perf_counter() if self._lanes.ready else 0.0
        self._schedule()
