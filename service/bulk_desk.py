"""Answer cohorts whose bodies are in memory as a whole, in turns of the batcher.

`submit` -> turns of the event loop, a slice or so each -> `Recipient`, as `service.batching` does
for `score`, so that ASGI and the short way (`service.protocol`) get the same.
"""

import asyncio
import concurrent.futures
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, field
from time import perf_counter
from typing import TypeVar

import pyarrow as pa

from scoring.table_formats import TableFormat
from service.batching import Batcher
from service.bulk import BulkRequest, BulkResponder, InTurn, Piece, WorkedSlice
from service.bulk_costs import BulkCosts
from service.bulk_course import Course
from service.errors_log import log_without_values
from service.jobs import Recipient
from service.metrics import BULK
from service.problems import INTERNAL, RequestError, stock_problem

# Up to this size a body is read on the event loop: a millisecond or two. Arrow is laid out as it is
# used, so that any that is taken in as a whole will do; handing it to a thread takes longer.
_INLINE_BYTES, _INLINE_ARROW_BYTES = 128 * 1024, 2**20
# A turn goes on to the next slice until so much time has passed: no longer than a slice takes that
# was begun just before, and a cohort of a few hundred students is answered in a single turn.
_TURN_SECONDS = 0.002

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class BulkDesk:
    """What answers cohorts, once the model is loaded; for one event loop.

    Attributes:
        responder: Reads, scores and writes.
        batcher: Takes work in, and gives turns.
        costs: Reckons what a body takes.
        observe: Is told of every slice, on the event loop.
        readers: Where bodies are read whose reading would keep the event loop.
    """

    responder: BulkResponder
    batcher: Batcher
    costs: BulkCosts
    observe: Callable[[WorkedSlice], None]
    readers: Executor

    def submit(
        self, body: bytes, request: BulkRequest, recipient: Recipient, course: Course
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
        job = _Job(self, body, request, recipient, course, work)
        arrow = request.sent is TableFormat.ARROW
        if len(body) <= (_INLINE_ARROW_BYTES if arrow else _INLINE_BYTES):
            job.read_here()
        else:
            job.read_beside(self.readers)
        return True

    def note(self, worked: WorkedSlice | None, course: Course) -> None:
        """Note a slice, on the event loop."""
        if worked is not None:
            course.add(worked)
            self.observe(worked)


@dataclass(slots=True, eq=False)
class _Job:
    """A body on its way to its answer.

    Attributes:
        desk: Where it is answered.
        body: The whole of it.
        request: How it is written.
        recipient: Who waits.
        course: Is told how it goes.
        work: What the batcher took it in as.
        loop: The event loop.
        pieces: What comes of it, where it is read on the event loop.
        written: Pieces of the answer.
    """

    desk: BulkDesk
    body: bytes
    request: BulkRequest
    recipient: Recipient
    course: Course
    work: float
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    pieces: Iterator[Piece] = field(default_factory=lambda: iter(()))
    written: list[bytes] = field(default_factory=list)

    def read_here(self) -> None:
        """Answer it on the event loop, reading included."""
        self.pieces = self.desk.responder.pieces(pa.BufferReader(self.body), self.request)
        self._await_turn()

    def read_beside(self, readers: Executor) -> None:
        """Answer it with a thread that reads, and waits for the turn of each slice."""
        self.loop.run_in_executor(readers, self._read).add_done_callback(self._has_read)

    def _read(self) -> None:
        in_turn = turns_for_thread(self.loop, self.desk.batcher)
        source = pa.BufferReader(self.body)
        for piece in self.desk.responder.pieces(source, self.request, in_turn):
            if self.recipient.gone:
                return
            self.written.append(piece.body)
            self.loop.call_soon_threadsafe(self.desk.note, piece.worked, self.course)

    def _has_read(self, reading: asyncio.Future[None]) -> None:
        self._end(reading.exception())

    def _await_turn(self) -> None:
        turn: asyncio.Future[tuple[list[WorkedSlice], bool]] = self.loop.create_future()
        turn.add_done_callback(self._stepped)
        self.desk.batcher.take_turn(self._step, turn)

    def _step(self) -> tuple[list[WorkedSlice], bool]:
        """Do what there is time for; return the slices worked off, and whether all is done."""
        worked: list[WorkedSlice] = []
        began = perf_counter()
        while not self.recipient.gone and perf_counter() - began < _TURN_SECONDS:
            piece = next(self.pieces, None)
            if piece is None:
                return worked, True
            self.written.append(piece.body)
            if piece.worked is not None:
                worked.append(piece.worked)
        return worked, False

    def _stepped(self, turn: asyncio.Future[tuple[list[WorkedSlice], bool]]) -> None:
        if error := turn.exception():
            self._end(error)
            return
        worked, ended = turn.result()
        for one in worked:
            self.desk.note(one, self.course)
        if ended or self.recipient.gone:
            self._end(None)
        else:
            self._await_turn()

    def _end(self, error: BaseException | None) -> None:
        desk, recipient = self.desk, self.recipient
        desk.batcher.leave(self.work)
        if error is None and not recipient.gone:  # else not all of it was worked off
            desk.costs.learn(self.request, len(self.body), self.course.seconds)
        elif error is not None and not isinstance(error, RequestError):
            log_without_values(BULK, error)
            error = stock_problem(INTERNAL.status, b"")
        if recipient.gone:
            return
        if error is not None:
            recipient.fail(error)
        else:
            recipient.succeed(b"".join(self.written))


def turns_for_thread(loop: asyncio.AbstractEventLoop, batcher: Batcher) -> InTurn:
    """Return what a thread does steps with: it waits for the turn of each."""

    def in_turn(step: Callable[[], T]) -> T:
        turn: concurrent.futures.Future[T] = concurrent.futures.Future()
        loop.call_soon_threadsafe(batcher.take_turn, step, turn)
        return turn.result()

    return in_turn
