"""Memory that a process shares with the processes that it starts later, named by a variable.

It is made where the service is imported first, which is before the workers start; they inherit the
descriptor. Only Linux has such memory (memfd); elsewhere there is none, and callers do without.
"""

import os


def create(variable: str, name: str, content: bytes) -> None:
    """Make memory that holds `content`, unless this process has inherited it.

    Args:
        variable: Environment variable that carries the descriptor to other processes.
        name: What it is called in `/proc`, by which a stale variable is found out.
        content: What it holds at first, and thereby its size; empty where none is needed.
    """
    if find(variable, name) is not None:
        return
    os.environ.pop(variable, None)
    if not content or not hasattr(os, "memfd_create"):
        return
    descriptor = os.memfd_create(name, 0)
    os.pwrite(descriptor, content, 0)
    os.set_inheritable(descriptor, True)
    os.environ[variable] = str(descriptor)


def find(variable: str, name: str) -> int | None:
    """Return the descriptor, if the variable names one that was made here or inherited."""
    named = os.environ.get(variable, "")
    try:
        is_ours = name in os.readlink(f"/proc/self/fd/{int(named)}")  # noqa: PTH115 - no file
    except (OSError, ValueError):
        return None
    return int(named) if is_ours else None
