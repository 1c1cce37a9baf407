"""Load generators: an open loop that keeps to its schedule, a closed loop that finds capacity."""

import asyncio
import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import uvloop

from benchmarks.load.arrivals import Seconds
from benchmarks.load.http_client import Connections
from benchmarks.load.outcomes import Samples, outcome_of

# Event loops wake up to 1 ms late; the last stretch before a request is due is spun through.
_COARSE = 0.002


@dataclass(frozen=True)
class Target:
    """Where load goes.

    Attributes:
        host: The server.
        port: Its port.
        requests: Whole HTTP requests, sent in turn.
        timeout: Seconds after which a request counts as unanswered.
        connections: The most that are open at once.
        spin: Whether to spin through the last 2 ms before a request is due. Without, it is sent up
            to 1 ms late, and the core is left to others meanwhile.
    """

    host: str
    port: int
    requests: Sequence[bytes]
    timeout: float = 10.0
    connections: int = 1000
    spin: bool = True


def drive_open(target: Target, arrivals: Seconds, *, seconds: float) -> Samples:
    """Send a request at each of the `arrivals`, independently of the others.

    Latency counts from when a request was due, so neither a busy generator nor a slow service
    makes it look better than a caller would have seen it.

    Args:
        target: Where to, and what.
        arrivals: (requests,) ascending seconds from the start.
        seconds: Length of the schedule, which rates are shares of.
    """
    return uvloop.run(_open_loop(target, arrivals, seconds))


def drive_together(plans: Sequence[tuple[Target, Seconds]], *, seconds: float) -> list[Samples]:
    """Follow several schedules at the same time, each as `drive_open`; one `Samples` each."""

    async def together() -> list[Samples]:
        return await asyncio.gather(
            *(_open_loop(target, arrivals, seconds) for target, arrivals in plans)
        )

    return uvloop.run(together())


def drive_closed(target: Target, *, in_parallel: int, seconds: float) -> Samples:
    """Keep `in_parallel` requests under way for `seconds`: finds capacity, not latency."""
    return uvloop.run(_closed_loop(target, in_parallel, seconds))


def send_once(target: Target) -> list[tuple[int, bytes]]:
    """Send each request of the target once, one after the other; return statuses and bodies."""

    async def one_by_one() -> list[tuple[int, bytes]]:
        async with Connections(target.host, target.port, limit=1) as connections:
            return [
                await connections.send(request, timeout=target.timeout)
                for request in target.requests
            ]

    return uvloop.run(one_by_one())


@dataclass
class _Record:
    due: list[float] = field(default_factory=list)
    sent: list[float] = field(default_factory=list)
    done: list[float] = field(default_factory=list)
    outcome: list[int] = field(default_factory=list)

    def add(self, due: float, sent: float, done: float, status: int) -> None:
        self.due.append(due)
        self.sent.append(sent)
        self.done.append(done)
        self.outcome.append(outcome_of(status))

    def samples(self, seconds: float) -> Samples:
        order = np.argsort(np.array(self.due), kind="stable")
        due, sent, done = (np.array(times)[order] for times in (self.due, self.sent, self.done))
        return Samples(
            due=due,
            latency=done - due,
            lag=sent - due,
            outcome=np.array(self.outcome, np.int8)[order],
            seconds=seconds,
        )


async def _open_loop(target: Target, arrivals: Seconds, seconds: float) -> Samples:
    record, requests = _Record(), itertools.cycle(target.requests)
    async with (
        Connections(target.host, target.port, limit=target.connections) as connections,
        asyncio.TaskGroup() as tasks,
    ):
        start = time.perf_counter() + 0.05
        for due in arrivals.tolist():
            await _until(start + due, _COARSE if target.spin else 0.0)
            tasks.create_task(
                _one(connections, target, next(requests), record, start=start, due=due)
            )
    return record.samples(seconds)


async def _closed_loop(target: Target, in_parallel: int, seconds: float) -> Samples:
    record, requests = _Record(), itertools.cycle(target.requests)
    async with Connections(target.host, target.port, limit=in_parallel) as connections:
        start = time.perf_counter()

        async def keep_sending(requests: Iterator[bytes]) -> None:
            while (now := time.perf_counter() - start) < seconds:
                await _one(connections, target, next(requests), record, start=start, due=now)

        async with asyncio.TaskGroup() as tasks:
            for _ in range(in_parallel):
                tasks.create_task(keep_sending(requests))
        elapsed = time.perf_counter() - start
    return record.samples(elapsed)


async def _one(
    connections: Connections,
    target: Target,
    request: bytes,
    record: _Record,
    *,
    start: float,
    due: float,
) -> None:
    sent = time.perf_counter() - start
    status, _ = await connections.send(request, timeout=target.timeout)
    record.add(due, sent, time.perf_counter() - start, status)


async def _until(moment: float, coarse: float) -> None:
    while (left := moment - time.perf_counter()) > 0:
        await asyncio.sleep(left - coarse if left > coarse else 0)
