"""Work that can be put off between its steps, so that one thread can do other work meanwhile."""

from collections.abc import Generator
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
