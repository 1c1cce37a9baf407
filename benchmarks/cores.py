"""Which core serves and which one sends: one each, so that neither is in the other's figures."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cores:
    """The cores of a measurement; None where nothing can be pinned (one core, or no taskset).

    Attributes:
        server: The core that the server and all its processes share.
        client: The core of the load generator.
    """

    server: int | None
    client: int | None


def choose_cores() -> Cores:
    """Take the first two cores that this process may run on."""
    if not hasattr(os, "sched_getaffinity") or shutil.which("taskset") is None:
        return Cores(None, None)
    allowed = sorted(os.sched_getaffinity(0))
    return Cores(allowed[0], allowed[1]) if len(allowed) > 1 else Cores(None, None)


def pinned_command(command: list[str], core: int | None) -> list[str]:
    """Return `command` such that it and its children run on `core`."""
    return command if core is None else ["taskset", "-c", str(core), *command]


@contextmanager
def pinned(core: int | None) -> Iterator[None]:
    """Run this process on `core` for the duration of the block."""
    if core is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
