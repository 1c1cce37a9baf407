"""Answer whole cohorts from a loaded bundle: tables or columns in, tables or columns out.

bytes -> record batches -> slices of whole students -> `TableAssessor` -> record batches -> bytes

Knows neither HTTP nor BentoML. Memory holds a slice at a time, but for JSON, which is one document.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter, thread_time
from typing import IO, Protocol, TypeVar

import msgspec
import pyarrow as pa

from records.relative import Moments
from scoring.assessment import Assessor
from scoring.intake import Admission
from scoring.model_wire import ModelProcessError
from scoring.steps import Steps
from scoring.table import BATCH, AssessmentTable
from scoring.table_assessor import TableAssessor, Wanted
from scoring.table_formats import TableFormat, open_writer, read_batches
from scoring.table_intake import StudentRows, TableError
from service.columnar import ColumnarReader, slices_of
from service.columnar_answers import ColumnarAnswers, ColumnarDocument
from service.problems import INVALID, NOT_READY, TABLE, TOO_LARGE, ErrorItem, RequestError
from service.reference import KEPT, OWN, refer
from service.wire import ModelStamp

_PROBLEMS = {
    "malformed_table": TABLE,
    "unsupported_encoding": TABLE,
    "batch_too_large": TOO_LARGE,
}
# Students in a slice: two executions of the risk graph, a few milliseconds, for which others wait.
# Text is written cell by cell, which takes several times as long as the graphs.
_SLICE, _SLICE_OF_TEXT = 512, 128
_TEXT = (TableFormat.CSV, TableFormat.JSON_LINES)

T = TypeVar("T")
Ids = Sequence[str | None]
# What is said of one slice, written down.
Write = Callable[[Ids, Admission, AssessmentTable | None, int], bytes]


class InTurn(Protocol):
    """Does a step of the work when its turn comes, and returns what it returns."""

    def __call__(self, step: Callable[[], T]) -> T:
        """Do it."""
        ...


def at_once(step: Callable[[], T]) -> T:
    """Do a step without waiting for anybody."""
    return step()


@dataclass(frozen=True, slots=True)
class BulkRequest:
    """How a request is written and what it asks for.

    Attributes:
        sent: Format of its body; None for columnar JSON.
        answer: Format of the answer; None for columnar JSON.
        wanted: Parts of the assessments.
        whole: The body is small and in memory; the answer may come in one piece.
        reference: What relative features that a table lacks are computed from, one of
            `service.reference.WORDS`; columnar JSON says it itself.
    """

    sent: TableFormat | None
    answer: TableFormat | None
    wanted: Wanted = field(default_factory=Wanted)
    whole: bool = False
    reference: str = KEPT

    @property
    def needs_all(self) -> bool:
        """Return whether the table is read twice: who is in it says what each is compared with."""
        return self.sent is not None and self.reference == OWN


@dataclass(frozen=True, slots=True, eq=False)
class WorkedSlice:
    """What became of one slice of a cohort, and when.

    Attributes:
        students: Those admitted, and what is wrong with the others.
        refused: Number of the others.
        table: What is said of those admitted; None where there are none.
        executions: Rows of each execution of the risk graph.
        reading: Seconds that reading the slice's rows took the processor.
        started: When its work began, on the clock of `perf_counter`.
        decoded: When its students had been admitted.
        computed: When the graphs had run.
        decided: When the policy had been applied.
        encoded: When all was written down.
    """

    students: Admission
    refused: int
    table: AssessmentTable | None
    executions: tuple[int, ...]
    reading: float
    started: float
    decoded: float
    computed: float
    decided: float
    encoded: float


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """A piece of an answer.

    Attributes:
        body: Its bytes, none where they come later.
        worked: The slice that it is about; None for what only ends the answer, and where the work
            can be put off before there is anything to be sent.
    """

    body: bytes
    worked: WorkedSlice | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """A slice that is read and not yet admitted.

    Attributes:
        admit: Admits it in steps, given the position of its first student.
        reading: Seconds that reading took the processor.
    """

    admit: Callable[[int], Steps[tuple[Ids, Admission]]]
    reading: float


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

    def answer(self, source: IO[bytes], request: BulkRequest) -> Iterator[bytes]:
        """Answer a request, piece by piece; else as `pieces`."""
        return (piece.body for piece in self.pieces(source, request))

    def pieces(
        self, source: IO[bytes], request: BulkRequest, in_turn: InTurn = at_once
    ) -> Iterator[Piece]:
        """Answer a request, slice by slice as the answer is ready.

        The body is read by whoever iterates, who may have to wait for it; what is then done to a
        slice is done in its turn.

        Args:
            source: The body; seekable for Parquet, and where `request.needs_all`.
            request: How it is written.
            in_turn: Does a step of the work.

        Raises:
            RequestError: The body cannot be read as a whole; also after some pieces, where
                something is wrong only with what comes later.
        """
        try:
            if request.answer is None:
                yield from self._document(source, request, in_turn)
            else:
                yield from self._table(source, request, request.answer, in_turn)
        except TableError as error:
            fault = ErrorItem(None, error.field, error.code, str(error))
            problem = _PROBLEMS.get(error.code, INVALID)
            raise RequestError(problem, str(error), [fault]) from None
        except ModelProcessError as gone:
            raise RequestError(NOT_READY, str(gone)) from None

    def _table(
        self, source: IO[bytes], request: BulkRequest, kind: TableFormat, in_turn: InTurn
    ) -> Iterator[Piece]:
        writer, answers = open_writer(kind, self._schema, whole=request.whole), self._tables.answers

        def write(
            ids: Ids, admission: Admission, table: AssessmentTable | None, first: int
        ) -> bytes:
            return writer.write(answers.batch(ids, admission, table, first))

        yield from self._worked(source, request, write, in_turn)
        yield Piece(in_turn(writer.finish))

    def _document(
        self, source: IO[bytes], request: BulkRequest, in_turn: InTurn
    ) -> Iterator[Piece]:
        document = ColumnarDocument(self._columns)

        def write(
            ids: Ids, admission: Admission, table: AssessmentTable | None, first: int
        ) -> bytes:
            if first + len(ids) > self._max_students:
                message = (
                    f"One document of JSON holds {self._max_students:,} students; accept Arrow, "
                    "Parquet, CSV or JSON lines, or send fewer."
                )
                raise TableError(None, "too_many_students", message)
            document.add(ids, admission, table, first)
            return b""

        yield from self._worked(source, request, write, in_turn)
        yield Piece(in_turn(document.finish))

    def _worked(
        self, source: IO[bytes], request: BulkRequest, write: Write, in_turn: InTurn
    ) -> Iterator[Piece]:
        first = 0
        for part in self._parts(source, request, in_turn):
            if part is None:
                yield Piece(b"")
                continue
            working = self._work(part, first, request.wanted, write)
            while (done := in_turn(partial(next, working))) is None:
                yield Piece(b"")
            piece, students = done
            first += students
            yield piece
        if not first:
            message = "The table holds no row; send at least one student."
            raise TableError(None, "empty_table", message)

    def _work(
        self, part: _Part, first: int, wanted: Wanted, write: Write
    ) -> Iterator[tuple[Piece, int] | None]:
        """Do everything that there is to do for a slice.

        Yields:
            None where it can be put off; at last what came of it, and its students' number.
        """
        (ids, admission), admitting = yield from _timed(part.admit(first), perf_counter)
        decoded = perf_counter()
        started = decoded - admitting  # others had the time between the steps
        said = self._tables.tabulate(admission, wanted)
        decided = perf_counter()
        table = None if said is None else said.table
        body = write(ids, admission, table, first)
        worked = WorkedSlice(
            students=admission,
            refused=len(ids) - len(admission.ids),
            table=table,
            executions=() if said is None else said.executions,
            reading=part.reading,
            started=started,
            decoded=decoded,
            computed=decided if said is None else decided - said.policy,
            decided=decided,
            encoded=perf_counter(),
        )
        yield Piece(body, worked), len(ids)

    def _parts(
        self, source: IO[bytes], request: BulkRequest, in_turn: InTurn
    ) -> Iterator[_Part | None]:
        """Read the slices; None where reading can be put off."""
        # Not the time that passes: much of that is spent waiting for the body.
        started = thread_time()
        students = _SLICE_OF_TEXT if request.answer in _TEXT else _SLICE
        if request.sent is None:
            read, seconds = yield from _timed(self._reader.read(source.read()), thread_time)
            for part in slices_of(*read, students):
                yield _Part(partial(_admitted, part), seconds)
                seconds = 0.0
            return
        relatives, moments = self._tables.relatives, None
        if request.needs_all and relatives is not None:
            moments = Moments.none(relatives.layout)
            for rows in self._slices(source, request.sent, students):
                learnt = in_turn(partial(self._tables.learn, rows))
                moments = moments if learnt is None else moments.joined(learnt)
            source.seek(0)

        def admit(rows: StudentRows, first: int) -> Steps[tuple[Ids, Admission]]:
            ids, admission = yield from self._tables.admit(rows, first)
            if relatives is not None and moments is not None:
                return ids, relatives.fill_from(admission, moments, BATCH)
            word = KEPT if request.needs_all else request.reference
            return ids, refer(admission, word, relatives)

        for rows in self._slices(source, request.sent, students):
            yield _Part(partial(admit, rows), thread_time() - started)
            started = thread_time()

    def _slices(self, source: IO[bytes], kind: TableFormat, students: int) -> Iterator[StudentRows]:
        intake = self._tables.intake
        batches = read_batches(source, kind, intake.check, intake.columns)
        return self._tables.slices(batches, students)


def _admitted(part: tuple[Ids, Admission], _first: int) -> Steps[tuple[Ids, Admission]]:
    """Admit what was admitted when it was read."""
    yield from ()
    return part


def _timed(steps: Steps[T], clock: Callable[[], float]) -> Steps[tuple[T, float]]:
    """Do steps; return the seconds that they took, too, without those between them."""
    spent = 0.0
    while True:
        began = clock()
        try:
            next(steps)
        except StopIteration as end:
            return end.value, spent + clock() - began
        spent += clock() - began
        yield
