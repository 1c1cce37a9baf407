"""The route for whole cohorts over ASGI: what a request says of itself, and its body both ways.

A small body is read as a whole, and taken in or refused like a `score` request, by the work that it
is. A large one takes one of a few places and is worked off as it arrives; its answer begins once it
is long enough or complete. Either is read in a thread, unless that takes but a moment, and worked
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
from typing import IO, TypeVar, cast
from urllib.parse import parse_qsl

import pyarrow as pa
from starlette.types import Message, Receive, Scope, Send

from scoring.table_assessor import Wanted
from scoring.table_formats import TableFormat, count_rows
from scoring.table_intake import TableError
from service.batching import Batcher
from service.body import JSON, SILENCE, ClientGoneError, header, media_type, receive_body
from service.bulk import BulkRequest, BulkResponder, InTurn, Piece, WorkedSlice, at_once
from service.bulk_body import Arriving, Departing
from service.bulk_costs import BulkCosts
from service.bulk_course import Course
from service.problems import (
    BUSY,
    MEDIA,
    NOT_ACCEPTABLE,
    SLOW,
    TOO_LARGE,
    RequestError,
    refuse_field,
)
from service.reference import KEPT, WORDS

MEDIA_TYPES: dict[bytes, TableFormat | None] = {
    b"application/vnd.apache.arrow.stream": TableFormat.ARROW,
    b"application/vnd.apache.parquet": TableFormat.PARQUET,
    b"text/csv": TableFormat.CSV,
    JSON: None,
}
ANSWER_TYPES: dict[bytes, TableFormat | None] = {
    **MEDIA_TYPES,
    b"application/x-ndjson": TableFormat.JSON_LINES,
}
_TYPE_OF = {kind: name for name, kind in ANSWER_TYPES.items()}
MOST_BYTES = 2 * 2**30
# Up to this size a body is taken in as a whole.
_WHOLE_BYTES = 2**20
# Of so few rows: a small body can unpack to many, and its answer is in memory as a whole.
_WHOLE_ROWS = 32_768
# Up to this size a body is read on the event loop: a millisecond or two.
_INLINE_BYTES = 128 * 1024
# A turn goes on to the next slice until so much time has passed.
_TURN_SECONDS = 0.001
# An answer begins with its first so many bytes.
_BEGIN_BYTES = 2**20
_PIECE_BYTES = 256 * 1024
# Of a body that is already refused, so much is still read: a sender that is refused while it still
# sends may never see the answer.
_PATIENCE_BYTES = 64 * 2**20
# Streams that are worked on at once, each in a thread of its own, which mostly waits for its body.
MOST_STREAMS = 8
# Whole bodies that are read at once. What they are worked off in is turns.
_READERS = 2
_OPTIONS = ("recommendations", "forecast")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class BulkDesk:
    """What answers cohorts, once the model is loaded.

    Attributes:
        responder: Reads, scores and writes.
        batcher: Takes work in, and gives turns.
        costs: Reckons what a body takes.
        observe: Is told of every slice, on the event loop.
    """

    responder: BulkResponder
    batcher: Batcher
    costs: BulkCosts
    observe: Callable[[WorkedSlice], None]


class BulkRoute:
    """Answers whole cohorts.

    Args:
        max_body_bytes: Larger bodies of JSON, which must be held as a whole, are refused.
        max_bulk_bytes: Larger bodies of other formats are refused.
    """

    def __init__(self, max_body_bytes: int, max_bulk_bytes: int) -> None:
        self._document = max_body_bytes
        self._limit = max_bulk_bytes
        self._streams = 0
        self._short = ThreadPoolExecutor(_READERS, thread_name_prefix="bulk")
        self._long = ThreadPoolExecutor(MOST_STREAMS, thread_name_prefix="stream")

    def close(self) -> None:
        """Wait for what is being worked on."""
        self._short.shutdown(wait=True)
        self._long.shutdown(wait=True)

    async def answer(
        self, scope: Scope, receive: Receive, send: Send, desk: BulkDesk, course: Course
    ) -> None:
        """Answer one request.

        Args:
            scope: Its ASGI scope.
            receive: Where its body comes from.
            send: Where its answer goes.
            desk: What answers it.
            course: Is told how it goes.

        Raises:
            RequestError: Nothing has been sent yet, and why nothing will be.
            AnswerCutError: Something was wrong after the answer had begun.
            ClientGoneError: The client hung up.
        """
        asked = _Asked(read_head(scope), send, desk, course)
        if asked.request.sent is None:
            body = await receive_body(scope, receive, self._document)
            course.arrived = perf_counter()
            await self._whole(body, asked)
            return
        if int(header(scope, b"content-length") or 0) > self._limit:
            raise self._too_large()
        held, more = bytearray(), True
        while more and len(held) <= _WHOLE_BYTES:
            chunk, more = await _next(receive)
            held += chunk
        course.arrived = perf_counter()
        body = bytes(held)
        if more:
            await self._stream(body, receive, asked)
        elif _rows(body, asked.request.sent) > _WHOLE_ROWS:
            await self._stream(body, _nothing_more, asked)
        else:
            await self._whole(body, asked)

    async def _whole(self, body: bytes, asked: "_Asked") -> None:
        asked = replace(asked, request=replace(asked.request, whole=True))
        desk, size = asked.desk, len(body)
        work = desk.batcher.admit(desk.costs.of(asked.request, size))
        if work is None:
            await asyncio.sleep(desk.batcher.hold(size))
            raise desk.batcher.refusal()
        source = pa.BufferReader(body)
        try:
            if size <= _INLINE_BYTES:
                answer = await _in_turns(asked, source)
            else:
                answer = await self._read_beside(asked, source)
        finally:
            desk.batcher.leave(work)
        desk.costs.learn(asked.request, size, asked.course.seconds)
        await asked.begin((b"content-length", str(len(answer)).encode()))
        await asked.send({"type": "http.response.body", "body": answer})

    async def _read_beside(self, asked: "_Asked", source: IO[bytes]) -> bytes:
        """Answer a body whose reading would keep the event loop."""
        loop = asyncio.get_running_loop()
        written: list[bytes] = []

        def work() -> None:
            for piece in asked.pieces(source, _turns(loop, asked)):
                written.append(piece.body)
                loop.call_soon_threadsafe(asked.note, piece.worked)

        await loop.run_in_executor(self._short, work)
        return b"".join(written)

    async def _stream(self, held: bytes, receive: Receive, asked: "_Asked") -> None:
        desk = asked.desk
        work = None
        if self._streams < MOST_STREAMS:
            # What is held stands for the whole: it goes on, but nobody waits for all of it.
            work = desk.batcher.admit(desk.costs.of(asked.request, len(held)))
        if work is None:
            raise self._no_place(desk.batcher)
        self._streams += 1
        try:
            if asked.request.sent is TableFormat.PARQUET or asked.request.needs_all:
                await self._from_file(held, receive, asked)
            else:
                await self._as_it_comes(held, receive, asked)
        finally:
            self._streams -= 1
            desk.batcher.leave(work)

    def _no_place(self, batcher: Batcher) -> RequestError:
        refusal = batcher.refusal()
        if self._streams >= MOST_STREAMS:
            detail = f"{MOST_STREAMS} cohorts are being worked on; send this one in a moment."
            refusal = RequestError(BUSY, detail, headers=[(b"retry-after", b"1")])
        refusal.headers = (*refusal.headers, (b"connection", b"close"))
        return refusal

    async def _from_file(self, held: bytes, receive: Receive, asked: "_Asked") -> None:
        """Keep the body in an unnamed file first.

        Parquet says at its end where its parts are, and who is compared with all is read twice.
        """
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
            await self._answer_from(file, asked)

    async def _as_it_comes(self, held: bytes, receive: Receive, asked: "_Asked") -> None:
        arriving = Arriving()
        feeding = asyncio.create_task(self._feed(held, receive, arriving))
        try:
            await self._answer_from(cast("IO[bytes]", arriving), asked, arriving.abandon, feeding)
        finally:
            feeding.cancel()
            arriving.end(ClientGoneError())
            with suppress(asyncio.CancelledError):
                await feeding

    async def _feed(self, held: bytes, receive: Receive, arriving: Arriving) -> None:
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
        except (RequestError, ClientGoneError) as error:
            arriving.end(error)
        else:
            arriving.end()

    async def _answer_from(
        self,
        source: IO[bytes],
        asked: "_Asked",
        abandon: Callable[[], None] = lambda: None,
        feeding: "asyncio.Task[None] | None" = None,
    ) -> None:
        departing, loop = Departing(), asyncio.get_running_loop()

        def work() -> None:
            try:
                for piece in asked.pieces(source, _turns(loop, asked)):
                    departing.write(piece.body)
                    loop.call_soon_threadsafe(asked.note, piece.worked)
            finally:
                abandon()

        working = loop.run_in_executor(self._long, work)
        working.add_done_callback(lambda _: departing.wake())
        try:
            while not working.done() and departing.size < _BEGIN_BYTES:
                await departing.grown()
            if working.done() and (error := working.exception()):
                if feeding is not None:  # a sender that is still sending would not see the answer
                    await feeding
                raise error
            await asked.begin()
            await _send_all(departing, working, asked.send)
        finally:
            departing.forsake()
            abandon()
            with suppress(Exception):
                await asyncio.shield(working)
            departing.close()

    def _too_large(self) -> RequestError:
        detail = f"The body may hold {self._limit:,} bytes. Send the students in several requests."
        return RequestError(TOO_LARGE, detail, headers=[(b"connection", b"close")])


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request, where its answer goes, who makes it and how it goes."""

    request: BulkRequest
    send: Send
    desk: BulkDesk
    course: Course

    def pieces(self, source: IO[bytes], in_turn: InTurn) -> Iterator[Piece]:
        """Answer the body, piece by piece."""
        return self.desk.responder.pieces(source, self.request, in_turn)

    def note(self, worked: WorkedSlice | None) -> None:
        """Note a slice, on the event loop."""
        if worked is not None:
            self.course.add(worked)
            self.desk.observe(worked)

    async def begin(self, *more: tuple[bytes, bytes]) -> None:
        """Send the head of the answer."""
        kind = (b"content-type", _TYPE_OF[self.request.answer])
        headers = [kind, (b"cache-control", b"no-store"), *more]
        await self.send({"type": "http.response.start", "status": 200, "headers": headers})


async def _in_turns(asked: _Asked, source: IO[bytes]) -> bytes:
    """Answer a small body on the event loop, reading included."""
    pieces = asked.pieces(source, at_once)
    written: list[bytes] = []

    def step() -> tuple[list[WorkedSlice | None], bool]:
        worked: list[WorkedSlice | None] = []
        began = perf_counter()
        while perf_counter() - began < _TURN_SECONDS:
            piece = next(pieces, None)
            if piece is None:
                return worked, True
            written.append(piece.body)
            worked.append(piece.worked)
        return worked, False

    ended = False
    while not ended:
        worked, ended = await asked.desk.batcher.in_turn(step)
        for one in worked:
            asked.note(one)
    return b"".join(written)


def _turns(loop: asyncio.AbstractEventLoop, asked: _Asked) -> InTurn:
    """Return what a thread does steps with: it waits for the turn of each."""

    def in_turn(step: Callable[[], T]) -> T:
        return asyncio.run_coroutine_threadsafe(asked.desk.batcher.in_turn(step), loop).result()

    return in_turn


async def _send_all(departing: Departing, working: "asyncio.Future[None]", send: Send) -> None:
    sent = 0
    while not working.done() or sent < departing.size:
        if sent < departing.size:
            piece = departing.read(sent, _PIECE_BYTES)
            sent += len(piece)
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        else:
            await departing.grown()
    if working.exception() is not None:
        raise AnswerCutError
    await send({"type": "http.response.body", "body": b""})


class AnswerCutError(Exception):
    """Something was wrong after the answer had begun; it stays without an end."""


def read_head(scope: Scope) -> BulkRequest:
    """Read what a request says of itself.

    Raises:
        RequestError: 415, its body is written in no format of ours; 406, the answer is wanted in
            none of ours; 422, an option is unknown or neither true nor false.
    """
    kind = media_type(scope) or JSON
    known = b", ".join(MEDIA_TYPES)
    if kind not in MEDIA_TYPES:
        detail = f"Send the body as one of {known.decode()}."
        raise RequestError(MEDIA, detail, headers=[(b"accept", known)])
    if header(scope, b"content-encoding") not in (b"", b"identity"):
        detail = "Send the body without a content coding; Arrow and Parquet compress by themselves."
        raise RequestError(MEDIA, detail, headers=[(b"accept-encoding", b"identity")])
    wanted, reference = _options(scope, MEDIA_TYPES[kind])
    return BulkRequest(
        MEDIA_TYPES[kind], _accepted(scope, kind), wanted=wanted, reference=reference
    )


def _accepted(scope: Scope, sent: bytes) -> TableFormat | None:
    """Return the first format of the `accept` header that is ours; the request's for any."""
    wishes = header(scope, b"accept") or b"*/*"
    for wish in wishes.split(b","):
        kind = wish.partition(b";")[0].strip().lower()
        if kind == b"*/*":
            return MEDIA_TYPES[sent]
        if kind in ANSWER_TYPES:
            return ANSWER_TYPES[kind]
    known = ", ".join(name.decode() for name in ANSWER_TYPES)
    raise RequestError(NOT_ACCEPTABLE, f"Accept one of {known}.")


def _options(scope: Scope, kind: TableFormat | None) -> tuple[Wanted, str]:
    options, reference = dict.fromkeys(_OPTIONS, True), KEPT
    for name, value in parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True):
        if name == "reference" and kind is None:
            message = "In columnar JSON `reference` stands in the body, not in the query."
            raise refuse_field(name, "unknown_field", message)
        if name == "reference":
            if value not in WORDS:
                message = (
                    f"`reference` must be one of {', '.join(WORDS)} here; columnar JSON and "
                    "`score` also take what `bellwether reference` writes."
                )
                raise refuse_field(name, "wrong_value", message)
            reference = value
        elif name not in options:
            message = "The query may hold `recommendations`, `forecast` and `reference`."
            raise refuse_field("query", "unknown_field", message)
        elif value not in {"true", "false"}:
            raise refuse_field(name, "wrong_type", f"`{name}` must be true or false.")
        else:
            options[name] = value == "true"
    return Wanted(**options), reference


def _rows(body: bytes, kind: TableFormat) -> int:
    try:
        return count_rows(body, kind)
    except TableError:
        return 0  # whoever reads it says so


async def _nothing_more() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _next(receive: Receive) -> tuple[bytes, bool]:
    """Receive the next part of a body, and whether there is more."""
    try:
        async with asyncio.timeout(SILENCE):
            message = await receive()
    except TimeoutError:
        detail = f"Nothing came for {SILENCE:g} seconds and the body is not complete."
        raise RequestError(SLOW, detail, headers=[(b"connection", b"close")]) from None
    if message["type"] == "http.disconnect":
        raise ClientGoneError
    return message.get("body", b""), message.get("more_body", False)
