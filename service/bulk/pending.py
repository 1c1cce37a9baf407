"""A request for a table in progress: its slices as they are read, its response as it is written."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from records.tables.formats import TableFormat
from scoring.results import AssessmentTable
from scoring.steps import Steps
from scoring.students.intake import StudentBatch
from scoring.tables.assessor import Wanted
from service.rows.reference import KEPT, OWN

Ids = Sequence[str | None]


@dataclass(frozen=True, slots=True)
class BulkRequest:
    """The formats of a request and what it asks for.

    Attributes:
        sent: Format of its body; None for columnar JSON.
        answer: Format of the answer; None for columnar JSON.
        wanted: Parts of the assessments.
        whole: The body is small and in memory; the response may be one chunk.
        reference: What relative features that a table lacks are computed from, one of
            `service.rows.reference.WORDS`; columnar JSON carries it in its body.
    """

    sent: TableFormat | None
    answer: TableFormat | None
    wanted: Wanted = field(default_factory=Wanted)
    whole: bool = False
    reference: str = KEPT

    @property
    def needs_all(self) -> bool:
        """Return whether the table is read twice: students are compared with the table itself."""
        return self.sent is not None and self.reference == OWN


class StageSeconds(NamedTuple):
    """Seconds of each stage of the work on a slice, in order; reading is part of `decode`."""

    decode: float
    compute: float
    policy: float
    encode: float


@dataclass(frozen=True, slots=True, eq=False)
class SliceResult:
    """The result of one slice of a table.

    Attributes:
        students: Valid students, and the faults of the others.
        refused: Number of the others.
        table: Assessments of the valid students; None where there are none.
        executions: Rows of each execution of the risk graph. Of slices that were batched
            together, the first has the executions of all.
        started: Start of the work, on the clock of `perf_counter`.
        ended: End of the work.
        seconds: Time of each stage, without steps of other work in between. The time of slices
            that were batched together is divided by their students.
    """

    students: StudentBatch
    refused: int
    table: AssessmentTable | None
    executions: tuple[int, ...]
    started: float
    ended: float
    seconds: StageSeconds


@dataclass(frozen=True, slots=True, eq=False)
class ResponseChunk:
    """A chunk of a response.

    Attributes:
        body: Its bytes; may be empty.
        result: The slice that it is about; None for the end of the response, and for pauses.
    """

    body: bytes
    result: SliceResult | None = None


@dataclass(frozen=True, slots=True, eq=False)
class PendingSlice:
    """A slice that is read and not yet checked.

    Attributes:
        students: Number of its students.
        admit: Checks it in steps, given the position of its first student; may be called again.
        reading: Processor seconds of reading.
    """

    students: int
    admit: Callable[[int], Steps[tuple[Ids, StudentBatch]]]
    reading: float


class Answer(Protocol):
    """Writes the response to a table, slice by slice."""

    def add(
        self, ids: Ids, admission: StudentBatch, table: AssessmentTable | None, first: int
    ) -> bytes:
        """Write a slice, arguments as of `AnswerTables.batch`; return the bytes that are ready.

        Raises:
            TableError: The response would be larger than allowed.
        """
        ...

    def finish(self) -> bytes:
        """Return the rest."""
        ...


@dataclass(slots=True, eq=False)
class TableJob:
    """A request for a table in progress.

    Attributes:
        parts: Its slices, read on demand; None where reading may pause.
        answer: Writes the response.
        students: Students assessed or refused so far.
    """

    parts: Iterator[PendingSlice | None]
    answer: Answer
    students: int = 0
