"""Send rejections at once, or together a little later when there are many.

A client that retries immediately after each rejection costs as much as one that is answered. A few thousand of those
would leave no time for answers. `RejectionPacer` computes the delay of a rejection, and `RejectionQueue` holds delayed
rejections with one timer for all of them.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

# Cost of a rejection, reading and discarding the request included; most of it is in the kernel.
_REJECTION_SECONDS = 2.5e-5
_REJECTION_SECONDS_PER_BYTE = 5e-10
# Share of the time that rejections may take before they are delayed.
_REJECTION_SHARE = 1 / 16
# Rejections that may be sent at once after a quiet time, in seconds of that share.
_BURST_SECONDS = 0.1
_MAX_DELAY = 0.25
# Rejections due within this time are sent together: one timer for each costs about 17% of sending it.
_TOGETHER_SECONDS = 0.02

T = TypeVar("T")


class RejectionPacer:
    """Compute when a rejection is sent: at once, until rejections take too much of the time.

    Beyond a sixteenth of the time, rejections are delayed by at most a quarter of a second. Delayed for longer, they
    keep so many connections open that clients which send on schedule run out of them. It is the generic cell rate
    algorithm (ITU-T I.371), which needs no queue.
    """

    def __init__(self) -> None:
        self._due = 0.0

    def delay(self, size: int, now: float) -> float:
        """Return in how many seconds to reject a body of `size` bytes that arrived at `now`.

        A later request is never due earlier.
        """
        cost = _REJECTION_SECONDS + _REJECTION_SECONDS_PER_BYTE * size
        latest = now + _BURST_SECONDS + _MAX_DELAY
        self._due = min(max(self._due, now) + cost / _REJECTION_SHARE, latest)
        return max(self._due - now - _BURST_SECONDS, 0.0)


class RejectionQueue(Generic[T]):
    """Delayed rejections, in the order in which they are sent.

    Args:
        send: Receives the requests whose rejections are due; must not raise.
    """

    def __init__(self, send: Callable[[Sequence[T]], None]) -> None:
        self._send = send
        self._held: deque[tuple[float, T]] = deque()

    def add(self, request: T, delay: float) -> None:
        """Send the rejection of `request` in `delay` seconds, or up to 20 ms earlier."""
        if not delay:
            self._send((request,))
            return
        loop = asyncio.get_running_loop()
        due = loop.time() + delay
        if not self._held:
            loop.call_at(due, self._send_due)
        self._held.append((due, request))

    def _send_due(self) -> None:
        loop = asyncio.get_running_loop()
        held, soon = self._held, loop.time() + _TOGETHER_SECONDS
        due: list[T] = []
        while held and held[0][0] <= soon:
            due.append(held.popleft()[1])
        if held:
            loop.call_at(held[0][0], self._send_due)
        self._send(due)
