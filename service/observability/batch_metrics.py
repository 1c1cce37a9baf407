"""Collect the records of batches and write them to the metrics together.

Slices of tables are collected in the same place as batches of `score` requests.
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
from service.answered import Answered, count_by_name, refused_rows
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
from service.routes import BULK, SCORE

STAGES = ("decode", "compute", "policy", "encode")
# Short, so that no write keeps a request waiting for long: its length grows with what is pending.
_WRITE_SECONDS = 0.1
_BETWEEN_PARTS_SECONDS = 0.003
_WRITE_ROWS = 4096


class BatchMetrics:
    """Counts batches.

    Writing a figure takes a microsecond, and a batch has some fifty: for a single student that was a
    seventh of the work. So records are collected and written together: after `_WRITE_SECONDS`, in
    parts between which requests are answered, or all at once when somebody asks (`write`).

    Args:
        contract: Names the features.
        tiers: Names of the policy's tiers.
    """

    def __init__(self, contract: Contract, tiers: Iterable[str]) -> None:
        figures = metrics()
        # All labels are resolved once, so that a figure that is still zero is shown too.
        self._seconds = figures.seconds.labels(SCORE.path)
        self._bulk_seconds = figures.seconds.labels(BULK.path)
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
        self._pending = PendingMetrics()
        self._features = len(names)
        self._parts: deque[Callable[[], None]] = deque()

    def observe(self, record: BatchRecord) -> None:
        """Collect the record of a batch; to be called on the event loop."""
        self._begin().add(record)
        self._end()

    def observe_slice(self, worked: SliceResult) -> None:
        """Collect a slice of a table; to be called on the event loop."""
        pending = self._begin()
        pending.add_slice(worked)
        if worked.table is not None:
            _count(pending.tiers, count_by_name(self._tiers, worked.table.tier))
            _count(pending.statuses, count_by_name(self._statuses, worked.table.status))
        self._end()

    def observe_table(self, timings: BulkTimings, status: int) -> None:
        """Collect a request for a table that has ended.

        Args:
            timings: Its timings.
            status: Its HTTP status.
        """
        pending = self._begin()
        pending.bulk[status] += 1
        pending.bulk_seconds.append(perf_counter() - timings.arrived)
        if timings.started is not None:
            pending.queued.append(timings.started - timings.arrived)
        if timings.students:
            pending.sizes.append(timings.students)
        self._end()

    def _begin(self) -> "PendingMetrics":
        pending = self._pending
        if not pending.due:
            pending.due = True
            asyncio.get_running_loop().call_later(_WRITE_SECONDS, self._write_in_parts)
        return pending

    def _end(self) -> None:
        if self._pending.rows > _WRITE_ROWS:
            self.write()

    def write(self) -> None:
        """Write what was collected."""
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
        """Split what was collected into parts to write, and start again."""
        pending, self._pending = self._pending, PendingMetrics()
        for part in (self._write_times, self._write_sizes, self._write_counts, self._write_values):
            self._parts.append(functools.partial(part, pending))

    def _write_times(self, pending: "PendingMetrics") -> None:
        self._seconds.observe_many(pending.seconds)
        self._bulk_seconds.observe_many(pending.bulk_seconds)
        metrics().queue_seconds.observe_many(pending.queued)
        add(self._stages, pending.stages)

    def _write_sizes(self, pending: "PendingMetrics") -> None:
        metrics().execution_rows.observe_many(pending.executions)
        metrics().students_per_request.observe_many(pending.sizes)

    def _write_counts(self, pending: "PendingMetrics") -> None:
        add(self._tiers, pending.tiers)
        add(self._statuses, pending.statuses)
        add(self._outcomes, pending.students)
        for status, number in pending.answers.items():
            request_counter(SCORE.path, status).inc(number)
        for status, number in pending.bulk.items():
            request_counter(BULK.path, status).inc(number)
        for kind, number in pending.refusals.items():
            rejection_counter(kind).inc(number)

    def _write_values(self, pending: "PendingMetrics") -> None:
        for state, numbers in pending.count_values(self._features).items():
            for counter, number in zip(self._values[state], numbers, strict=True):
                if number:
                    counter.inc(number)


class PendingMetrics:
    """Records that are not written yet.

    Attributes:
        due: Whether a write is scheduled.
        rows: Students collected.
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
        self.bulk: Tally[int] = Tally()
        self.bulk_seconds: list[float] = []
        self.refusals: Tally[str] = Tally()
        self._histories: list[Floats] = []
        self._periods: list[Ints] = []
        self._outliers: list[Positions] = []

    def add(self, record: BatchRecord) -> None:
        """Note a record."""
        self.seconds += record.seconds
        self.queued += record.queued
        stages = self.stages
        stages["decode"] += record.decode
        for answers in record.answers:
            stages["compute"] += answers.stages.compute
            stages["policy"] += answers.stages.policy
            stages["encode"] += answers.stages.encode
            self.executions += answers.executions
            _count(self.tiers, answers.tiers)
            _count(self.statuses, answers.statuses)
            self._outliers.append(answers.outliers)
        if record.refused:
            self.answers[BUSY.status] += record.refused
            self.refusals[NAMESPACE + BUSY.code] += record.refused
        if record.disconnected:
            self.answers[CLIENT_CLOSED_REQUEST] += record.disconnected
        for outcome in record.outcomes:
            self._add_outcome(outcome)
        for request in record.requests:
            self._add_values(request.students)

    def add_slice(self, worked: SliceResult) -> None:
        """Add a slice of a table, but for its tiers and statuses."""
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
