"""Work in steps: one thread can do other work between them."""

from collections.abc import Callable, Generator
from time import perf_counter
from typing import TypeVar

T = TypeVar("T")
# Yields between steps; returns the result.
Steps = Generator[None, None, T]
# Students whose faults are listed, or that are read one by one, in a step: one or two milliseconds.
STEP_STUDENTS = 32


def finish(steps: Steps[T]) -> T:
    """Run all steps and return the result."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result


def timed(steps: Steps[T], clock: Callable[[], float] = perf_counter) -> Steps[tuple[T, float]]:
    """Run steps; return the result and the seconds spent in the steps."""
    spent = 0.0
    while True:
        started = clock()
        try:
            next(steps)
        except StopIteration as end:
            return end.value, spent + clock() - started
        spent += clock() - started
        yield


def advance(steps: Steps[T], seconds: float) -> T | None:
    """Run steps until some time has passed.

    Args:
        steps: Their result must not be None.
        seconds: Time after which no further step begins.

    Returns:
        The result, or None where steps are left.
    """
    until = perf_counter() + seconds
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
        if perf_counter() > until:
            return None
