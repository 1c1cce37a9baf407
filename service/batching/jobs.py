"""What waits for its turn, and who waits for it."""

import asyncio
import concurrent.futures
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from opentelemetry.trace import Span

from service.http.body import ClientDisconnectedError
from service.http.problems import RequestError
from service.responder import Answered
from service.rows.decoder import ScoreRequest

Outcome = Answered | RequestError
T = TypeVar("T")
# Of the event loop, or of a thread that waits.
Told = asyncio.Future[T] | concurrent.futures.Future[T]


class ResponseSink(Protocol):
    """Who waits for an answer.

    Attributes:
        disconnected: Whether nobody waits any more; what has not begun is then left out.
    """

    disconnected: bool

    def succeed(self, body: bytes) -> None:
        """Take the answer."""
        ...

    def fail(self, refusal: RequestError) -> None:
        """Take the reason why there is none."""
        ...


class PendingResponse:
    """A recipient whose answer is awaited.

    Args:
        span: Where its request is traced.
    """

    def __init__(self, span: Span | None = None) -> None:
        self.disconnected = False
        self.span = span
        self._future: asyncio.Future[bytes | Exception] | None = (
            asyncio.get_running_loop().create_future()
        )

    async def answer(self) -> bytes:
        """Wait for the answer.

        Raises:
            RequestError: There is none, and why.
            ClientDisconnectedError: The client left (`leave`).
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
        """Wait no more: the client has hung up."""
        self.disconnected = True
        self._end(ClientDisconnectedError())

    def succeed(self, body: bytes) -> None:
        """Take the answer."""
        self._end(body)

    def fail(self, refusal: RequestError) -> None:
        """Take the reason why there is none."""
        self._end(refusal)

    def _end(self, outcome: bytes | Exception) -> None:
        if self._future is not None and not self._future.done():
            self._future.set_result(outcome)


@dataclass(slots=True, eq=False)
class Job:
    """A `score` request on its way.

    Attributes:
        body: JSON; let go once it is decoded.
        recipient: Who waits.
        arrived: When, on the clock of `perf_counter`.
        work: Estimated seconds.
        share: Those of one turn; of a short request, all of them.
        long: Whether it goes in slices.
        request: What it asks for, once decoded.
        slices: What is still to be answered of a long one.
        done: Answers to the slices before.
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
        """What it asks for; it is decoded before it is batched."""
        if self.request is None:
            raise TypeError("a request is decoded before it is batched")
        return self.request


@dataclass(slots=True, eq=False)
class BackgroundStep:
    """A step of long work that is no `score` request: a slice of a cohort.

    Attributes:
        step: Does it.
        outcome: Whoever waits for it.
    """

    step: Callable[[], Any]
    outcome: Told[Any]
