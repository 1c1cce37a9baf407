"""Decide, before a request is decoded, whether it can be answered in time.

Work is estimated in seconds from the size of the body, `run + request + byte · bytes`, with costs that are measured
when the model is loaded and corrected by what work took since. A queue that
counts requests would take a thousand single students for as much as a thousand classes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Protocol

import msgspec

from service.rows.decoder import ScoreRequest

# A request that is itself long may wait longer: this many times its own work on top of the limit.
PATIENCE = 4.0
# What was measured over this many seconds of work counts for two thirds of the correction.
_MEMORY_SECONDS = 0.5
_LEAST_SECONDS = 1e-7
_FACTOR_BOUNDS = (0.05, 20.0)
_REPEATS = 7
_TOGETHER = 32
_COPIES = 64


class Answering(Protocol):
    """Answers requests while costs are measured: `service.responder.Responder`."""

    sample_request: bytes

    def read(self, body: bytes) -> ScoreRequest:
        """Read a body."""
        ...

    def answer(self, requests: Sequence[ScoreRequest]) -> object:
        """Answer several requests in one pass."""
        ...


@dataclass(frozen=True, slots=True)
class CostModel:
    """Cost of answering, in seconds.

    Attributes:
        run: For every batch.
        request: For every request of a batch.
        byte: For every byte of their bodies.
    """

    run: float = 5e-4
    request: float = 1e-4
    byte: float = 2e-7

    def of(self, size: int) -> float:
        """Return the seconds that a body of `size` bytes adds to a batch."""
        return self.request + self.byte * size


def measure_costs(responder: Answering) -> CostModel:
    """Measure the cost of answering on this machine, in a fraction of a second.

    Three passes have three unknowns: the sample alone, many samples together, and one request
    with the sample's students many times over.
    """
    one = responder.sample_request
    sample = msgspec.json.decode(one)
    large = msgspec.json.encode(sample | {"students": sample["students"] * _COPIES})
    alone = _seconds(responder, [one])
    together = _seconds(responder, [one] * _TOGETHER)
    long = _seconds(responder, [large])
    more = max((together - alone) / (_TOGETHER - 1), _LEAST_SECONDS)
    byte = max((long - alone) / (len(large) - len(one)), _LEAST_SECONDS / 1000)
    return CostModel(
        run=max(alone - more, _LEAST_SECONDS),
        request=max(more - byte * len(one), _LEAST_SECONDS),
        byte=byte,
    )


def _seconds(responder: Answering, bodies: Sequence[bytes]) -> float:
    """Return the smallest of a few measurements: other load only adds."""
    taken = []
    for _ in range(_REPEATS):
        started = perf_counter()
        responder.answer([responder.read(body) for body in bodies])
        taken.append(perf_counter() - started)
    return min(taken)


class AdmissionController:
    """Decides from the work that waits whether another request would be answered in time.

    Short requests wait for short ones and for one slice of a long one in each turn; long requests
    wait for the short ones and alternate with the long ones (`service.batching.batcher`).

    Args:
        costs: What answering takes.
        limit: Longest wait of a short request, in seconds.
        turn: Most requests that are answered in one pass.
        slice_bytes: Bytes of a long request's body that are worked on at once.
        step_seconds: What a step of a guest takes (`Batcher.in_turn`), until one was seen.
    """

    def __init__(
        self,
        costs: CostModel,
        *,
        limit: float,
        turn: int,
        slice_bytes: int,
        step_seconds: float = 0.0,
    ) -> None:
        self._costs = costs
        self._limit = limit
        self._turn = turn
        self._slice = costs.run + costs.of(slice_bytes)
        self._step_seconds = step_seconds
        self._background = 0
        self._factor = 1.0
        self._short = 0.0
        self._shorts = 0
        self._long = 0.0
        self._longs = 0

    def admit(self, size: int, *, long: bool) -> float | None:
        """Accept a request.

        Returns:
            Its estimated seconds of work, the argument for `leave`; None where it would wait too long, and then
            nothing changes.
        """
        return self._take(self._costs.of(size), long=long)

    def admit_background(self, seconds: float) -> float | None:
        """Accept long work of `seconds`, estimated elsewhere; the result is the argument for `leave_background`."""
        work = self._take(seconds / self._factor, long=True)
        self._background += work is not None
        return work

    def leave_background(self, work: float) -> None:
        """End background work."""
        self._background -= 1
        self.leave(work, long=True)

    def learn_background(self, seconds: float) -> None:
        """Correct the cost of a background step by a measured one."""
        share = 1.0 - math.exp(-seconds / _MEMORY_SECONDS)
        self._step_seconds += share * (seconds - self._step_seconds)

    def has_room(self, size: int, *, long: bool) -> bool:
        """Return whether a request would be accepted now; nothing changes."""
        return self._fits(self._costs.of(size), long=long)

    def _take(self, work: float, *, long: bool) -> float | None:
        if not self._fits(work, long=long):
            return None
        if long:
            self._long += work
            self._longs += 1
        else:
            self._short += work
            self._shorts += 1
        return work

    def _fits(self, work: float, *, long: bool) -> bool:
        # Before a single short request there is one slice at most: rejecting it would gain nothing.
        if not long and not self._shorts:
            return True
        wait = self.wait(long=long, work=work)
        return wait <= self._limit or (
            long and wait <= self._limit + PATIENCE * work * self._factor
        )

    def leave(self, work: float, *, long: bool) -> None:
        """End a request that is answered, or need not be."""
        if long:
            self._longs -= 1
            self._long = self._long - work if self._longs else 0.0
        else:
            self._shorts -= 1
            self._short = self._short - work if self._shorts else 0.0

    def wait(self, *, long: bool, work: float = math.inf) -> float:
        """Return how many seconds a request that arrived now would wait before its work began.

        Args:
            long: Whether it is processed in slices; it then waits for others until its last one.
            work: Its own estimated seconds. Long requests are served round robin, a slice each: for every other one
                it waits as long as its own work takes, or for a slice.
        """
        turns = self._shorts // self._turn + (self._shorts > 0)
        short = self._factor * (self._short + turns * self._costs.run)
        # A background step has its own measured cost: what slows short batches down, waiting for the interpreter
        # above all, is small beside it.
        background = self._step_seconds if self._background else 0.0
        step = max(self._factor * self._slice, background)
        if long:
            each = max(self._factor * work, step)
            return short + min(self._factor * self._long, self._longs * each)
        return short + (turns + 1) * step if self._longs else short

    def learn(self, work: float, seconds: float) -> None:
        """Correct the costs by the measured time of a batch.

        Args:
            work: Estimated seconds of its requests, as `admit` returned them.
            seconds: Its measured seconds, responses sent.
        """
        low, high = _FACTOR_BOUNDS
        measured = min(max(seconds / (work + self._costs.run), low), high)
        share = 1.0 - math.exp(-seconds / _MEMORY_SECONDS)
        self._factor += share * (measured - self._factor)

    @property
    def retry_after(self) -> int:
        """Return after how many whole seconds a rejected request may be retried (RFC 9110, 10.2.3)."""
        return max(1, math.ceil(self.wait(long=True) - self._limit))
