"""Batch tables: slices of several pending tables go through each stage of the work together.

Costs that do not depend on the number of students are so paid once for several requests of a few
hundred students each.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Protocol

from scoring.steps import Steps, advance
from scoring.tables.assessor import Wanted
from service.batching.batcher import Batcher
from service.bulk.pending import PendingSlice, ResponseChunk, TableJob
from service.bulk.responder import SLICE, TURN_SECONDS, BulkResponder
from service.http.error_log import log_without_values
from service.routes import BULK

# The outcome of a step for one table: a chunk of its response, an error, or None for its end.
StepResult = ResponseChunk | BaseException | None


class PendingTable(Protocol):
    """A request for a table that waits to be assessed.

    Attributes:
        job: Its slices and its response.
        part: The next of its slices, where it has been read.
    """

    job: TableJob
    part: PendingSlice | None

    @property
    def wanted(self) -> Wanted:
        """Parts of the assessment that it asks for."""
        ...

    @property
    def disconnected(self) -> bool:
        """Whether its client has disconnected."""
        ...

    def deliver(self, result: StepResult) -> None:
        """Receive the outcome of a step, on the event loop; nothing follows an error or the end."""
        ...


class TableBatcher:
    """Assesses pending tables in steps of the batcher; for one event loop.

    Args:
        responder: Reads, scores and writes.
        batcher: Runs the steps.
    """

    def __init__(self, responder: BulkResponder, batcher: Batcher) -> None:
        self._responder = responder
        self._batcher = batcher
        self._tables: set[PendingTable] = set()
        self._waiting: deque[PendingTable] = deque()
        self._working: Steps[bool] | None = None
        self._results: list[tuple[PendingTable, StepResult]] = []

    def add(self, table: PendingTable) -> None:
        """Enqueue a table."""
        self._tables.add(table)
        self._waiting.append(table)
        if self._working is None:
            self._begin()

    def _begin(self) -> None:
        self._working = self._work()
        self._schedule_step()

    def _schedule_step(self) -> None:
        step: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        step.add_done_callback(self._stepped)
        self._batcher.run_step(self._step, step)

    def _step(self) -> bool:
        """Work for one time slice; return whether all work is done."""
        return self._working is None or advance(self._working, TURN_SECONDS) is not None

    def _stepped(self, step: asyncio.Future[bool]) -> None:
        results, self._results = self._results, []
        for table, one in results:
            self._deliver(table, one)
        if (error := step.exception()) is not None:  # the service is shutting down
            self._working = None
            self._waiting.clear()
            for table in list(self._tables):
                self._deliver(table, error)
        elif not step.result():
            self._schedule_step()
        elif self._waiting:  # enqueued after the step had ended
            self._begin()
        else:
            self._working = None

    def _deliver(self, table: PendingTable, result: StepResult) -> None:
        if not isinstance(result, ResponseChunk):
            self._tables.discard(table)
        try:
            table.deliver(result)
        except Exception as error:  # noqa: BLE001 - it must not harm other tables
            log_without_values(BULK.path, error)

    def _work(self) -> Steps[bool]:
        while self._waiting:
            if tables := (yield from self._collect()):
                yield
                yield from self._assess(tables)
            yield
        return True

    def _collect(self) -> Steps[list[PendingTable]]:
        """Dequeue tables that ask for the same, at most a slice of students; each has its part."""
        chosen: list[PendingTable] = []
        others: list[PendingTable] = []
        students = 0
        while self._waiting and students < SLICE:
            table = self._waiting.popleft()
            if chosen and table.wanted != chosen[0].wanted:
                others.append(table)
                continue
            part = yield from self._next_part(table)
            yield
            if part is None:
                continue
            if chosen and students + part.students > SLICE:
                others.append(table)
                break
            students += part.students
            chosen.append(table)
        self._waiting.extendleft(reversed(others))
        return chosen

    def _next_part(self, table: PendingTable) -> Steps[PendingSlice | None]:
        """Read the next slice; None at the end of the table."""
        try:
            while not table.disconnected:
                table.part = table.part or next(table.job.parts)
                if table.part is not None:
                    return table.part
                yield
        except StopIteration:
            self._finish(table)
            return None
        except Exception as error:  # noqa: BLE001 - delivered to its client
            self._results.append((table, error))
            return None
        self._results.append((table, None))
        return None

    def _finish(self, table: PendingTable) -> None:
        try:
            self._results.append((table, ResponseChunk(table.job.answer.finish())))
        except Exception as error:  # noqa: BLE001 - delivered to its client
            self._results.append((table, error))
        else:
            self._results.append((table, None))

    def _assess(self, tables: Sequence[PendingTable]) -> Steps[None]:
        taken = [(table.job, table.part) for table in tables if table.part is not None]
        try:
            outcomes = yield from self._responder.work(taken, tables[0].wanted)
        except Exception as error:  # noqa: BLE001 - delivered to its client
            if len(tables) > 1:  # each alone: one must not harm the others
                for table in tables:
                    yield from self._assess([table])
                return
            outcomes = [error]
        for table, outcome in zip(tables, outcomes, strict=True):
            self._results.append((table, outcome))
            if isinstance(outcome, ResponseChunk):
                table.part = None
                if (yield from self._next_part(table)) is not None:
                    self._waiting.append(table)
                yield
