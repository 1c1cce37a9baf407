"""uvicorn's HTTP/1.1 protocol with the limits that it lacks.

httptools parses every byte. Added here:

- A request's head has a largest size, and a time within which it must be complete.
- An idle connection is closed after a time, also before its first request.
- An `Upgrade` that is not served is ignored (RFC 9110, 7.8). httptools stops parsing after the head of such a
  request and would lose its body, so a new parser gets the same head without the upgrade, then the bytes behind it.
- What cannot be parsed gets the one error shape, after the answers to the requests before it.
"""

import asyncio
import functools
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import httptools
import uvicorn
from starlette.types import Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from service.http.body import ClientDisconnectedError
from service.http.draining import Drain
from service.http.problems import BAD_REQUEST, SLOW, RequestError
from service.observability.metrics import count_rejection
from service.transport.heads import (
    MAX_HEAD_BYTES,
    head_size,
    head_too_large,
    header_lines,
    render_problem,
    without_upgrade,
)

# A client that is still sending would lose the answer if its connection were reset at once.
_LINGER_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Timeouts:
    """When connections are closed, in seconds.

    Attributes:
        idle: A connection without a request under way.
        head: A head that has begun and is not complete.
    """

    idle: float
    head: float


class HttpProtocol(HttpToolsProtocol):
    """One connection.

    Args:
        config: uvicorn's.
        server_state: Its counts and default headers, shared by all connections.
        app_state: State that the application's startup left.
        _loop: The event loop.
        drain: Whether the process is about to end: then no connection is kept.
        timeouts: When the connection is closed.

    Attributes:
        drain: As given.
        running: The request that is being answered, or was last; uvicorn's `cycle` is the newest, which may be queued.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        drain: Drain,
        timeouts: Timeouts,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.running: Any = None
        self.drain = drain
        self._timeouts = timeouts
        self._idle_since = 0.0
        self._head_timer: asyncio.TimerHandle | None = None
        self._in_message = False
        self._in_head = False
        self._is_upgrade = False
        # Whether the parser got further than collecting bytes: a head, a part of a body, a message's end.
        self._progressed = False
        # Bytes received since the parser last progressed, and since it last was between messages.
        self._stalled_bytes = 0
        self._message_bytes = 0
        self._rejection: bytes | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the idle timer."""
        super().connection_made(transport)
        self._idle_since = self.loop.time()
        self.timeout_keep_alive_handler()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop all timers."""
        super().connection_lost(exc)
        if self.running is not None:  # uvicorn tells the newest request alone
            self.running.disconnected = True
            self.running.message_event.set()
        self._stop_head_timer()
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
            self.timeout_keep_alive_task = None

    # Receiving

    def data_received(self, data: bytes) -> None:
        """Parse what has arrived."""
        if self._rejection is not None:
            return  # discarded, until the client has read the rejection
        self._progressed = False
        self._message_bytes += len(data)
        try:
            self._feed(data)
        except httptools.HttpParserError:
            detail = "The bytes received are not an HTTP/1.1 request."
            self._reject(RequestError(BAD_REQUEST, detail))
            return
        if not self._in_message:
            self._message_bytes = self._stalled_bytes = 0
            return
        self._stalled_bytes = 0 if self._progressed else self._stalled_bytes + len(data)
        if self._stalled_bytes > MAX_HEAD_BYTES:
            self._reject(head_too_large())
        elif self._in_head and self._head_timer is None:
            self._start_head_timer()

    def _feed(self, data: bytes | memoryview) -> None:
        while True:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as stopped:
                data = memoryview(data)[stopped.args[0] :]
                self._repeat_headwithout_upgrade()
            else:
                return

    def _repeat_headwithout_upgrade(self) -> None:
        method = self.parser.get_method()
        if method == b"CONNECT":
            raise httptools.HttpParserError("CONNECT asks for a tunnel")
        self._is_upgrade = False
        head = b"%b %b HTTP/%b\r\n" % (method, self.url, self.parser.get_http_version().encode())
        head += header_lines(without_upgrade(self.headers)) + b"\r\n"
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self.parser.feed_data(head)

    # Callbacks of the parser

    def on_message_begin(self) -> None:
        """Begin to collect a head; a scope is made once it is clear that ASGI needs one."""
        self._in_message = self._in_head = True
        self.url = b""
        self.headers = []
        self.expect_100_continue = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a line of the head; lines after a body in chunks (trailers) are ignored."""
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin with a request whose head is complete."""
        self._in_head = False
        self._progressed = True
        self._stop_head_timer()
        if self._rejection is not None:
            return
        if self.parser.should_upgrade():
            self._is_upgrade = True
        elif (
            self._message_bytes > MAX_HEAD_BYTES
            and head_size(self.url, self.headers) > MAX_HEAD_BYTES
        ):
            self._reject(head_too_large())
        else:
            self.begin_request()

    def begin_request(self) -> None:
        """Hand the request to ASGI."""
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers.extend(headers)
        super().on_headers_complete()
        if self.drain.is_draining:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        """Take a part of a body."""
        self._progressed = True
        if self._rejection is None:
            self.take_body(body)

    def take_body(self, body: bytes) -> None:
        """Hand a part of a body to ASGI."""
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that the parser is between messages."""
        self._in_message = self._is_upgrade
        self._progressed = True
        if self._rejection is None and not self._is_upgrade:
            self.end_request()

    def end_request(self) -> None:
        """Tell ASGI that a body is complete."""
        super().on_message_complete()

    # Answering

    def on_response_complete(self) -> None:
        """Go on with the next request that is queued."""
        self.server_state.total_requests += 1
        self._idle_since = self.loop.time()
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)
        elif self._rejection is not None:
            self._send_rejection(self._rejection)

    def is_answering(self) -> bool:
        """Return whether a request has begun whose answer is not complete."""
        running = self.running
        return bool(self.pipeline) or (running is not None and not running.response_complete)

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        self.running = cycle
        super()._start_asgi_task(cycle, functools.partial(_notice_disconnects, app, cycle))

    def _reject(self, problem: RequestError) -> None:
        """Answer what cannot be parsed, after the answers to the requests before it."""
        count_rejection(problem)
        defaults = self.server_state.default_headers
        self._rejection = render_problem(problem, defaults, closes=True)
        self._stop_head_timer()
        cycle = self.cycle
        if cycle is not None and cycle.more_body and not cycle.response_complete:
            self._abandon(cycle)
        if not self.is_answering():
            self._send_rejection(self._rejection)

    def _abandon(self, cycle: Any) -> None:
        """End a request whose body cannot be parsed."""
        if cycle is not self.running:
            self.pipeline.popleft()  # it is the newest
            return
        cycle.disconnected = cycle.response_complete = True
        cycle.message_event.set()
        if cycle.response_started:
            self.transport.close()

    def _send_rejection(self, rejection: bytes) -> None:
        if self.transport.is_closing():
            return
        self.transport.write(rejection)
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(_LINGER_SECONDS, self.transport.close)

    # Timers

    def _unset_keepalive_if_required(self) -> None:
        """Keep the timer: one that looks again later costs less than one for each request."""

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection that has been idle for too long."""
        now = self.loop.time()
        if self.is_answering() or self._in_head:
            self._idle_since = now
        left = self._idle_since + self._timeouts.idle - now
        if left > 0:
            self.timeout_keep_alive_task = self.loop.call_later(
                left, self.timeout_keep_alive_handler
            )
        else:
            super().timeout_keep_alive_handler()

    def _start_head_timer(self) -> None:
        self._head_timer = self.loop.call_later(self._timeouts.head, self._give_up_head)

    def _give_up_head(self) -> None:
        self._head_timer = None
        if self.is_answering():  # reading may be paused
            self._start_head_timer()
            return
        detail = f"The request's head must arrive within {self._timeouts.head:g} seconds."
        self._reject(RequestError(SLOW, detail))

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


async def _notice_disconnects(
    app: Any, cycle: Any, scope: Scope, receive: Receive, send: Send
) -> None:
    """Run an application that ends quietly once its client has disconnected.

    Its `send` raises then, which uvicorn's does not, and its `receive` reports it: uvicorn's writes
    `100 Continue`, also to a connection that is closed or ends, which raises.
    """

    async def receiving() -> Message:
        try:
            return await receive()
        except RuntimeError:
            cycle.disconnected = True
            return {"type": "http.disconnect"}

    async def noticing(message: Message) -> None:
        await send(message)
        if cycle.disconnected:
            raise ClientDisconnectedError

    with suppress(ClientDisconnectedError):
        await app(scope, receiving, noticing)
