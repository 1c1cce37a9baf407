"""Write the response to one slice of a table, or why there is none."""

from dataclasses import dataclass
from time import perf_counter

from records.errors import TableError
from records.tables.codecs.base import TableWriter
from scoring.results import AssessmentTable
from scoring.students.intake import StudentBatch
from scoring.tables.answers import AnswerTables
from scoring.tables.assessor import Tabulated
from service.bulk.pending import Ids, ResponseChunk, SliceResult, StageSeconds, TableJob
from service.http.problems import INVALID, TABLE, TOO_LARGE, RequestError

# The outcome of a slice.
Outcome = ResponseChunk | Exception

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
        self, ids: Ids, admission: StudentBatch, table: AssessmentTable | None, first: int
    ) -> bytes:
        """Write a slice, arguments as of `AnswerTables.batch`; return the bytes that are ready."""
        return self.writer.write(self.answers.batch(ids, admission, table, first))

    def finish(self) -> bytes:
        """Return the rest."""
        return self.writer.finish()


@dataclass(frozen=True, slots=True, eq=False)
class AdmittedSlice:
    """A slice of a table whose students are checked.

    Attributes:
        job: The table that it is a slice of.
        ids: Of all its students.
        students: Valid students, and the faults of the others.
        decode: Seconds of reading and checking them.
    """

    job: TableJob
    ids: Ids
    students: StudentBatch
    decode: float

    def write(
        self, said: Tabulated | None, start: int, started: float, executions: tuple[int, ...]
    ) -> Outcome:
        """Write its part of the response.

        Args:
            said: Assessments of it and of the slices batched with it; None where all are refused.
            start: Its first row in them.
            started: Start of the work on all of them, on the clock of `perf_counter`.
            executions: Executions of the risk graph that are counted with it.
        """
        known = len(self.students.ids)
        table = said.table.part(start, start + known) if said is not None and known else None
        share = 0.0 if said is None else known / len(said.table)
        began = perf_counter()
        try:
            body = self.job.answer.add(self.ids, self.students, table, self.job.students)
        except TableError as error:
            return refusal_of(error)
        except Exception as error:  # noqa: BLE001 - it must not harm other slices
            return error
        ended = perf_counter()
        self.job.students += len(self.ids)
        result = SliceResult(
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
        return ResponseChunk(body, result)


def refusal_of(error: TableError) -> RequestError:
    """Return the problem of HTTP for a table that is refused."""
    return RequestError(_PROBLEMS.get(error.code, INVALID), str(error), error.faults)
