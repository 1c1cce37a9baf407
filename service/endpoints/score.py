"""`POST /score`: limits, authorization, rejections and traces, the same over ASGI and on the fast path."""

from collections.abc import Sequence
from typing import Protocol

from opentelemetry.trace import Span
from starlette.types import Receive, Scope, Send

from service.auth import Authorizer
from service.batching.batcher import Batcher
from service.batching.disconnect import await_response
from service.batching.jobs import PendingResponse, ResponseSink
from service.http.body import (
    JSON,
    UnwantedBodyError,
    check_media_type,
    media_type_of,
    receive_body,
    too_slow,
)
from service.http.body_budget import BodyBudget
from service.http.exchange import Exchange, counted_elsewhere
from service.http.problems import RequestError
from service.http.rejections import RejectionQueue
from service.http.responses import ANSWER_HEADERS, send_whole
from service.observability.metrics import count_rejection, count_request
from service.observability.tracing import Tracing
from service.routes import SCORE

# What ASGI answers or passes on: a body that is not announced, a question before a body, a browser of another origin.
_NEEDS_ASGI = frozenset({b"content-encoding", b"transfer-encoding", b"expect", b"origin"})


class DirectRequest(ResponseSink, Protocol):
    """A request of the fast path: `service.transport.fast_path.ScoreRequest`."""

    def reject(self, refusal: RequestError, rendered: bytes | None) -> bytes | None:
        """Send a rejection; `rendered` is it as a response, where that has been made already."""
        ...


class ScoreRoute:
    """Answers `POST /score`.

    Args:
        batcher: Answers requests.
        max_body_bytes: Larger bodies are rejected.
        arriving: What bodies may hold while they arrive.
        authorizer: Decides who may ask.
        tracing: Where requests are traced to, if they are.

    Attributes:
        batcher: Answers requests.
        arriving: What bodies hold that still arrive, on both ways.
    """

    def __init__(
        self,
        batcher: Batcher,
        max_body_bytes: int,
        arriving: BodyBudget,
        authorizer: Authorizer,
        tracing: Tracing | None = None,
    ) -> None:
        self.batcher = batcher
        self._authorizer = authorizer
        self._max_body_bytes = max_body_bytes
        self._tracing = tracing
        self._rejections: RejectionQueue[DirectRequest] = RejectionQueue(self._reject)
        self.arriving = arriving

    async def answer(self, scope: Scope, receive: Receive, send: Send, exchange: Exchange) -> None:
        """Answer a request over ASGI.

        Raises:
            RequestError: It is rejected, or cannot be answered.
            ClientDisconnectedError: The client hung up.
        """
        check_media_type(scope)
        batcher = self.batcher
        try:
            body = await receive_body(
                scope, receive, self._max_body_bytes, self.arriving, batcher.has_room
            )
        except UnwantedBodyError as unwanted:
            exchange.count = counted_elsewhere
            batcher.turn_away()
            refusal = await batcher.rejection_when_due(unwanted.size)
            if not unwanted.is_read:
                refusal.headers = (*refusal.headers, (b"connection", b"close"))
            raise refusal from None
        exchange.count = counted_elsewhere  # from here on the batcher counts
        waiting, size = PendingResponse(exchange.span), len(body)
        is_accepted = batcher.submit(body, waiting)
        del body  # the batcher lets go of it once it is decoded
        if not is_accepted:
            raise await batcher.rejection_when_due(size)
        answer = await await_response(waiting, receive)
        await send_whole(send, 200, answer, JSON, ANSWER_HEADERS)

    def direct_length(self, headers: Sequence[tuple[bytes, bytes]]) -> int | None:
        """Return how long the body is, where the fast path can take the request.

        Args:
            headers: Of a `POST` by HTTP/1.1; names in lower case.

        Returns:
            Bytes; None for ASGI, which answers everything that is unusual or wrong.
        """
        length = None
        for name, value in headers:
            if name == b"content-length":
                if length is not None or not value.isdigit():
                    return None
                length = int(value)
            elif name == b"content-type":
                if media_type_of(value) not in (JSON, b""):
                    return None
            elif name in _NEEDS_ASGI:
                return None
        if length is None or length > self._max_body_bytes:
            return None
        try:
            self._authorizer.authorize(headers, SCORE.scope)
        except RequestError:
            return None
        return length

    def has_room(self, length: int) -> bool:
        """Return whether a body of that length might be accepted; else it need not be kept."""
        return self.batcher.has_room(length)

    def submit_or_reject(self, body: bytes | None, size: int, request: DirectRequest) -> None:
        """Hand a request of the fast path to the batcher.

        Args:
            body: Its body; None where that was not kept.
            size: Bytes that the body held.
            request: Gets the answer, or the rejection once that is due.
        """
        if body is None:
            self.batcher.turn_away()
        elif self.batcher.submit(body, request):
            return
        self._rejections.add(request, self.batcher.hold(size))

    def too_slow(self) -> RequestError:
        """Count a body that stopped halfway, and return its rejection."""
        refusal = too_slow()
        count_rejection(refusal)
        count_request(SCORE.path, refusal.status, 0.0)
        return refusal

    def begin_span(self, headers: Sequence[tuple[bytes, bytes]]) -> Span | None:
        """Begin the span of a request of the fast path, where requests are traced."""
        return None if self._tracing is None else self._tracing.begin(SCORE.path, headers)

    def end_span(self, span: Span, status: int) -> None:
        """End a request's span with its status."""
        if self._tracing is not None:
            self._tracing.end(span, status)

    def _reject(self, requests: Sequence[DirectRequest]) -> None:
        refusal, rendered = self.batcher.refusal(), None
        for request in requests:
            rendered = request.reject(refusal, rendered)
