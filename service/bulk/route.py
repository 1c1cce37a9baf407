"""The route for whole cohorts over ASGI: what a request says of itself, and its body both ways.

A small body is read as a whole, and taken in or refused like a `score` request, by the work that it
is. A large one takes one of a few places and is assessed as it arrives; its answer begins once it
is long enough or complete. Either is read in a thread, unless that takes but a moment, and result
off slice by slice in turns of the batcher, so that no other request waits for more than a slice.
What is wrong before the answer begins is answered like every error; afterwards the connection is
cut, so that no client takes what it has for the whole.
"""

import asyncio
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from time import perf_counter
from typing import IO, cast

from starlette.types import Message, Receive, Scope, Send

from service.batching.batcher import Batcher
from service.batching.disconnect import await_response
from service.batching.jobs import PendingResponse
from service.bulk.headers import TYPE_OF, WHOLE_BYTES, has_many_rows, read_head
from service.bulk.pending import BulkRequest, ResponseChunk
from service.bulk.queue import BulkQueue, step_runner_for_thread
from service.bulk.responder import StepRunner
from service.bulk.streams import RequestStream, ResponseFile
from service.bulk.timings import BulkTimings
from service.http.body import (
    SILENCE,
    ClientDisconnectedError,
    UnwantedBodyError,
    header,
    receive_body,
    silent,
)
from service.http.body_budget import BodyBudget, PartialBody
from service.http.problems import BUSY, TOO_LARGE, RequestError
from service.http.responses import ResponseCutError

MAX_BYTES = 2 * 2**30
# An answer begins with its first so many bytes.
_BEGIN_BYTES = 2**20
_PIECE_BYTES = 256 * 1024
# Of a body that is already refused, so much is still read: a sender that is refused while it still
# sends may never see the answer.
_PATIENCE_BYTES = 64 * 2**20
# Streams that are result on at once, each in a thread of its own, which mostly waits for its body.
MAX_STREAMS = 8
# Whole bodies that are read at once. They are assessed in steps of the batcher.
_READERS = 2


class BulkRoute:
    """Answers whole cohorts.

    Args:
        max_body_bytes: Larger bodies of JSON, which must be held as a whole, are refused.
        max_bulk_bytes: Larger bodies of other formats are refused.
        budget: What bodies may hold while they arrive.
    """

    def __init__(self, max_body_bytes: int, max_bulk_bytes: int, budget: BodyBudget) -> None:
        self._document = max_body_bytes
        self._limit = max_bulk_bytes
        self._budget = budget
        self._streams = 0
        self.readers = ThreadPoolExecutor(_READERS, thread_name_prefix="bulk")
        self._long = ThreadPoolExecutor(MAX_STREAMS, thread_name_prefix="stream")

    def close(self) -> None:
        """Wait for what is being result on."""
        self.readers.shutdown(wait=True)
        self._long.shutdown(wait=True)

    async def answer(
        self, scope: Scope, receive: Receive, send: Send, queue: BulkQueue, timings: BulkTimings
    ) -> None:
        """Answer one request.

        Args:
            scope: Its ASGI scope.
            receive: Where its body comes from.
            send: Where its answer goes.
            queue: What answers it.
            timings: Receives the timings.

        Raises:
            RequestError: Nothing has been sent yet, and why nothing will be.
            ResponseCutError: Something was wrong after the answer had begun.
            ClientDisconnectedError: The client hung up.
        """
        exchange = _Exchange(read_head(scope), send, queue, timings)
        if exchange.request.sent is None:
            document = self._document_of(scope, receive, exchange)
            await self._whole(await document, receive, exchange)
            return
        if int(header(scope, b"content-length") or 0) > self._limit:
            raise self._too_large()
        body, more = await self._beginning(receive, exchange)
        if more:
            work = self._stream(body, receive, exchange)
        elif has_many_rows(body, exchange.request.sent):
            work = self._stream(body, _nothing_more, exchange)
        else:
            work = self._whole(body, receive, exchange)
        del body  # the reader holds it; a delayed rejection holds nothing
        await work

    async def _document_of(self, scope: Scope, receive: Receive, exchange: "_Exchange") -> bytes:
        """Receive a body that must be held as a whole."""
        try:
            body = await receive_body(scope, receive, self._document, self._budget)
        except UnwantedBodyError as unwanted:
            exchange.timings.arrived = perf_counter()
            raise await exchange.queue.batcher.rejection_when_due(unwanted.size) from None
        exchange.timings.arrived = perf_counter()
        return body

    async def _beginning(self, receive: Receive, exchange: "_Exchange") -> tuple[bytes, bool]:
        """Receive a body up to about `WHOLE_BYTES`; return that, and whether there is more."""
        body, more = PartialBody(self._budget), True
        try:
            while more and body.size <= WHOLE_BYTES:
                chunk, more = await _next(receive)
                body.add(chunk, last=not more)
            exchange.timings.arrived = perf_counter()
            if body.is_kept:
                return body.whole(), more
        finally:
            body.drop()
        refusal = await exchange.queue.batcher.rejection_when_due(body.size)
        if more:
            refusal.headers = (*refusal.headers, (b"connection", b"close"))
        raise refusal

    async def _whole(self, body: bytes, receive: Receive, exchange: "_Exchange") -> None:
        queue, waiting, size = exchange.queue, PendingResponse(), len(body)
        request = replace(exchange.request, whole=True)
        is_taken_in = queue.submit(body, request, waiting, exchange.timings)
        del body
        if not is_taken_in:
            raise await queue.batcher.rejection_when_due(size)
        answer = await await_response(waiting, receive)
        await exchange.begin((b"content-length", str(len(answer)).encode()))
        await exchange.send({"type": "http.response.body", "body": answer})

    async def _stream(self, held: bytes, receive: Receive, exchange: "_Exchange") -> None:
        queue = exchange.queue
        work = None
        if self._streams < MAX_STREAMS:
            # What is held stands for the whole: it continues, but no client waits for all of it.
            work = queue.batcher.admit(queue.costs.of(exchange.request, len(held)))
        if work is None:
            raise self._no_place(queue.batcher)
        self._streams += 1
        try:
            if exchange.request.needs_all:
                await self._from_file(held, receive, exchange)
            else:
                await self._as_it_comes(held, receive, exchange)
        finally:
            self._streams -= 1
            queue.batcher.leave(work)

    def _no_place(self, batcher: Batcher) -> RequestError:
        refusal = batcher.refusal()
        if self._streams >= MAX_STREAMS:
            detail = f"{MAX_STREAMS} cohorts are being result on; send this one in a moment."
            refusal = RequestError(BUSY, detail, headers=[(b"retry-after", b"1")])
        refusal.headers = (*refusal.headers, (b"connection", b"close"))
        return refusal

    async def _from_file(self, held: bytes, receive: Receive, exchange: "_Exchange") -> None:
        """Keep the body in an unnamed file first, since it is read twice."""
        with tempfile.TemporaryFile() as file:
            file.write(held)
            size, more = len(held), True
            while more:
                chunk, more = await _next(receive)
                size += len(chunk)
                if size > self._limit:
                    raise self._too_large()
                file.write(chunk)
            file.seek(0)
            await self._answer_from(file, exchange)

    async def _as_it_comes(self, held: bytes, receive: Receive, exchange: "_Exchange") -> None:
        arriving = RequestStream()
        feeding = asyncio.create_task(self._feed(held, receive, arriving))
        try:
            await self._answer_from(
                cast("IO[bytes]", arriving), exchange, arriving.abandon, feeding
            )
        finally:
            feeding.cancel()
            arriving.end(ClientDisconnectedError())
            with suppress(asyncio.CancelledError):
                await feeding

    async def _feed(self, held: bytes, receive: Receive, arriving: RequestStream) -> None:
        try:
            await arriving.feed(held)
            size, unread, more = len(held), 0, True
            while more and unread < _PATIENCE_BYTES:
                chunk, more = await _next(receive)
                size += len(chunk)
                unread += len(chunk) if arriving.abandoned else 0
                if size > self._limit:
                    raise self._too_large()
                await arriving.feed(chunk)
        except (RequestError, ClientDisconnectedError) as error:
            arriving.end(error)
        else:
            arriving.end()

    async def _answer_from(
        self,
        source: IO[bytes],
        exchange: "_Exchange",
        abandon: Callable[[], None] = lambda: None,
        feeding: "asyncio.Task[None] | None" = None,
    ) -> None:
        departing, loop = ResponseFile(), asyncio.get_running_loop()

        def work() -> None:
            try:
                for chunk in exchange.chunks(
                    source, step_runner_for_thread(loop, exchange.queue.batcher)
                ):
                    departing.write(chunk.body)
                    loop.call_soon_threadsafe(exchange.queue.note, chunk.result, exchange.timings)
            finally:
                abandon()

        working = loop.run_in_executor(self._long, work)
        working.add_done_callback(lambda _: departing.wake())
        try:
            while not working.done() and departing.size < _BEGIN_BYTES:
                await departing.wait_for_more()
            if working.done():
                if feeding is not None and working.exception():
                    await feeding  # a sender that is still sending would not see the answer
                working.result()
            await exchange.begin()
            await _send_all(departing, working, exchange.send)
        finally:
            departing.discard()
            abandon()
            with suppress(Exception):
                await asyncio.shield(working)
            departing.close()
            del working  # its exception refers to this frame: the cycle would hold the body

    def _too_large(self) -> RequestError:
        detail = f"The body may hold {self._limit:,} bytes. Send the students in several requests."
        return RequestError(TOO_LARGE, detail, headers=[(b"connection", b"close")])


@dataclass(frozen=True, slots=True)
class _Exchange:
    """A request, where its answer goes, who makes it and how it goes."""

    request: BulkRequest
    send: Send
    queue: BulkQueue
    timings: BulkTimings

    def chunks(self, source: IO[bytes], run_step: StepRunner) -> Iterator[ResponseChunk]:
        """Answer the body, chunk by chunk."""
        return self.queue.responder.chunks(source, self.request, run_step)

    async def begin(self, *more: tuple[bytes, bytes]) -> None:
        """Send the head of the answer."""
        kind = (b"content-type", TYPE_OF[self.request.answer])
        headers = [kind, *more, (b"cache-control", b"no-store")]
        await self.send({"type": "http.response.start", "status": 200, "headers": headers})


async def _send_all(departing: ResponseFile, working: "asyncio.Future[None]", send: Send) -> None:
    sent = 0
    while not working.done() or sent < departing.size:
        if sent < departing.size:
            chunk = departing.read(sent, _PIECE_BYTES)
            sent += len(chunk)
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        else:
            await departing.wait_for_more()
    if working.exception() is not None:
        raise ResponseCutError
    await send({"type": "http.response.body", "body": b""})


async def _nothing_more() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _next(receive: Receive) -> tuple[bytes, bool]:
    """Receive the next part of a body, and whether there is more."""
    try:
        async with asyncio.timeout(SILENCE):
            message = await receive()
    except TimeoutError:
        raise silent() from None
    if message["type"] == "http.disconnect":
        raise ClientDisconnectedError
    return message.get("body", b""), message.get("more_body", False)
