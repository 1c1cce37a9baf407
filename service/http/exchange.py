"""One request to a route of ours, from its head to the end of its response."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from opentelemetry.trace import Span
from starlette.types import Receive, Scope, Send


@dataclass(slots=True)
class Exchange:
    """What is known of a request beside what ASGI knows.

    Attributes:
        count: Counts it with its final status; a handler may replace it.
        span: Where it is traced.
    """

    count: Callable[[int], None]
    span: Span | None = None

    @property
    def is_counted_elsewhere(self) -> bool:
        """Return whether another part counts the request, and why it is rejected."""
        return self.count is counted_elsewhere


class Handler(Protocol):
    """Answers the requests of one route."""

    def __call__(
        self, scope: Scope, receive: Receive, send: Send, exchange: Exchange
    ) -> Awaitable[None]:
        """Answer one.

        Raises:
            RequestError: Nothing has been sent; this is to be.
            ResponseCutError: Something went wrong after the response had begun.
            ClientDisconnectedError: The client hung up.
        """
        ...


def counted_elsewhere(status: int) -> None:
    """Count nothing: the batcher counts the requests that it was given."""
    del status
