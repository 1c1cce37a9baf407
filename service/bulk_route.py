"""The route for whole cohorts over ASGI: what a request says of itself, and its body both ways.

A small body is answered in one go. A large one is worked off in slices, beside the event loop, as
it arrives; the answer begins once it is long enough or complete. What is wrong before that is
answered like every error; afterwards the connection is cut, so that no client takes what it has for
the whole.
"""

import asyncio
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import IO, cast
from urllib.parse import parse_qsl

import pyarrow as pa
from starlette.types import Receive, Scope, Send

from scoring.table_assessor import Wanted
from scoring.table_formats import TableFormat
from service.body import JSON, SILENCE, ClientGoneError, header, media_type, receive_body
from service.bulk import BulkRequest, BulkResponder
from service.bulk_body import Arriving, Departing
from service.metrics import count_students
from service.problems import (
    BUSY,
    MEDIA,
    NOT_ACCEPTABLE,
    SLOW,
    TOO_LARGE,
    RequestError,
    refuse_field,
)

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
# Up to this size a body is answered in one go.
_WHOLE_BYTES = 2**20
# An answer begins with its first so many bytes.
_BEGIN_BYTES = 2**20
_PIECE_BYTES = 256 * 1024
# Of a body that is already refused, so much is still read: a sender that is refused while it still
# sends may never see the answer.
_PATIENCE_BYTES = 64 * 2**20
# Streams that are worked on at once, each in a thread of its own, which mostly waits for its body.
MOST_STREAMS = 8
_OPTIONS = ("recommendations", "forecast")


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
        self._short = ThreadPoolExecutor(1, thread_name_prefix="bulk")
        self._long = ThreadPoolExecutor(MOST_STREAMS, thread_name_prefix="stream")

    def close(self) -> None:
        """Wait for what is being worked on."""
        self._short.shutdown(wait=True)
        self._long.shutdown(wait=True)

    async def answer(
        self, scope: Scope, receive: Receive, send: Send, responder: BulkResponder
    ) -> None:
        """Answer one request.

        Raises:
            RequestError: Nothing has been sent yet, and why nothing will be.
            AnswerCutError: Something was wrong after the answer had begun.
            ClientGoneError: The client hung up.
        """
        asked = _Asked(read_head(scope), send, responder)
        if asked.request.sent is None:
            body = await receive_body(scope, receive, self._document)
            await self._whole(body, asked)
            return
        if int(header(scope, b"content-length") or 0) > self._limit:
            raise self._too_large()
        held, more = bytearray(), True
        while more and len(held) <= _WHOLE_BYTES:
            chunk, more = await _next(receive)
            held += chunk
        if more:
            await self._stream(bytes(held), receive, asked)
        else:
            await self._whole(bytes(held), asked)

    async def _whole(self, body: bytes, asked: "_Asked") -> None:
        asked = replace(asked, request=replace(asked.request, whole=True))

        def work() -> bytes:
            return b"".join(asked.answer(pa.BufferReader(body)))

        answer = await asyncio.get_running_loop().run_in_executor(self._short, work)
        await asked.begin((b"content-length", str(len(answer)).encode()))
        await asked.send({"type": "http.response.body", "body": answer})

    async def _stream(self, held: bytes, receive: Receive, asked: "_Asked") -> None:
        if self._streams >= MOST_STREAMS:
            detail = f"{MOST_STREAMS} cohorts are being worked on; send this one in a moment."
            raise RequestError(
                BUSY, detail, headers=[(b"retry-after", b"1"), (b"connection", b"close")]
            )
        self._streams += 1
        try:
            if asked.request.sent is TableFormat.PARQUET:
                await self._from_file(held, receive, asked)
            else:
                await self._as_it_comes(held, receive, asked)
        finally:
            self._streams -= 1

    async def _from_file(self, held: bytes, receive: Receive, asked: "_Asked") -> None:
        """Keep the body in an unnamed file first: a table's end says where its parts are."""
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
        departing = Departing()

        def work() -> None:
            try:
                for piece in asked.answer(source):
                    departing.write(piece)
            finally:
                abandon()

        working = asyncio.get_running_loop().run_in_executor(self._long, work)
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
    """A request, where its answer goes and who makes it."""

    request: BulkRequest
    send: Send
    responder: BulkResponder

    def answer(self, source: IO[bytes]) -> Iterator[bytes]:
        """Answer the body, piece by piece."""
        return self.responder.answer(source, self.request, count_students)

    async def begin(self, *more: tuple[bytes, bytes]) -> None:
        """Send the head of the answer."""
        kind = (b"content-type", _TYPE_OF[self.request.answer])
        headers = [kind, (b"cache-control", b"no-store"), *more]
        await self.send({"type": "http.response.start", "status": 200, "headers": headers})


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
    return BulkRequest(MEDIA_TYPES[kind], _accepted(scope, kind), _options(scope))


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


def _options(scope: Scope) -> Wanted:
    options = dict.fromkeys(_OPTIONS, True)
    for name, value in parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True):
        if name not in options:
            message = "The query may hold `recommendations` and `forecast`."
            raise refuse_field("query", "unknown_field", message)
        if value not in {"true", "false"}:
            raise refuse_field(name, "wrong_type", f"`{name}` must be true or false.")
        options[name] = value == "true"
    return Wanted(**options)


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
