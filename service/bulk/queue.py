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

from scoring.tables.assessor import Wanted
from scoring.tables.formats import TableFormat
from service.batching.batcher import Batcher
from service.batching.jobs import ResponseSink
from service.bulk.batcher import News, Together
from service.bulk.costs import BulkCosts
from service.bulk.pending import BulkRequest, Cohort, Part, Piece, WorkedSlice
from service.bulk.responder import BulkResponder, InTurn
from service.bulk.timings import Course
from service.http.problems import INTERNAL, RequestError, stock_problem
from service.observability.error_log import log_without_values
from service.observability.metrics import BULK

# JSON is taken apart by code that lets no other thread run meanwhile, and Arrow is laid out as it
# is used: handing these to a thread takes time and gives none to others.
_READ_HERE = (None, TableFormat.ARROW)
# Up to this size others are read on the event loop, too: a millisecond or two.
_INLINE_BYTES = 128 * 1024

T = TypeVar("T")


class BulkDesk:
    """What answers cohorts, once the model is loaded; for one event loop.

    Args:
        responder: Reads, scores and writes.
        batcher: Takes work in, and gives turns.
        costs: Reckons what a body takes.
        observe: Is told of every slice, on the event loop.
        readers: Where bodies are read whose reading would keep the event loop.

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
        observe: Callable[[WorkedSlice], None],
        readers: Executor,
    ) -> None:
        self.responder = responder
        self.batcher = batcher
        self.costs = costs
        self._observe = observe
        self._readers = readers
        self._together = Together(responder, batcher)

    def submit(
        self, body: bytes, request: BulkRequest, recipient: ResponseSink, course: Course
    ) -> bool:
        """Take a body in; its recipient is told later, in another turn of the event loop.

        Args:
            body: The whole of it.
            request: How it is written; `request.whole`.
            recipient: Who waits.
            course: Is told how it goes.

        Returns:
            Whether it is taken in; else `Batcher.refusal` says why, and the recipient is told
            nothing.
        """
        work = self.batcher.admit(self.costs.of(request, len(body)))
        if work is None:
            return False
        cohort = self.responder.open(pa.BufferReader(body), request)
        order = _Body(self, len(body), request, recipient, course, work, cohort)
        if request.sent in _READ_HERE or len(body) <= _INLINE_BYTES:
            self._together.add(order)
        else:
            self._read_beside(order)
        return True

    def note(self, worked: WorkedSlice | None, course: Course) -> None:
        """Note a slice, on the event loop."""
        if worked is not None:
            course.add(worked)
            self._observe(worked)

    def _read_beside(self, order: "_Body") -> None:
        """Read all of a body in a thread first."""

        def has_read(reading: asyncio.Future[list[Part | None]]) -> None:
            if (error := reading.exception()) is not None:
                order.tell(error)
                return
            order.cohort.parts = iter(reading.result())
            self._together.add(order)

        loop = asyncio.get_running_loop()
        loop.run_in_executor(self._readers, list, order.cohort.parts).add_done_callback(has_read)


@dataclass(slots=True, eq=False)
class _Body:
    """A body on its way to its answer; a `service.bulk.batcher.Order`.

    Attributes:
        desk: Where it is answered.
        size: Its bytes.
        request: How it is written.
        recipient: Who waits.
        course: Is told how it goes.
        work: What the batcher took it in as.
        cohort: Its slices, and its answer.
        part: The next of its slices, where it is read already.
        written: Pieces of the answer.
    """

    desk: BulkDesk
    size: int
    request: BulkRequest
    recipient: ResponseSink
    course: Course
    work: float
    cohort: Cohort
    part: Part | None = None
    written: list[bytes] = field(default_factory=list)

    @property
    def wanted(self) -> Wanted:
        """What it asks for."""
        return self.request.wanted

    @property
    def disconnected(self) -> bool:
        """Whether nobody waits for it any more."""
        return self.recipient.disconnected

    def tell(self, news: News) -> None:
        """Take what has become of it."""
        if isinstance(news, Piece):
            self.written.append(news.body)
            self.desk.note(news.worked, self.course)
            return
        desk, recipient = self.desk, self.recipient
        desk.batcher.leave(self.work)
        if recipient.disconnected:  # not all of it was worked off, perhaps
            return
        if news is None:
            desk.costs.learn(self.request, self.size, self.course.seconds)
            recipient.succeed(b"".join(self.written))
        elif isinstance(news, RequestError):
            recipient.fail(news)
        else:
            log_without_values(BULK, news)
            recipient.fail(stock_problem(INTERNAL.status, b""))


def turns_for_thread(loop: asyncio.AbstractEventLoop, batcher: Batcher) -> InTurn:
    """Return what a thread does steps with: it waits for the turn of each."""

    def in_turn(step: Callable[[], T]) -> T:
        turn: concurrent.futures.Future[T] = concurrent.futures.Future()
        loop.call_soon_threadsafe(batcher.run_step, step, turn)
        return turn.result()

    return in_turn
