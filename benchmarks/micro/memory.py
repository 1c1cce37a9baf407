"""What a server's processes hold while time passes, and whether that grows."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

# Caches, pools and heaps fill up in the first third.
_WARM_UP = 1 / 3
# What may come and go with the sizes of requests, as a share of what is held.
_FLAT = 0.01
_LOOKS = 100
_LEAST_SECONDS = 0.25


@dataclass
class MemoryCourse:
    """Memory over time.

    Attributes:
        at: Seconds from the start, ascending.
        held: MiB then.
    """

    at: list[float] = field(default_factory=list)
    held: list[float] = field(default_factory=list)

    @property
    def slope(self) -> float:
        """MiB a second after the warm-up.

        The median over all pairs of looks (Theil and Sen), which a few large requests under way do
        not move.
        """
        at, held = np.array(self.at), np.array(self.held)
        warm = at >= at[-1] * _WARM_UP
        first, second = np.triu_indices(int(warm.sum()), 1)
        at, held = at[warm], held[warm]
        return float(np.median((held[second] - held[first]) / (at[second] - at[first])))

    @property
    def growth(self) -> float:
        """MiB that the slope comes to between the warm-up and the end."""
        return self.slope * self.at[-1] * (1 - _WARM_UP)

    @property
    def is_flat(self) -> bool:
        """Whether it grew by no more than a hundredth of what is held."""
        return self.growth <= _FLAT * float(np.median(self.held))

    def marks(self, every: float) -> list[tuple[float, float]]:
        """Return time and MiB at the start, `every` so many seconds, and at the end."""
        wanted = [*np.arange(0.0, self.at[-1], every), self.at[-1]]
        nearest = sorted({int(np.argmin(np.abs(np.array(self.at) - one))) for one in wanted})
        return [(self.at[one], self.held[one]) for one in nearest]


@contextmanager
def watched(memory: Callable[[], float], seconds: float) -> Iterator[MemoryCourse]:
    """Ask for the memory about a hundred times in `seconds`, as long as the block takes.

    Args:
        memory: Returns the MiB that are held.
        seconds: How long the block is expected to take.
    """
    course, over, start = MemoryCourse(), threading.Event(), time.monotonic()

    def look() -> None:
        held = memory()
        course.at.append(time.monotonic() - start)
        course.held.append(held)

    def keep_looking() -> None:
        while not over.wait(max(seconds / _LOOKS, _LEAST_SECONDS)):
            look()

    look()
    watching = threading.Thread(target=keep_looking)
    watching.start()
    try:
        yield course
    finally:
        over.set()
        watching.join()
    look()
