"""Time several ways of doing one thing beside each other.

Each round goes through all of them, so slow spells of a shared machine fall on all alike.
"""

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any


def interleaved(ways: Mapping[str, Callable[[], Any]], seconds: float) -> dict[str, float]:
    """Run each of `ways` in turn, again and again.

    Args:
        ways: Name -> what to run.
        seconds: Wall-clock time for all of them together; one round at least is run.

    Returns:
        Name -> median of its CPU time, µs; of this thread.
    """
    spent: dict[str, list[float]] = {name: [] for name in ways}
    end = time.perf_counter() + seconds
    while True:
        for name, way in ways.items():
            start = time.thread_time_ns()
            way()
            spent[name].append((time.thread_time_ns() - start) / 1e3)
        if time.perf_counter() >= end:
            return {name: statistics.median(times) for name, times in spent.items()}
