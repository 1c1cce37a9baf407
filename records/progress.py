"""How reading and computing tell how far they have come."""

from collections.abc import Callable

# What is being done, how many steps of it are done, and how many there are.
Progress = Callable[[str, int, int], None]
