"""One request for a cohort on its way: slices as they are read, an answer as it is written."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from scoring.results import AssessmentTable
from scoring.steps import Steps
from scoring.students.intake import Admission
from scoring.tables.assessor import Wanted
from scoring.tables.formats import TableFormat
from service.rows.reference import KEPT, OWN

Ids = Sequence[str | None]


@dataclass(frozen=True, slots=True)
class BulkRequest:
    """How a request is written and what it asks for.

    Attributes:
        sent: Format of its body; None for columnar JSON.
        answer: Format of the answer; None for columnar JSON.
        wanted: Parts of the assessments.
        whole: The body is small and in memory; the answer may come in one piece.
        reference: What relative features that a table lacks are computed from, one of
            `service.rows.reference.WORDS`; columnar JSON says it itself.
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


class StageSeconds(NamedTuple):
    """Seconds of each stage of the work on a slice, in order; reading is part of `decode`."""

    decode: float
    compute: float
    policy: float
    encode: float


@dataclass(frozen=True, slots=True, eq=False)
class WorkedSlice:
    """What became of one slice of a cohort, and when.

    Attributes:
        students: Those admitted, and what is wrong with the others.
        refused: Number of the others.
        table: What is said of those admitted; None where there are none.
        executions: Rows of each execution of the risk graph; of slices that were worked off
            together, the first that is written has those of all.
        started: When its work began, on the clock of `perf_counter`.
        ended: When all was written down.
        seconds: What each stage took, without the time that others had between its steps. What was
            done for several slices together is divided by their students.
    """

    students: Admission
    refused: int
    table: AssessmentTable | None
    executions: tuple[int, ...]
    started: float
    ended: float
    seconds: StageSeconds


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
class Part:
    """A slice that is read and not yet admitted.

    Attributes:
        students: How many there are.
        admit: Admits it in steps, given the position of its first student; may be called again.
        reading: Seconds that reading took the processor.
    """

    students: int
    admit: Callable[[int], Steps[tuple[Ids, Admission]]]
    reading: float


class Answer(Protocol):
    """Where what is said of a cohort is written down, slice by slice."""

    def add(
        self, ids: Ids, admission: Admission, table: AssessmentTable | None, first: int
    ) -> bytes:
        """Write a slice, given as to `AnswerTables.batch`; return what can be sent of it.

        Raises:
            TableError: The answer would hold more than one may.
        """
        ...

    def finish(self) -> bytes:
        """Return the rest."""
        ...


@dataclass(slots=True, eq=False)
class Cohort:
    """A request on its way.

    Attributes:
        parts: Its slices, read as they are asked for; None where reading can be put off.
        answer: Where what is said of them is written down.
        students: Students worked off.
    """

    parts: Iterator[Part | None]
    answer: Answer
    students: int = 0
