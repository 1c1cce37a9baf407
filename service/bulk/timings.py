"""Timings of one request for a table, for metrics and traces."""

from dataclasses import dataclass, field
from itertools import pairwise

from service.bulk.pending import SliceResult


@dataclass(slots=True)
class Stage:
    """One stage of the work, over all slices.

    Attributes:
        began: First start, on the clock of `perf_counter`.
        ended: Last end.
        seconds: Total of all slices.
    """

    began: float
    ended: float
    seconds: float


@dataclass(slots=True)
class BulkTimings:
    """Timings of a request so far.

    Attributes:
        arrived: Arrival of its last byte, or of as much as is buffered before work begins.
        started: Start of the work on its first slice; None before that.
        students: Students assessed or refused.
        slices: Slices assessed.
        stages: By name, in order.
    """

    arrived: float
    started: float | None = None
    students: int = 0
    slices: int = 0
    stages: dict[str, Stage] = field(default_factory=dict)

    def add(self, result: SliceResult) -> None:
        """Add the timings of a slice."""
        if self.started is None:
            self.started = result.started
        self.students += len(result.students.ids) + result.refused
        self.slices += 1
        spent = result.seconds
        # Other work may have run while it was decoded and computed, none afterwards.
        decided = result.ended - spent.encode
        computed = decided - spent.policy
        decoded = min(result.started + spent.decode, computed)
        edges = (result.started, decoded, computed, decided, result.ended)
        for (name, seconds), (begin, end) in zip(
            spent._asdict().items(), pairwise(edges), strict=True
        ):
            stage = self.stages.setdefault(name, Stage(begin, end, 0.0))
            stage.ended = end
            stage.seconds += seconds

    @property
    def seconds(self) -> float:
        """Seconds of work so far."""
        return sum(stage.seconds for stage in self.stages.values())
