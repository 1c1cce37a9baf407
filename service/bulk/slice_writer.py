"""Write down what is said of one slice of a cohort, or why there is nothing to be said."""

from dataclasses import dataclass
from time import perf_counter

from records.errors import Fault
from scoring.results import AssessmentTable
from scoring.students.intake import Admission
from scoring.tables.answers import AnswerTables
from scoring.tables.assessor import Tabulated
from scoring.tables.formats import TableWriter
from scoring.tables.intake import TableError
from service.bulk.pending import Cohort, Ids, Piece, StageSeconds, WorkedSlice
from service.http.problems import INVALID, TABLE, TOO_LARGE, RequestError

# What has become of a slice.
Outcome = Piece | Exception

_PROBLEMS = {
    "malformed_table": TABLE,
    "unsupported_encoding": TABLE,
    "batch_too_large": TOO_LARGE,
}


@dataclass(frozen=True, slots=True, eq=False)
class TableAnswer:
    """A table, written as record batches; a `service.bulk.pending.Answer`.

    Attributes:
        writer: Takes the batches.
        answers: Makes them.
    """

    writer: TableWriter
    answers: AnswerTables

    def add(
        self, ids: Ids, admission: Admission, table: AssessmentTable | None, first: int
    ) -> bytes:
        """Write a slice, given as to `AnswerTables.batch`; return what can be sent of it."""
        return self.writer.write(self.answers.batch(ids, admission, table, first))

    def finish(self) -> bytes:
        """Return the rest."""
        return self.writer.finish()


@dataclass(frozen=True, slots=True, eq=False)
class AdmittedSlice:
    """A slice of a cohort whose students are read.

    Attributes:
        cohort: What it is a slice of.
        ids: Of all its students.
        students: Those admitted, and what is wrong with the others.
        decode: Seconds of reading and admitting them.
    """

    cohort: Cohort
    ids: Ids
    students: Admission
    decode: float

    def write(
        self, said: Tabulated | None, start: int, started: float, executions: tuple[int, ...]
    ) -> Outcome:
        """Write down what is said of it.

        Args:
            said: What is said of it and of slices worked off with it; None where all are refused.
            start: Its first row of that.
            started: When the work on all of them began, on the clock of `perf_counter`.
            executions: Those of the risk graph that are to be counted with it.
        """
        known = len(self.students.ids)
        table = said.table.part(start, start + known) if said is not None and known else None
        share = 0.0 if said is None else known / len(said.table)
        began = perf_counter()
        try:
            body = self.cohort.answer.add(self.ids, self.students, table, self.cohort.students)
        except TableError as error:
            return refusal_of(error)
        except Exception as error:  # noqa: BLE001 - the fault of one is not the others'
            return error
        ended = perf_counter()
        self.cohort.students += len(self.ids)
        worked = WorkedSlice(
            students=self.students,
            refused=len(self.ids) - known,
            table=table,
            executions=executions,
            started=started,
            ended=ended,
            seconds=StageSeconds(
                decode=self.decode,
                compute=0.0 if said is None else said.compute * share,
                policy=0.0 if said is None else said.policy * share,
                encode=ended - began,
            ),
        )
        return Piece(body, worked)


def refusal_of(error: TableError) -> RequestError:
    """Say over HTTP why a table is not answered."""
    fault = Fault(None, error.field, error.code, str(error))
    return RequestError(_PROBLEMS.get(error.code, INVALID), str(error), [fault])
