"""How many connections each worker has open, so that each takes its share of the next ones.

All workers listen on one socket. Whoever wakes first could accept every connection of a client that
opens many at once, and clients keep their connections: then the others have nothing to do. So each
worker writes down how many it has open, in a page of memory that all of them see, and whoever has
clearly more than the mean leaves the next connection to the others (`service.transport.accepting`).

The page is made where the service is imported first, which is before the workers are started; they
inherit it. A worker keeps a lock on its place, which the kernel gives back however the worker ends:
what the dead have written is not believed.
"""

import fcntl
import functools
import mmap
import os
import struct
from typing import Self

from service import inherited_memory

_MEMORY = "BELLWETHER_INTERNAL_SHARES", "bellwether-shares"
# A place is two numbers of 64 bits: connections open, and how often the worker has told so.
_WIDTH = 16
_AWAY = -1

# Beyond the mean, a worker takes no more; well beyond it, it parts with some.
_TAKES_UP_TO = (1.125, 1)
_PARTS_ABOVE = (1.25, 2)
_PATIENCE = 1.0


def prepare(workers: int) -> None:
    """Make room for the workers that this process will start; only Linux has such memory.

    Args:
        workers: Processes that will answer requests; one has nobody to share with.
    """
    # Twice as many places: while workers are replaced there are more of them.
    places = 2 * workers if workers > 1 else 0
    inherited_memory.create(*_MEMORY, struct.pack("@qq", _AWAY, 0) * places)


@functools.cache
def share_of_this_worker() -> "ConnectionShare | None":
    """Return this process's share; None where it works alone."""
    descriptor = inherited_memory.find(*_MEMORY)
    return None if descriptor is None else ConnectionShare.claim(descriptor)


class ConnectionShare:
    """This worker's place among the others.

    Args:
        descriptor: Of the page; -1 for one of this worker's own.
        place: Index of this worker's place, whose lock it holds.

    Attributes:
        count: Connections that this worker has open.
        surplus: Connections that it may part with until `rebalance` is called again.
    """

    def __init__(self, descriptor: int, place: int) -> None:
        self._descriptor, self._place = descriptor, place
        page = memoryview(mmap.mmap(descriptor, 0 if descriptor >= 0 else _WIDTH)).cast("q")
        self._counts, self._told = page[::2], page[1::2]
        self._is_here = False
        # Of those that should take what waits: what they had told, and since when no more.
        self._awaited: dict[int, tuple[int, float]] = {}
        self.count = 0
        self.surplus = 0

    @classmethod
    def alone(cls) -> Self:
        """Return the share of who has nobody to share with: everything."""
        return cls(-1, 0)

    @classmethod
    def claim(cls, descriptor: int) -> Self | None:
        """Take the first place that is free; None: there is none."""
        places = os.fstat(descriptor).st_size // _WIDTH
        for place in range(places):
            if _lock(descriptor, place):
                return cls(descriptor, place)
        return None

    def arrive(self) -> None:
        """Begin to take connections."""
        self._is_here = True
        self.tell()

    def leave(self) -> None:
        """Take no more connections."""
        self._is_here = False
        self._counts[self._place] = _AWAY
        self.surplus = 0

    def tell(self) -> None:
        """Write down how many connections are open; who was set aside takes part again."""
        if self._is_here:
            self._counts[self._place] = self.count
            self._told[self._place] += 1

    def add(self, connections: int) -> None:
        """Count connections that were opened, or closed if negative."""
        self.count += connections
        self.tell()

    def may_take(self) -> bool:
        """Whether the next connection is not rather for somebody else."""
        return self.count <= self._mean_beyond(*_TAKES_UP_TO)

    def await_others(self, now: float) -> None:
        """Leave what waits to the others, but for those that died or say nothing for a second.

        Args:
            now: Seconds on any clock that never goes back.
        """
        self._set_aside_the_dead()
        for place, count in enumerate(self._counts):
            if not _AWAY < count < self.count:
                continue
            told, since = self._awaited.get(place, (None, now))
            if told != self._told[place]:
                self._awaited[place] = self._told[place], now
            elif now - since > _PATIENCE:
                self._counts[place] = _AWAY

    def await_nobody(self) -> None:
        """Forget whom `await_others` has waited for: nothing waits any more."""
        self._awaited.clear()

    def rebalance(self) -> None:
        """Find how many connections the others should have instead."""
        self._set_aside_the_dead()
        if self.count > self._mean_beyond(*_PARTS_ABOVE):
            self.surplus = int(self.count - self._mean_beyond(1, 0))
        else:
            self.surplus = 0

    def _set_aside_the_dead(self) -> None:
        for place, count in enumerate(self._counts):
            # The owner's lock ends with it, whatever ended it.
            if count != _AWAY and place != self._place and _lock(self._descriptor, place):
                self._counts[place] = _AWAY
                _unlock(self._descriptor, place)

    def _mean_beyond(self, factor: float, more: int) -> float:
        here = [count for count in self._counts if count != _AWAY] or [self.count]
        return factor * sum(here) / len(here) + more


def _lock(descriptor: int, place: int) -> bool:
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, _WIDTH, place * _WIDTH)
    except OSError:
        return False
    return True


def _unlock(descriptor: int, place: int) -> None:
    fcntl.lockf(descriptor, fcntl.LOCK_UN, _WIDTH, place * _WIDTH)
