"""How one request for a cohort went: what metrics and traces want to know of it."""

from dataclasses import dataclass, field
from itertools import pairwise

from service.bulk.pending import WorkedSlice


@dataclass(slots=True)
class Stage:
    """One stage of the work, over all slices.

    Attributes:
        began: When it first began, on the clock of `perf_counter`.
        ended: When it last ended.
        seconds: What all slices together spent in it.
    """

    began: float
    ended: float
    seconds: float


@dataclass(slots=True)
class Course:
    """What has happened so far.

    Attributes:
        arrived: When its last byte had come, or as much as is held before its work begins.
        started: When the work on its first slice began; None as long as it has not.
        students: Students worked off, the refused ones included.
        slices: Slices worked off.
        stages: By name, in order.
    """

    arrived: float
    started: float | None = None
    students: int = 0
    slices: int = 0
    stages: dict[str, Stage] = field(default_factory=dict)

    def add(self, worked: WorkedSlice) -> None:
        """Note a slice that was worked off."""
        if self.started is None:
            self.started = worked.started
        self.students += len(worked.students.ids) + worked.refused
        self.slices += 1
        spent = worked.seconds
        # Others may have had turns while it was decoded and computed, none afterwards.
        decided = worked.ended - spent.encode
        computed = decided - spent.policy
        decoded = min(worked.started + spent.decode, computed)
        edges = (worked.started, decoded, computed, decided, worked.ended)
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
