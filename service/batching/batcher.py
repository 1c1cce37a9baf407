"""Answer in one batch the requests that arrive together.

`submit` -> `FairQueue` -> a batch, one pass of the model -> `ResponseSink`.

The first request that arrives schedules a batch with `call_soon`. It begins once every readable socket has been read:
an idle service adds no delay, and a busy one finds its batches complete. Each batch holds short requests, up to a
number of rows, or one slice of a long one, alternately where both wait. No request waits for the whole of a long one.

On a CPU the model runs on the event loop itself: another thread would take the interpreter lock for five milliseconds
at a time, and a batch took up to three times as long. On a GPU it runs in a thread while the next batch gathers.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from time import perf_counter
from typing import Any, Protocol, TypedDict

from service.answered import Answered
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
from service.responder import Answers
from service.routes import SCORE
from service.rows.decoder import ScoreRequest

# Rows of one batch: more rows no longer pay, since the gates of the network leave the L2 cache.
ROWS = 256
# A body of this size holds about 40 students; a larger one is a long request.
LONG_BYTES = 32 * 1024


class Model(Answering, Protocol):
    """Answers requests: `service.responder.Responder`."""

    def answer(self, requests: Sequence[ScoreRequest]) -> Answers:
        """Answer several requests in one pass."""
        ...


class _Others(TypedDict):
    """Requests that ended without an outcome since the last batch."""

    refused: int
    disconnected: int


class Batcher:
    """Collects requests and answers them in batches; for one event loop.

    Args:
        model: Reads and answers requests.
        workload: Decides which requests are accepted.
        observe: Called with the record of every batch.
        executor: Runs the model; None for the event loop itself.
        beside: Decodes large bodies; None for the event loop itself.
        rows: Most rows of one batch.

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
        self._queue = FairQueue(model, rows, beside, lose=self._lose, wake=self._schedule)
        self._scheduled = False
        self._closed = False
        self._refused = 0
        self._disconnected = 0
        # Whether a short request was rejected and nothing has ended since: then all are.
        self._full = False
        self._pace = RejectionPacer()
        self._ended = 0.0
        self.batches = 0
        self.background = BackgroundQueue(self)

    def submit(self, body: bytes, recipient: ResponseSink) -> bool:
        """Accept a request; its sink gets the outcome later, in another round of the event loop.

        Returns:
            Whether it is accepted; else its sink gets nothing, and `refusal` is the reason.
        """
        size = len(body)
        long = size > LONG_BYTES
        work = None if self._closed else self._workload.admit(size, long=long)
        if work is None:
            self._refused += 1
            self._full = self._full or not long
            return False
        self._queue.add(Job(body, recipient, perf_counter(), work, work, long))
        return True

    def has_room(self, size: int) -> bool:
        """Return whether `submit` might accept a body of `size` bytes that has not been read yet.

        Nothing is reserved: a body that arrives slowly holds no place. If not, the body need not be kept, and
        `turn_away` counts the request.
        """
        if size <= LONG_BYTES:
            return not self._full
        return not self._closed and self._workload.has_room(size, long=True)

    def turn_away(self) -> None:
        """Count a request that is rejected without its body having been kept."""
        self._refused += 1
        if not self._scheduled:  # no batch will report it
            self._report_others()

    def admit(self, seconds: float) -> float | None:
        """Accept long work that calls `run_step` for each of its steps.

        Args:
            seconds: Its estimated work.

        Returns:
            The argument for `leave` once it is done; None where it would wait too long.
        """
        return None if self._closed else self._workload.admit_background(seconds)

    def leave(self, work: float) -> None:
        """End work that `admit` accepted."""
        self._workload.leave_background(work)
        self._full = self._closed

    def run_step(self, step: Callable[[], T], outcome: Told[T]) -> None:
        """Queue a step of long work; it runs where the model does.

        It alternates with batches of short requests, as the slices of long requests do.

        Args:
            step: Does the work.
            outcome: Gets what the step returns or raises; RequestError where the service is shutting down.
        """
        if self._closed:
            outcome.set_exception(self.refusal())
            return
        self._queue.add(BackgroundStep(step, outcome))

    @property
    def retry_after(self) -> int:
        """Return after how many seconds a rejected request may be retried; 0 for never."""
        return 0 if self._closed else self._workload.retry_after

    def hold(self, size: int) -> float:
        """Return by how many seconds to delay a rejection (`service.http.rejections.RejectionPacer`)."""
        return self._pace.delay(size, perf_counter())

    async def rejection_when_due(self, size: int) -> RequestError:
        """Return the rejection of a body of `size` bytes, once it is due."""
        await asyncio.sleep(self.hold(size))
        return self.refusal()

    def refusal(self) -> RequestError:
        """Return the rejection of a request that is not accepted."""
        if self._closed:
            return RequestError(NOT_READY, "The service is shutting down; ask another instance.")
        seconds = str(self.retry_after)
        detail = f"More is being asked than can be answered. Try again in {seconds} s."
        return RequestError(BUSY, detail, headers=[(b"retry-after", seconds.encode())])

    def close(self) -> None:
        """Reject everything that waits, and everything that follows."""
        self._closed = self._full = True
        for one in self._queue.clear():
            if not isinstance(one, BackgroundStep):
                self._end(one, self.refusal())
            elif not one.outcome.done():
                one.outcome.set_exception(self.refusal())
        self.background.close()

    @property
    def waiting(self) -> int:
        """Return how many requests wait."""
        return self._queue.waiting

    @property
    def is_idle(self) -> bool:
        """Return whether nothing waits, runs or is due."""
        return not self.busy and not self.waiting

    @property
    def busy(self) -> bool:
        """Return whether a batch runs or is scheduled."""
        return self._scheduled

    def _schedule(self) -> None:
        if not self._scheduled and self._queue.ready:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._run_batch)

    def _run_batch(self) -> None:
        """Answer one batch of short requests, or one slice of a long one, or run a background step."""
        if (step := self._queue.next_step()) is not None:
            self._run_background(step)
            return
        started = perf_counter()
        jobs = self._queue.next_jobs()
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

    def _run_background(self, step: BackgroundStep) -> None:
        """Run a step of long work."""
        started = perf_counter()
        if self._executor is None:
            try:
                result = step.step()
            except Exception as error:  # noqa: BLE001 - delivered to the caller
                step.outcome.set_exception(error)
            else:
                step.outcome.set_result(result)
            self._learn_step(perf_counter() - started)
            self._finish()
            return
        passing = asyncio.get_running_loop().run_in_executor(self._executor, step.step)

        def hand_over(passed: asyncio.Future[Any]) -> None:
            error = passed.exception()
            if not step.outcome.done():
                if error is not None:
                    step.outcome.set_exception(error)
                else:
                    step.outcome.set_result(passed.result())
            self._learn_step(perf_counter() - started)
            self._finish()

        passing.add_done_callback(hand_over)

    def _answer(
        self, requests: Sequence[ScoreRequest]
    ) -> tuple[list[Outcome | Explaining], list[Answers]]:
        """Answer requests together; where that fails, each alone, so that one does not harm the others."""
        try:
            answers = self._model.answer(requests)
        except Exception as error:  # noqa: BLE001 - the other requests are answered
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
        """Deliver the outcomes of a batch, and learn from its time."""
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
        # Where requests waited all the time since the last batch, reading others is part of this batch's cost. It
        # counts for no more than the batch itself, or a storm of rejected requests would let fewer and fewer in.
        reading = min(started - self._ended, now - started) if self._ended else 0.0
        self._workload.learn(sum(job.share for job in jobs), now - started + reading)
        self._full = self._closed
        record = BatchRecord(
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
        self._observe(record)

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
        """Store the response to a slice; return the whole response once it is complete."""
        job.slices.popleft()
        if not isinstance(outcome, Answered):  # reasons are given of a slice at most
            return outcome
        job.done.append(outcome)
        if not job.slices:
            return joined(job.done)
        self._queue.add(job)
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
        """End a request that never comes to a pass: it is rejected, or its client has disconnected."""
        self._leave(job)
        self._deliver_alone(job, outcome)

    def _deliver_alone(self, job: Job, outcome: Outcome | None) -> None:
        """Deliver and record an outcome apart from a batch; None where its client has disconnected."""
        if outcome is None:
            self._disconnected += 1
            self._report_others()
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

    def _report_others(self) -> None:
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

    def _learn_step(self, seconds: float) -> None:
        self._workload.learn_background(seconds)
        self._full = self._closed

    def _finish(self) -> None:
        self._scheduled = False
        self._ended = perf_counter() if self._queue.ready else 0.0
        self._schedule()
