"""Work that can be put off between its steps, so that one thread can do other work meanwhile."""

from collections.abc import Callable, Generator
from time import perf_counter
from typing import TypeVar

T = TypeVar("T")
# Yields where it can be put off; returns what came of it.
Steps = Generator[None, None, T]
# Students that are explained, or read one by one, in a step: a millisecond or two.
STEP_STUDENTS = 32


def finish(steps: Steps[T]) -> T:
    """Do all steps, one after the other, and return what came of them."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result


def timed(steps: Steps[T], clock: Callable[[], float] = perf_counter) -> Steps[tuple[T, float]]:
    """Do steps; return the seconds that they took, too, without those between them."""
    spent = 0.0
    while True:
        began = clock()
        try:
            next(steps)
        except StopIteration as end:
            return end.value, spent + clock() - began
        spent += clock() - began
        yield


def advance(steps: Steps[T], seconds: float) -> T | None:
    """Do steps until so much time has passed.

    Returns:
        What came of them once all are done, which must not be None; None before.
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
