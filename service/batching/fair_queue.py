"""Choose what runs next: a batch of short requests, and a slice of long work, alternately."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from typing import Protocol

from service.batching.jobs import BackgroundStep, Job
from service.batching.slicing import cut
from service.http.error_log import log_without_values
from service.http.problems import INTERNAL, RequestError, stock_problem
from service.routes import SCORE
from service.rows.decoder import ScoreRequest

# Decoding takes about a millisecond for these; larger bodies are decoded beside the event loop.
_INLINE_BYTES = 256 * 1024


class Reader(Protocol):
    """What decodes requests: `service.responder.Responder`."""

    def read(self, body: bytes) -> ScoreRequest:
        """Decode a body."""
        ...


class FairQueue:
    """Waiting work in two queues, short and long; for one event loop.

    Args:
        reader: Decodes requests.
        rows: Most rows of one batch.
        beside: Where large bodies are decoded; None for the event loop itself.
        lose: Called for a request that ends without a batch, with its problem; None where its client has
            disconnected.
        wake: Called when work was added.
    """

    def __init__(
        self,
        reader: Reader,
        rows: int,
        beside: Executor | None,
        *,
        lose: Callable[[Job, RequestError | None], None],
        wake: Callable[[], None],
    ) -> None:
        self._reader = reader
        self._rows = rows
        self._beside = beside
        self._lose = lose
        self._wake = wake
        self._short: deque[Job] = deque()
        self._long: deque[Job | BackgroundStep] = deque()
        self._decoding: set[Job] = set()
        self._long_next = False

    @property
    def ready(self) -> bool:
        """Return whether any work could run now."""
        return bool(self._short or self._long)

    @property
    def waiting(self) -> int:
        """Return how many entries wait, those being decoded included."""
        return len(self._short) + len(self._long) + len(self._decoding)

    def add(self, one: Job | BackgroundStep) -> None:
        """Add a request or a step."""
        if isinstance(one, BackgroundStep) or (one.long and one.request is not None):
            self._long.append(one)
        elif not one.long:
            self._short.append(one)
        elif self._beside is None or len(one.body) <= _INLINE_BYTES:
            self._long.append(one)
        else:
            self._decode_beside(one, self._beside)
            return
        self._wake()

    def clear(self) -> Iterator[Job | BackgroundStep]:
        """Remove and return everything, one after the other."""
        waiting = (*self._short, *self._long, *self._decoding)
        self._short.clear()
        self._long.clear()
        self._decoding.clear()
        yield from waiting

    def next_step(self) -> BackgroundStep | None:
        """Return the background step that runs next, if it is one."""
        while self._long and (self._long_next or not self._short):
            step = self._long[0]
            if not isinstance(step, BackgroundStep):
                break
            self._long.popleft()
            if not step.outcome.done():  # else its client has disconnected
                self._long_next = False
                return step
        return None

    def next_jobs(self) -> list[Job]:
        """Return the requests that run next, decoded: some short ones, or one long one."""
        if self._long and (self._long_next or not self._short):
            self._long_next = False
            return self._next_slice()
        self._long_next = True
        return self._next_short()

    def _next_short(self) -> list[Job]:
        jobs: list[Job] = []
        rows = 0
        while self._short and rows < self._rows:
            job = self._short[0]
            if not self._is_ready(job):
                self._short.popleft()
                continue
            number = len(job.decoded.students.ids)
            if jobs and rows + number > self._rows:
                break
            rows += number
            jobs.append(self._short.popleft())
        return jobs

    def _next_slice(self) -> list[Job]:
        """Return the long request that runs next: round robin, a slice each."""
        while self._long:
            job = self._long[0]
            if isinstance(job, BackgroundStep):
                break
            self._long.popleft()
            if not self._is_ready(job):
                continue
            if not job.slices:
                job.slices.extend(cut(job.decoded, self._rows))
                job.share = job.work / len(job.slices)
            return [job]
        return []

    def _is_ready(self, job: Job) -> bool:
        """Decode a request; end it where that fails or its client has disconnected."""
        if job.recipient.disconnected:
            self._lose(job, None)
            return False
        return job.request is not None or self._take(job, self._read(job.body))

    def _take(self, job: Job, outcome: ScoreRequest | RequestError) -> bool:
        if isinstance(outcome, RequestError):
            self._lose(job, outcome)
            return False
        job.request, job.body = outcome, b""
        return True

    def _read(self, body: bytes) -> ScoreRequest | RequestError:
        try:
            return self._reader.read(body)
        except RequestError as refusal:
            return refusal
        except Exception as error:  # noqa: BLE001 - other requests go on
            log_without_values(SCORE.path, error)
            return stock_problem(INTERNAL.status, b"")

    def _decode_beside(self, job: Job, beside: Executor) -> None:
        self._decoding.add(job)
        decoding = asyncio.get_running_loop().run_in_executor(beside, self._read, job.body)

        def decoded(done: asyncio.Future[ScoreRequest | RequestError]) -> None:
            if job not in self._decoding:
                return  # the service has been closed
            self._decoding.discard(job)
            if self._take(job, done.result()):
                self.add(job)

        decoding.add_done_callback(decoded)
