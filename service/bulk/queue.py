"""Answer cohorts whose bodies are in memory as a whole, in turns of the batcher.

`submit` -> `service.bulk.batcher` -> `ResponseSink`, as `service.batching.batcher` does for `score`, so that
ASGI and the short way (`service.transport.fast_path`) get the same.
"""

import asyncio
import concurrent.futures
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import TypeVar

import pyarrow as pa

from records.tables.formats import TableFormat
from scoring.tables.assessor import Wanted
from service.batching.batcher import Batcher
from service.batching.jobs import ResponseSink
from service.bulk.batcher import StepResult, TableBatcher
from service.bulk.costs import BulkCosts
from service.bulk.pending import BulkRequest, PendingSlice, ResponseChunk, SliceResult, TableJob
from service.bulk.responder import BulkResponder, StepRunner
from service.bulk.timings import BulkTimings
from service.http.error_log import log_without_values
from service.http.problems import INTERNAL, RequestError, stock_problem
from service.routes import BULK

# The JSON decoder holds the interpreter lock, and Arrow needs no decoding: a thread would cost time
# and free none.
_READ_HERE = (None, TableFormat.ARROW)
# Other formats up to this size are read on the event loop, too: a millisecond or two.
_INLINE_BYTES = 128 * 1024

T = TypeVar("T")


class BulkQueue:
    """Accepts tables and answers them; for one event loop.

    Args:
        responder: Reads, scores and writes.
        batcher: Admits work and runs its steps.
        costs: Estimates the work of a body.
        observe: Called with every slice, on the event loop.
        readers: Threads for bodies whose reading would block the event loop.

    Attributes:
        responder: As given.
        batcher: As given.
        costs: As given.
    """

    def __init__(
        self,
        responder: BulkResponder,
        batcher: Batcher,
        costs: BulkCosts,
        observe: Callable[[SliceResult], None],
        readers: Executor,
    ) -> None:
        self.responder = responder
        self.batcher = batcher
        self.costs = costs
        self._observe = observe
        self._readers = readers
        self._batches = TableBatcher(responder, batcher)

    def submit(
        self, body: bytes, request: BulkRequest, recipient: ResponseSink, timings: BulkTimings
    ) -> bool:
        """Enqueue a table; its recipient gets the response in a later iteration of the event loop.

        Args:
            body: The whole body.
            request: Formats and options; `request.whole`.
            recipient: Receives the response.
            timings: Receives the timings.

        Returns:
            Whether it is accepted; if not, `Batcher.refusal` has the reason and the recipient
            receives nothing.
        """
        work = self.batcher.admit(self.costs.of(request, len(body)))
        if work is None:
            return False
        cohort = self.responder.open(pa.BufferReader(body), request)
        table = _WholeTable(self, len(body), request, recipient, timings, work, cohort)
        if request.sent in _READ_HERE or len(body) <= _INLINE_BYTES:
            self._batches.add(table)
        else:
            self._read_in_thread(table)
        return True

    def note(self, result: SliceResult | None, timings: BulkTimings) -> None:
        """Record a slice, on the event loop."""
        if result is not None:
            timings.add(result)
            self._observe(result)

    def _read_in_thread(self, table: "_WholeTable") -> None:
        """Read the whole body in a thread, then enqueue it."""

        def on_read(reading: asyncio.Future[list[PendingSlice | None]]) -> None:
            if (error := reading.exception()) is not None:
                table.deliver(error)
                return
            table.job.parts = iter(reading.result())
            self._batches.add(table)

        loop = asyncio.get_running_loop()
        loop.run_in_executor(self._readers, list, table.job.parts).add_done_callback(on_read)


@dataclass(slots=True, eq=False)
class _WholeTable:
    """A table whose body is in memory; a `service.bulk.batcher.PendingTable`.

    Attributes:
        queue: The queue that accepted it.
        size: Bytes of its body.
        request: Formats and options.
        recipient: Receives the response.
        timings: Receives the timings.
        work: Estimated seconds, as the batcher admitted them.
        job: Its slices and its response.
        part: The next of its slices, where it has been read.
        written: Chunks of the response.
    """

    queue: BulkQueue
    size: int
    request: BulkRequest
    recipient: ResponseSink
    timings: BulkTimings
    work: float
    job: TableJob
    part: PendingSlice | None = None
    written: list[bytes] = field(default_factory=list)

    @property
    def wanted(self) -> Wanted:
        """Parts of the assessment that it asks for."""
        return self.request.wanted

    @property
    def disconnected(self) -> bool:
        """Whether its client has disconnected."""
        return self.recipient.disconnected

    def deliver(self, result: StepResult) -> None:
        """Receive the outcome of a step."""
        if isinstance(result, ResponseChunk):
            self.written.append(result.body)
            self.queue.note(result.result, self.timings)
            return
        queue, recipient = self.queue, self.recipient
        queue.batcher.leave(self.work)
        if recipient.disconnected:  # the costs of a part would mislead
            return
        if result is None:
            queue.costs.learn(self.request, self.size, self.timings.seconds)
            recipient.succeed(b"".join(self.written))
        elif isinstance(result, RequestError):
            recipient.fail(result)
        else:
            log_without_values(BULK.path, result)
            recipient.fail(stock_problem(INTERNAL.status, b""))


def step_runner_for_thread(loop: asyncio.AbstractEventLoop, batcher: Batcher) -> StepRunner:
    """Return a runner of steps for a thread: it waits until the batcher has run each."""

    def run_step(step: Callable[[], T]) -> T:
        done: concurrent.futures.Future[T] = concurrent.futures.Future()
        loop.call_soon_threadsafe(batcher.run_step, step, done)
        return done.result()

    return run_step
