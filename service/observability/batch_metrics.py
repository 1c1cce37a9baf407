"""What the turns of the batcher did, noted as they end and written to the metrics together.

Slices of cohorts are noted in the same place as passes over `score` requests.
"""

import asyncio
import functools
from collections import Counter as Tally
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from time import perf_counter

import numpy as np
from prometheus_client import Counter

from records.arrays import Floats, Ints, Positions
from records.contract import Contract
from scoring.results import STATUSES
from scoring.students.intake import LazyStudent, StudentBatch
from service.batching.records import BatchRecord
from service.bulk.pending import SliceResult
from service.bulk.timings import BulkTimings
from service.http.body import CLIENT_CLOSED_REQUEST
from service.http.problems import BUSY, NAMESPACE, RequestError
from service.observability.metrics import (
    add,
    metrics,
    rejection_counter,
    request_counter,
)
from service.responder import Answered, count_by_name, refused_rows
from service.routes import BULK, SCORE

STAGES = ("decode", "compute", "policy", "encode")
# Short, so that no write keeps a request waiting for long: its length grows with what was noted.
_NOTED_SECONDS = 0.1
_BETWEEN_PARTS_SECONDS = 0.003
_NOTED_ROWS = 4096


class BatchMetrics:
    """Counts the turns of the batcher.

    Writing a figure takes a microsecond, and a turn has some fifty: for a student alone that was a
    seventh of the work. So turns are only noted, and written together: after `_NOTED_SECONDS`, in
    parts between which requests are answered, or all at once when somebody asks (`write`).

    Args:
        contract: Names the features.
        tiers: Names of the policy's tiers.
    """

    def __init__(self, contract: Contract, tiers: Iterable[str]) -> None:
        figures = metrics()
        # All labels are resolved once, so that a figure that is still zero is shown too.
        self._seconds = figures.seconds.labels(SCORE.path)
        self._cohort_seconds = figures.seconds.labels(BULK.path)
        self._stages = {stage: figures.stage_seconds.labels(stage) for stage in STAGES}
        self._tiers = {tier: figures.tiers.labels(tier) for tier in tiers}
        self._statuses: dict[str, Counter] = {
            status: figures.statuses.labels(status) for status in STATUSES
        }
        self._outcomes = {name: figures.students.labels(name) for name in ("assessed", "refused")}
        names = [feature.name for feature in contract.features]
        self._values = {
            state: [figures.feature_values.labels(name, state) for name in names]
            for state in ("observed", "missing", "outlier")
        }
        self._noted = PendingMetrics()
        self._features = len(names)
        self._parts: deque[Callable[[], None]] = deque()

    def observe(self, turn: BatchRecord) -> None:
        """Note a turn; to be called on the event loop."""
        self._begin().add(turn)
        self._end()

    def observe_slice(self, worked: SliceResult) -> None:
        """Note a slice of a cohort; to be called on the event loop."""
        noted = self._begin()
        noted.add_slice(worked)
        if worked.table is not None:
            _count(noted.tiers, count_by_name(self._tiers, worked.table.tier))
            _count(noted.statuses, count_by_name(self._statuses, worked.table.status))
        self._end()

    def observe_course(self, course: BulkTimings, status: int) -> None:
        """Note a request for a cohort that has ended.

        Args:
            course: How it went.
            status: What it was answered with.
        """
        noted = self._begin()
        noted.cohorts[status] += 1
        noted.cohort_seconds.append(perf_counter() - course.arrived)
        if course.started is not None:
            noted.queued.append(course.started - course.arrived)
        if course.students:
            noted.sizes.append(course.students)
        self._end()

    def _begin(self) -> "PendingMetrics":
        noted = self._noted
        if not noted.due:
            noted.due = True
            asyncio.get_running_loop().call_later(_NOTED_SECONDS, self._write_in_parts)
        return noted

    def _end(self) -> None:
        if self._noted.rows > _NOTED_ROWS:
            self.write()

    def write(self) -> None:
        """Write what was noted."""
        self._begin_parts()
        while self._parts:
            self._parts.popleft()()

    def _write_in_parts(self) -> None:
        self._begin_parts()
        self._write_part()

    def _write_part(self) -> None:
        if self._parts:
            self._parts.popleft()()
        if self._parts:
            asyncio.get_running_loop().call_later(_BETWEEN_PARTS_SECONDS, self._write_part)

    def _begin_parts(self) -> None:
        """Turn what was noted into parts to write, and begin to note anew."""
        noted, self._noted = self._noted, PendingMetrics()
        for part in (self._write_times, self._write_sizes, self._write_counts, self._write_values):
            self._parts.append(functools.partial(part, noted))

    def _write_times(self, noted: "PendingMetrics") -> None:
        self._seconds.observe_many(noted.seconds)
        self._cohort_seconds.observe_many(noted.cohort_seconds)
        metrics().queue_seconds.observe_many(noted.queued)
        add(self._stages, noted.stages)

    def _write_sizes(self, noted: "PendingMetrics") -> None:
        metrics().execution_rows.observe_many(noted.executions)
        metrics().students_per_request.observe_many(noted.sizes)

    def _write_counts(self, noted: "PendingMetrics") -> None:
        add(self._tiers, noted.tiers)
        add(self._statuses, noted.statuses)
        add(self._outcomes, noted.students)
        for status, number in noted.answers.items():
            request_counter(SCORE.path, status).inc(number)
        for status, number in noted.cohorts.items():
            request_counter(BULK.path, status).inc(number)
        for kind, number in noted.refusals.items():
            rejection_counter(kind).inc(number)

    def _write_values(self, noted: "PendingMetrics") -> None:
        for state, numbers in noted.count_values(self._features).items():
            for counter, number in zip(self._values[state], numbers, strict=True):
                if number:
                    counter.inc(number)


class PendingMetrics:
    """What turns did, not yet written.

    Attributes:
        due: Whether a time to write is set.
        rows: Students noted.
    """

    def __init__(self) -> None:
        self.due = False
        self.rows = 0
        self.seconds: list[float] = []
        self.queued: list[float] = []
        self.executions: list[int] = []
        self.sizes: list[int] = []
        self.stages = dict.fromkeys(STAGES, 0.0)
        self.tiers: Tally[str] = Tally()
        self.statuses: Tally[str] = Tally()
        self.students: Tally[str] = Tally()
        self.answers: Tally[int] = Tally()
        self.cohorts: Tally[int] = Tally()
        self.cohort_seconds: list[float] = []
        self.refusals: Tally[str] = Tally()
        self._histories: list[Floats] = []
        self._periods: list[Ints] = []
        self._outliers: list[Positions] = []

    def add(self, turn: BatchRecord) -> None:
        """Note a turn."""
        self.seconds += turn.seconds
        self.queued += turn.queued
        stages = self.stages
        stages["decode"] += turn.decode
        for answers in turn.answers:
            stages["compute"] += answers.stages.compute
            stages["policy"] += answers.stages.policy
            stages["encode"] += answers.stages.encode
            self.executions += answers.executions
            _count(self.tiers, answers.tiers)
            _count(self.statuses, answers.statuses)
            self._outliers.append(answers.outliers)
        if turn.refused:
            self.answers[BUSY.status] += turn.refused
            self.refusals[NAMESPACE + BUSY.code] += turn.refused
        if turn.disconnected:
            self.answers[CLIENT_CLOSED_REQUEST] += turn.disconnected
        for outcome in turn.outcomes:
            self._add_outcome(outcome)
        for request in turn.requests:
            self._add_values(request.students)

    def add_slice(self, worked: SliceResult) -> None:
        """Note a slice of a cohort, but for its tiers and statuses."""
        for name, seconds in worked.seconds._asdict().items():
            self.stages[name] += seconds
        self.executions += worked.executions
        self.students["assessed"] += len(worked.students.ids)
        self.students["refused"] += worked.refused
        if worked.table is not None:
            self._outliers.append(worked.table.outliers.feature)
        self._add_values(worked.students)

    def _add_values(self, students: StudentBatch | LazyStudent) -> None:
        if students.ids:
            self.rows += len(students.ids)
            self._histories.append(students.values)
            self._periods.append(students.lengths)

    def _add_outcome(self, outcome: Answered | RequestError) -> None:
        if isinstance(outcome, RequestError):
            self.answers[outcome.status] += 1
            self.refusals[outcome.details.type] += 1
            assessed, refused = 0, refused_rows(outcome.details.errors)
        else:
            self.answers[200] += 1
            assessed, refused = outcome.assessed, outcome.refused
        if assessed or refused:
            self.sizes.append(assessed + refused)
        if assessed:
            self.students["assessed"] += assessed
        if refused:
            self.students["refused"] += refused

    def count_values(self, features: int) -> dict[str, list[int]]:
        """Count values by state and feature, over all periods that were handed in."""
        if not self._histories:
            return {}
        values = np.concatenate(self._histories)
        periods = int(np.concatenate(self._periods).sum())
        behind = values.shape[0] * values.shape[1] - periods  # there are no values
        # Column by column: counting along an axis takes four times as long.
        absent = np.isnan(values).reshape(-1, features)
        missing = [np.count_nonzero(column) - behind for column in absent.T]
        outside = np.concatenate(self._outliers) if self._outliers else np.empty(0, np.intp)
        return {
            "observed": [periods - number for number in missing],
            "missing": missing,
            "outlier": np.bincount(outside, minlength=features).tolist(),
        }


def _count(tally: Tally[str], numbers: Mapping[str, int]) -> None:
    for key, number in numbers.items():
        if number:
            tally[key] += number
