"""Count the connections of each worker, so that new ones go to the workers that have fewest.

All workers listen on one socket. The first to wake could accept every connection of a client that opens many at once,
and clients keep their connections, so that the other workers would stay idle. Each worker therefore publishes its
number of open connections in a page of shared memory. A worker clearly above the mean leaves the next connection to
the others (`service.transport.accepting`).

The page is created where the service is imported first, before the workers start, and they inherit it. A worker holds a
file lock on its slot. The kernel releases the lock however the worker ends, and slots without a lock are ignored.
"""

import fcntl
import functools
import mmap
import os
import struct
from typing import Self

from service.process import inherited_memory

_MEMORY = "BELLWETHER_INTERNAL_SHARES", "bellwether-shares"
# A slot is two numbers of 64 bits: open connections, and how often the worker has published them.
_WIDTH = 16
_UNUSED = -1

# Above the first, a worker accepts no more; above the second, it closes some after their response.
_ACCEPTS_UP_TO = (1.125, 1)
_CLOSES_ABOVE = (1.25, 2)
_PATIENCE = 1.0


def prepare(workers: int) -> None:
    """Create slots for the workers that this process will start; only Linux has such memory.

    Args:
        workers: Processes that will answer requests; one needs no slot.
    """
    # Twice as many slots: while workers are replaced there are more of them.
    slots = 2 * workers if workers > 1 else 0
    inherited_memory.create(*_MEMORY, struct.pack("@qq", _UNUSED, 0) * slots)


@functools.cache
def share_of_this_worker() -> "ConnectionShare | None":
    """Return this process's share; None where it is the only worker."""
    descriptor = inherited_memory.find(*_MEMORY)
    return None if descriptor is None else ConnectionShare.claim(descriptor)


class ConnectionShare:
    """This worker's slot, and what the others publish.

    Args:
        descriptor: Of the page; -1 for a private one.
        place: Index of this worker's slot, whose lock it holds.

    Attributes:
        count: Open connections of this worker.
        surplus: Connections that it may close until `rebalance` is called again.
    """

    def __init__(self, descriptor: int, place: int) -> None:
        self._descriptor, self._place = descriptor, place
        page = memoryview(mmap.mmap(descriptor, 0 if descriptor >= 0 else _WIDTH)).cast("q")
        self._counts, self._published = page[::2], page[1::2]
        self._is_accepting = False
        # For each worker that should accept next: its last publication, and since when that is unchanged.
        self._awaited: dict[int, tuple[int, float]] = {}
        self.count = 0
        self.surplus = 0

    @classmethod
    def alone(cls) -> Self:
        """Return the share of a single worker: everything."""
        return cls(-1, 0)

    @classmethod
    def claim(cls, descriptor: int) -> Self | None:
        """Lock the first free slot; return None if there is none."""
        places = os.fstat(descriptor).st_size // _WIDTH
        for place in range(places):
            if _lock(descriptor, place):
                return cls(descriptor, place)
        return None

    def start(self) -> None:
        """Start to accept."""
        self._is_accepting = True
        self.publish()

    def leave(self) -> None:
        """Stop accepting."""
        self._is_accepting = False
        self._counts[self._place] = _UNUSED
        self.surplus = 0

    def publish(self) -> None:
        """Publish how many connections are open; an excluded worker takes part again."""
        if self._is_accepting:
            self._counts[self._place] = self.count
            self._published[self._place] += 1

    def add(self, connections: int) -> None:
        """Count connections that were opened, or closed if negative."""
        self.count += connections
        self.publish()

    def may_accept(self) -> bool:
        """Return whether the next connection is for this worker."""
        return self.count <= self._mean_beyond(*_ACCEPTS_UP_TO)

    def await_others(self, now: float) -> None:
        """Exclude workers that have died, or have not accepted for a second, while connections wait.

        Args:
            now: Seconds on a monotonic clock.
        """
        self._exclude_dead()
        for place, count in enumerate(self._counts):
            if not _UNUSED < count < self.count:
                continue
            published, since = self._awaited.get(place, (None, now))
            if published != self._published[place]:
                self._awaited[place] = self._published[place], now
            elif now - since > _PATIENCE:
                self._counts[place] = _UNUSED

    def forget_waiting(self) -> None:
        """Restart the timeouts of `await_others`: no connection waits."""
        self._awaited.clear()

    def rebalance(self) -> None:
        """Compute how many connections should move to other workers."""
        self._exclude_dead()
        if self.count > self._mean_beyond(*_CLOSES_ABOVE):
            self.surplus = int(self.count - self._mean_beyond(1, 0))
        else:
            self.surplus = 0

    def _exclude_dead(self) -> None:
        for place, count in enumerate(self._counts):
            # The owner's lock ends with its process.
            if count != _UNUSED and place != self._place and _lock(self._descriptor, place):
                self._counts[place] = _UNUSED
                _unlock(self._descriptor, place)

    def _mean_beyond(self, factor: float, more: int) -> float:
        counts = [count for count in self._counts if count != _UNUSED] or [self.count]
        return factor * sum(counts) / len(counts) + more


def _lock(descriptor: int, place: int) -> bool:
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, _WIDTH, place * _WIDTH)
    except OSError:
        return False
    return True


def _unlock(descriptor: int, place: int) -> None:
    fcntl.lockf(descriptor, fcntl.LOCK_UN, _WIDTH, place * _WIDTH)
