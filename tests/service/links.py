"""Connections to a running server, and which of its workers has them."""

import contextlib
import socket
import time
from collections.abc import Callable

import psutil

from tests.service.running import Running

_PATIENCE = 90


def until(condition: Callable[[], bool]) -> None:
    """Wait for it, not for ever."""
    deadline = time.monotonic() + _PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def port(running: Running) -> int:
    """Return the port that it listens on."""
    return int(running.url.rpartition(":")[2])


def connected(running: Running) -> socket.socket:
    """Open a connection."""
    return socket.create_connection(("127.0.0.1", port(running)), timeout=30)


def workers(running: Running) -> list[psutil.Process]:
    """Return the processes that answer."""
    found = []
    for child in psutil.Process(running.process.pid).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):  # or dead, and not yet buried
            if "_bentoml_impl.worker.service" in child.cmdline():
                found.append(child)
    return found


def split(running: Running) -> list[int]:
    """Count the connections that each worker has accepted."""
    counts = []
    for worker in workers(running):
        with contextlib.suppress(psutil.NoSuchProcess):
            links = worker.net_connections("tcp")
            there = [link for link in links if link.status == psutil.CONN_ESTABLISHED]
            counts.append(sum(link.laddr.port == port(running) for link in there))
    return counts


def await_workers(running: Running, count: int) -> None:
    """Wait until so many workers take connections; none is left open."""
    with contextlib.ExitStack() as links:

        def all_take() -> bool:
            links.enter_context(connected(running))
            time.sleep(0.1)
            counts = split(running)
            return len(counts) == count and all(counts)

        until(all_take)
    until(lambda: not any(split(running)))
