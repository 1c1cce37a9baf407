"""Work that waits in the queue, and the sinks that receive its outcome."""

import asyncio
import concurrent.futures
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from opentelemetry.trace import Span

from service.answered import Answered
from service.http.body import ClientDisconnectedError
from service.http.problems import RequestError
from service.rows.decoder import ScoreRequest

Outcome = Answered | RequestError
T = TypeVar("T")
# Of the event loop, or of a thread that waits.
Told = asyncio.Future[T] | concurrent.futures.Future[T]


class ResponseSink(Protocol):
    """Receives the outcome of a request.

    Attributes:
        disconnected: Whether its client has disconnected; work that has not begun is then skipped.
    """

    disconnected: bool

    def succeed(self, body: bytes) -> None:
        """Receive the response body."""
        ...

    def fail(self, refusal: RequestError) -> None:
        """Receive the problem that is sent in place of a response."""
        ...


class PendingResponse:
    """A sink whose outcome is awaited.

    Args:
        span: Span of its request, where that is traced.
    """

    def __init__(self, span: Span | None = None) -> None:
        self.disconnected = False
        self.span = span
        self._future: asyncio.Future[bytes | Exception] | None = (
            asyncio.get_running_loop().create_future()
        )

    async def answer(self) -> bytes:
        """Wait for the response body.

        Raises:
            RequestError: The problem that is sent in its place.
            ClientDisconnectedError: The client has disconnected (`leave`).
        """
        if self._future is None:
            raise RuntimeError("a response is awaited once")
        outcome: bytes | Exception | None = None
        try:
            outcome = await self._future
            if isinstance(outcome, Exception):
                raise outcome
            return outcome
        finally:
            self.disconnected = True
            # An exception refers to the frames that it passed, and those to the body and to this: such a
            # cycle would hold a body until the garbage collector looks at old objects, which is rare.
            self._future = outcome = None

    def leave(self) -> None:
        """Stop waiting: the client has disconnected."""
        self.disconnected = True
        self._end(ClientDisconnectedError())

    def succeed(self, body: bytes) -> None:
        """Receive the response body."""
        self._end(body)

    def fail(self, refusal: RequestError) -> None:
        """Receive the problem that is sent in place of a response."""
        self._end(refusal)

    def _end(self, outcome: bytes | Exception) -> None:
        if self._future is not None and not self._future.done():
            self._future.set_result(outcome)


@dataclass(slots=True, eq=False)
class Job:
    """A `score` request in the queue.

    Attributes:
        body: JSON; released once it is decoded.
        recipient: Receives the outcome.
        arrived: Time of its last byte, on the clock of `perf_counter`.
        work: Estimated seconds.
        share: Estimated seconds in one batch; of a short request, all of them.
        long: Whether it is processed in slices.
        request: The decoded request.
        slices: Slices of a long request that are still to be processed.
        done: Responses to the slices before.
    """

    body: bytes
    recipient: ResponseSink
    arrived: float
    work: float
    share: float
    long: bool
    request: ScoreRequest | None = None
    slices: deque[ScoreRequest] = field(default_factory=deque)
    done: list[Answered] = field(default_factory=list)

    @property
    def decoded(self) -> ScoreRequest:
        """The decoded request; requests are decoded before they are batched."""
        if self.request is None:
            raise TypeError("a request is decoded before it is batched")
        return self.request


@dataclass(slots=True, eq=False)
class BackgroundStep:
    """A step of long work other than a `score` request, such as a slice of a table.

    Attributes:
        step: Does the work.
        outcome: Future of its result.
    """

    step: Callable[[], Any]
    outcome: Told[Any]
