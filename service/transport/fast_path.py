"""The fast path of `POST /score`: from the parser to the batcher and back, without ASGI.

For a request that goes through ASGI, uvicorn makes a scope, a cycle, an event and a task, and copies the body; that is
more than half of what a single student costs once the model runs in batches. Here httptools parses the head as
always, and the complete body goes to the batcher. `service.endpoints.score` decides for both ways who may ask, how
much a body may hold and when a request is rejected.

Everything else goes through ASGI: other routes, a request that `ScoreRoute.direct_length` does not take, and one that
arrives while another on its connection is being answered. Nothing is remembered from one request to the next.
"""

import asyncio
import logging
from typing import Any, cast

import uvicorn
from opentelemetry.trace import Span
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle
from uvicorn.server import ServerState

from service.asgi import Front
from service.endpoints.score import ScoreRoute
from service.http import body as arrival
from service.http.body import JSON
from service.http.body_budget import PartialBody
from service.http.draining import Drain
from service.http.problems import RequestError
from service.http.responses import ANSWER_HEADERS, COMMON_HEADERS
from service.routes import SCORE
from service.transport.connection_share import share_of_this_worker
from service.transport.heads import CLOSE, header_lines, render_problem
from service.transport.http_protocol import HttpProtocol, Timeouts

_TARGET = SCORE.path.encode()
_CONTENT_TYPE = header_lines([(b"content-type", JSON)]) + b"content-length: %d\r\n"
_OK = _CONTENT_TYPE + header_lines([*ANSWER_HEADERS, *COMMON_HEADERS]) + b"\r\n"
_LAST_OK = _CONTENT_TYPE + header_lines([*ANSWER_HEADERS, *COMMON_HEADERS, CLOSE]) + b"\r\n"


class ScoreProtocol(HttpProtocol):
    """A connection whose score requests need no ASGI.

    Args:
        config: uvicorn's.
        server_state: Its counts and default headers.
        app_state: State that the application's startup left.
        _loop: The event loop.
        front: Has the route, once the model is loaded; None where every request is to go through ASGI.
        drain: Whether the process is about to end.
        timeouts: When the connection is closed.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        front: Front | None,
        drain: Drain,
        timeouts: Timeouts,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop, drain=drain, timeouts=timeouts)
        # Only ASGI writes access logs, has a root path and counts concurrent requests.
        logs = self.access_log and self.access_logger.isEnabledFor(logging.INFO)
        needs_asgi = logs or config.root_path or config.limit_concurrency is not None
        self._route = None if needs_asgi or front is None else front.score
        self._request: ScoreRequest | None = None

    def begin_request(self) -> None:
        """Take a request for `score`, or hand it to ASGI."""
        route = self._route
        length = None
        if route is not None and self.url == _TARGET and not self.is_answering():
            length = self._direct_length(route)
        if route is None or length is None:
            self._request = None
            super().begin_request()
        else:
            request = ScoreRequest(self, route, length, route.begin_span(self.headers))
            self._request = self.running = request
            self.cycle = cast("RequestResponseCycle", request)

    def _direct_length(self, route: ScoreRoute) -> int | None:
        parser = self.parser
        is_post = parser.get_method() == b"POST" and parser.get_http_version() == "1.1"
        if not is_post or self.flow.write_paused:
            return None
        return route.direct_length(self.headers)

    def take_body(self, body: bytes) -> None:
        """Take a part of a body."""
        if self._request is None:
            super().take_body(body)
        else:
            self._request.take(body)

    def end_request(self) -> None:
        """Submit a request whose body is complete."""
        if self._request is None:
            super().end_request()
        else:
            self._request.submit()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of a body that will not be complete."""
        super().connection_lost(exc)
        if self._request is not None:
            self._request.lose()


class ScoreRequest:
    """One request of the fast path; stands where uvicorn has a `RequestResponseCycle`.

    The batcher answers it as a `service.batching.jobs.ResponseSink`.

    Args:
        protocol: Its connection.
        route: What answers it.
        length: Bytes of its body.
        span: Where it is traced.

    Attributes:
        disconnected: Whether its client has hung up.
        keep_alive: Whether the connection stays open after the response.
        more_body: Whether its body is incomplete.
        response_started: Never: a response is sent as a whole.
        response_complete: Whether it is answered.
        message_event: Set by uvicorn; nothing waits for it.
    """

    __slots__ = (
        *("_body", "_length", "_protocol", "_route", "_timer", "disconnected", "keep_alive"),
        *("more_body", "response_complete", "span"),
    )
    response_started = False
    message_event = asyncio.Event()

    def __init__(
        self, protocol: ScoreProtocol, route: ScoreRoute, length: int, span: Span | None
    ) -> None:
        self.span = span
        self.disconnected = self.response_complete = False
        self.more_body = True
        self.keep_alive = protocol.parser.should_keep_alive() and not protocol.drain.is_draining
        self._protocol, self._route, self._length = protocol, route, length
        self._timer: asyncio.TimerHandle | None = None
        self._body = PartialBody(route.arriving)
        if not route.has_room(length):
            self._body.drop()

    def take(self, body: bytes) -> None:
        """Take a part of the body; wait for the rest only so long."""
        self._body.add(body, last=self._body.size + len(body) == self._length)
        if self._timer is None and self._body.size < self._length:
            loop = self._protocol.loop
            self._timer = loop.call_later(arrival.ARRIVAL_SECONDS, self._give_up)

    def submit(self) -> None:
        """Hand the complete body to the batcher, or reject the request."""
        self.more_body = False
        self._stop_timer()
        body = self._body
        self._route.submit_or_reject(body.whole() if body.is_kept else None, body.size, self)

    def succeed(self, body: bytes) -> None:
        """Send the answer."""
        protocol = self._protocol
        if protocol.transport.is_closing():
            return
        self._part_if_crowded()
        head = header_lines(protocol.server_state.default_headers)
        rest = (_OK if self.keep_alive else _LAST_OK) % len(body)
        self._send(b"".join((STATUS_LINE[200], head, rest, body)), 200)

    def fail(self, refusal: RequestError) -> None:
        """Send the reason why there is no answer."""
        if not self._protocol.transport.is_closing():
            defaults = self._protocol.server_state.default_headers
            response = render_problem(refusal, defaults, closes=not self.keep_alive)
            self._send(response, refusal.status)

    def reject(self, refusal: RequestError, rendered: bytes | None) -> bytes | None:
        """Send a rejection that many get at once.

        Args:
            refusal: The rejection.
            rendered: It as a response for a connection that stays open, where another request has rendered it.

        Returns:
            It as such a response.
        """
        if not self.keep_alive:
            self.fail(refusal)
            return rendered
        if rendered is None:
            defaults = self._protocol.server_state.default_headers
            rendered = render_problem(refusal, defaults, closes=False)
        if not self._protocol.transport.is_closing():
            self._send(rendered, refusal.status)
        return rendered

    def lose(self) -> None:
        """End a request whose client has hung up."""
        self._stop_timer()
        self._body.drop()
        if not self.response_complete:
            self._end_span(arrival.CLIENT_CLOSED_REQUEST)

    def _send(self, response: bytes, status: int) -> None:
        protocol = self._protocol
        protocol.transport.write(response)
        self.response_complete = True
        self._end_span(status)
        if not self.keep_alive:
            protocol.transport.close()
        protocol.on_response_complete()

    def _end_span(self, status: int) -> None:
        if (
            self.span is not None
        ):  # later: the batcher adds its stages once all of a batch are answered
            self._protocol.loop.call_soon(self._route.end_span, self.span, status)

    def _part_if_crowded(self) -> None:
        """Close the connection after this response where another worker has clearly fewer.

        Clients open another one then, which that worker accepts.
        """
        share = share_of_this_worker()
        if share is not None and share.surplus and self.keep_alive and not self._protocol.pipeline:
            share.surplus -= 1
            self.keep_alive = False

    def _give_up(self) -> None:
        """Reject a request whose body stopped halfway."""
        self._body.drop()
        self.more_body = self.keep_alive = False
        self.fail(self._route.too_slow())

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
