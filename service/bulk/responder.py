"""Answer whole cohorts from a loaded bundle: tables or columns in, tables or columns out.

bytes -> record batches -> slices of whole students -> `TableAssessor` -> record batches -> bytes

Knows neither HTTP nor BentoML. Memory holds a slice at a time, but for JSON, which is one document.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from time import perf_counter, thread_time
from typing import IO, Protocol, Self, TypeVar

import msgspec
import pyarrow as pa

from records.errors import TableError
from records.learnt.relative import Moments
from records.tables.codecs.base import without_misfits
from records.tables.formats import TableFormat, open_writer, read_batches
from records.tables.slices import StudentRows
from scoring.assessment.assessor import Assessor
from scoring.results import BATCH
from scoring.steps import Steps, advance, timed
from scoring.students.intake import StudentBatch
from scoring.tables.assessor import TableAssessor, Wanted
from service.bulk.columnar_decoder import ColumnarReader, slices_of
from service.bulk.columnar_encoder import ColumnarAnswers, ColumnarDocument
from service.bulk.pending import (
    Answer,
    BulkRequest,
    Ids,
    PendingSlice,
    ResponseChunk,
    TableJob,
)
from service.bulk.slice_writer import AdmittedSlice, Outcome, TableAnswer, refusal_of
from service.http.schemas import ModelStamp
from service.responder import Responder
from service.rows.reference import KEPT, refer

# Students in a slice. Others have turns between its steps, an execution or two of the graphs each,
# so that a slice may be large enough for what costs the same for few and many to count little.
SLICE = 1024
# Text is written cell by cell, which takes several times as long as the graphs.
_SLICE_OF_TEXT = 128
_TEXT = (TableFormat.CSV, TableFormat.JSON_LINES)

# A turn goes on to the next step until so much time has passed: a cohort of a few hundred students
# is answered in a single turn, and other requests wait little longer than for an execution.
TURN_SECONDS = 0.002

T = TypeVar("T")


class StepRunner(Protocol):
    """Does a step of the work when its turn comes, and returns what it returns."""

    def __call__(self, step: Callable[[], T]) -> T:
        """Do it."""
        ...


def run_now(step: Callable[[], T]) -> T:
    """Do a step without waiting for anybody."""
    return step()


class BulkResponder:
    """Answers whole cohorts.

    Safe to call from several threads at once.

    Args:
        assessor: Scorer and policy.
        model: What stands on every answer.
        max_students: The most that one JSON document may carry, in or out.
    """

    def __init__(self, assessor: Assessor, model: ModelStamp, max_students: int) -> None:
        contract, policy = assessor.scorer.bundle.contract, assessor.policy
        self._max_students = max_students
        self._tables = TableAssessor(assessor)
        self._reader = ColumnarReader(contract, max_students, self._tables.relatives)
        self._columns = ColumnarAnswers(contract, policy, model)
        stamp = {"bellwether.model": msgspec.json.encode(model)}
        self._schema: pa.Schema = self._tables.answers.schema.with_metadata(stamp)

    @classmethod
    def from_responder(cls, responder: Responder) -> Self:
        """Return what answers tables with the model of `responder`."""
        return cls(responder.assessor, responder.info.model, responder.max_students)

    def answer(self, source: IO[bytes], request: BulkRequest) -> Iterator[bytes]:
        """Answer a request, chunk by chunk; else as `chunks`."""
        return (chunk.body for chunk in self.chunks(source, request))

    def chunks(
        self, source: IO[bytes], request: BulkRequest, run_step: StepRunner = run_now
    ) -> Iterator[ResponseChunk]:
        """Answer a request, slice by slice as the answer is ready.

        The caller reads the body by iterating, and may have to wait for it; what is then done to a
        slice is done in its turn.

        Args:
            source: As to `open`.
            request: How it is written.
            run_step: Does a step of the work.

        Raises:
            RequestError: The body cannot be read as a whole; also after some chunks, where
                something is wrong only with what comes later.
        """
        job = self.open(source, request, run_step)
        for part in job.parts:
            if part is None:
                yield ResponseChunk(b"")
                continue
            working = self.work([(job, part)], request.wanted)
            while (done := run_step(partial(advance, working, TURN_SECONDS))) is None:
                yield ResponseChunk(b"")
            (outcome,) = done
            if isinstance(outcome, Exception):
                raise outcome
            yield outcome
        yield ResponseChunk(run_step(job.answer.finish))

    def open(
        self, source: IO[bytes], request: BulkRequest, run_step: StepRunner = run_now
    ) -> TableJob:
        """Begin with a request.

        Args:
            source: The body; can seek where `request.needs_all`.
            request: How it is written.
            run_step: Does a step of the work that is part of reading.

        Returns:
            What to take slices from; RequestError is raised by taking one, where the body cannot
            be read as a whole.
        """
        answer: Answer
        if request.answer is None:
            answer = ColumnarDocument(self._columns, self._max_students)
        else:
            writer = open_writer(request.answer, self._schema, whole=request.whole)
            answer = TableAnswer(writer, self._tables.answers)
        return TableJob(_slices_or_refusal(self._parts(source, request, run_step)), answer)

    def work(
        self, taken: Sequence[tuple[TableJob, PendingSlice]], wanted: Wanted
    ) -> Steps[list[Outcome]]:
        """Do everything that there is to do for some slices, in one go as far as that goes.

        What is the same for few and many, and what the processor has to fetch for it, is spent
        once for all of them.

        Args:
            taken: A slice of each of some requests.
            wanted: What these ask for.

        Returns:
            What became of each slice.

        Raises:
            Exception: Before anything is written: whatever is wrong with one of them, which may
                then be tried without the others.
        """
        started = perf_counter()
        admitted: list[AdmittedSlice] = []
        for job, part in taken:
            (ids, students), seconds = yield from timed(part.admit(job.students))
            admitted.append(AdmittedSlice(job, ids, students, part.reading + seconds))
            yield
        said = yield from self._tables.tabulate([one.students for one in admitted], wanted)
        outcomes: list[Outcome] = []
        start, executions = 0, () if said is None else said.executions
        for one in admitted:
            yield
            outcome = one.write(said, start, started, executions)
            outcomes.append(outcome)
            start += len(one.students.ids)
            if isinstance(outcome, ResponseChunk):
                executions = ()
        return outcomes

    def _parts(
        self, source: IO[bytes], request: BulkRequest, run_step: StepRunner
    ) -> Iterator[PendingSlice | None]:
        """Read the slices; None where reading can be put off."""
        # Not the time that passes: much of that is spent waiting for the body.
        started = thread_time()
        students = _SLICE_OF_TEXT if request.answer in _TEXT else SLICE
        if request.sent is None:
            reading = self._reader.read(source.read())
            del source  # a document may be large, and what follows takes a while
            read, seconds = yield from timed(reading, thread_time)
            for part in slices_of(*read, students):
                yield PendingSlice(len(part[0]), partial(_admitted, part), seconds)
                seconds = 0.0
            return
        relatives, moments = self._tables.relatives, None
        if request.needs_all and relatives is not None:
            moments = Moments.none(relatives.layout)
            for rows in self._slices(source, request.sent, students):
                learnt = run_step(partial(self._tables.learn, rows))
                moments = moments if learnt is None else moments.joined(learnt)
            source.seek(0)

        for rows in self._slices(source, request.sent, students):
            admit = partial(self._admit, rows, request, moments)
            yield PendingSlice(len(rows.names), admit, thread_time() - started)
            started = thread_time()

    def _admit(
        self, rows: StudentRows, request: BulkRequest, moments: Moments | None, first: int
    ) -> Steps[tuple[Ids, StudentBatch]]:
        relatives = self._tables.relatives
        ids, admission = yield from self._tables.admit(rows, first)
        if relatives is not None and moments is not None:
            return ids, relatives.fill_from(admission, moments, BATCH)
        word = KEPT if request.needs_all else request.reference
        return ids, refer(admission, word, relatives)

    def _slices(self, source: IO[bytes], kind: TableFormat, students: int) -> Iterator[StudentRows]:
        intake = self._tables.intake
        batches = read_batches(source, kind, intake.select, intake.options)
        return self._tables.slices(without_misfits(batches), students)


def _slices_or_refusal(parts: Iterator[PendingSlice | None]) -> Iterator[PendingSlice | None]:
    """Read slices, of which there is at least one; say why where that cannot be done."""
    some = False
    try:
        for part in parts:
            some = some or part is not None
            yield part
    except TableError as error:
        raise refusal_of(error) from None
    if not some:
        message = "The table holds no row; send at least one student."
        raise refusal_of(TableError.whole(None, "empty_table", message))


def _admitted(part: tuple[Ids, StudentBatch], _first: int) -> Steps[tuple[Ids, StudentBatch]]:
    """Admit what was admitted when it was read."""
    yield from ()
    return part
