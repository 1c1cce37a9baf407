"""When refusals are sent: at once, or together a little later.

A client that asks again at once after each refusal costs as much as one that is answered; a few
thousand of those would leave no time for answers. `RejectionPacer` says how long a refusal is held back, and
`RejectionQueue` keeps those that are, with one timer for all of them.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

# What a refusal takes, reading and throwing away the request included, most of it in the kernel.
_REFUSAL_SECONDS = 2.5e-5
_REFUSAL_SECONDS_PER_BYTE = 5e-10
# The share of the time that refusals may take before they are held back.
_REFUSAL_SHARE = 1 / 16
# Rejections that may be sent at once after a quiet time, in seconds of that share.
_BURST_SECONDS = 0.1
_LONGEST_HOLD = 0.25
# Who is due within this time is told now: a timer each would cost a sixth of a refusal.
_TOGETHER_SECONDS = 0.02

T = TypeVar("T")


class RejectionPacer:
    """Say when a refusal is sent: at once, until refusals take too much of the time.

    What goes beyond a sixteenth of the time is sent late, by at most a quarter of a second: held
    for longer, refusals keep so many connections open that clients which go on asking on schedule
    run out of them. It is the generic cell rate algorithm (ITU-T I.371), which needs no queue.
    """

    def __init__(self) -> None:
        self._due = 0.0

    def delay(self, size: int, now: float) -> float:
        """Return in how many seconds to refuse a body of `size` bytes that came at `now`.

        Who came later is never due earlier.
        """
        cost = _REFUSAL_SECONDS + _REFUSAL_SECONDS_PER_BYTE * size
        latest = now + _BURST_SECONDS + _LONGEST_HOLD
        self._due = min(max(self._due, now) + cost / _REFUSAL_SHARE, latest)
        return max(self._due - now - _BURST_SECONDS, 0.0)


class RejectionQueue(Generic[T]):
    """Those who are refused and are not told yet, in the order in which they will be.

    Args:
        tell: Is given those whose time has come; must not raise.
    """

    def __init__(self, tell: Callable[[Sequence[T]], None]) -> None:
        self._tell = tell
        self._held: deque[tuple[float, T]] = deque()

    def add(self, one: T, delay: float) -> None:
        """Tell `one` in `delay` seconds, as `RejectionPacer` says them, or up to 20 ms before."""
        if not delay:
            self._tell((one,))
            return
        loop = asyncio.get_running_loop()
        due = loop.time() + delay
        if not self._held:
            loop.call_at(due, self._tell_due)
        self._held.append((due, one))

    def _tell_due(self) -> None:
        loop = asyncio.get_running_loop()
        held, soon = self._held, loop.time() + _TOGETHER_SECONDS
        due: list[T] = []
        while held and held[0][0] <= soon:
            due.append(held.popleft()[1])
        if held:
            loop.call_at(held[0][0], self._tell_due)
        self._tell(due)
