"""Assess tables of students slice by slice: record batches in, record batches out."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np
import pyarrow as pa

from records.arrays import Floats, Ints
from records.learnt.relative import Moments
from records.learnt.relative_reference import RelativeReference
from records.learnt.scales import ScaleCounts
from records.tables.options import PLAIN, ReadOptions
from records.tables.slices import StudentRows, whole_students
from scoring.assessment.assessor import Assessor
from scoring.results import AssessmentTable
from scoring.runtime.provider_options import CHUNK
from scoring.runtime.scores import Scores
from scoring.steps import Steps, finish, timed
from scoring.students.intake import StudentBatch
from scoring.students.relatives import Relatives, learn_batch
from scoring.tables.answers import AnswerTables
from scoring.tables.intake import TableIntake

# Eight executions of the graphs: what is done once a slice is spread over many students, and others
# wait no longer for the interpreter than one step over a slice takes.
SLICE_STUDENTS = 2048


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which parts of an assessment are wanted beside risk and tier.

    Attributes:
        recommendations: Whether to evaluate the rules.
        forecast: Whether to run the score graph.
    """

    recommendations: bool = True
    forecast: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class AssessedSlice:
    """What became of one slice of a table.

    Attributes:
        batch: One row a student handed in; `scoring.tables.answers.AnswerTables` has the columns.
        assessed: Students that were admitted.
        refused: Students that were not.
        tiers: (tiers,) students by tier.
        scales: How many values of each feature are usual in training.
    """

    batch: pa.RecordBatch
    assessed: int
    refused: int
    tiers: Ints
    scales: ScaleCounts


@dataclass(frozen=True, slots=True, eq=False)
class Tabulated:
    """What is said of the students admitted, and what it took.

    Attributes:
        table: One row a student.
        executions: Rows of each execution of the risk graph.
        compute: Seconds of the graphs.
        policy: Seconds of tiers, trajectories and rules.
    """

    table: AssessmentTable
    executions: tuple[int, ...]
    compute: float
    policy: float


class TableAssessor:
    """Assess students that come in tables.

    Args:
        assessor: Scorer and policy.
        reference: What relative features are compared with; the bundle's where None.
        options: How text is to be understood.

    Attributes:
        assessor: As given.
        intake: Takes the students in.
        answers: Writes what is said of them.
        relatives: Fills relative features in; None where the contract has none.
    """

    def __init__(
        self,
        assessor: Assessor,
        reference: RelativeReference | None = None,
        options: ReadOptions = PLAIN,
    ) -> None:
        self.assessor = assessor
        bundle = assessor.scorer.bundle
        self.relatives = Relatives.from_contract(
            bundle.contract, reference or bundle.reference.relative
        )
        self.intake = TableIntake(assessor.scorer.bundle.contract, options)
        self.answers = AnswerTables(self.intake.contract, assessor.policy)
        # Twice the periods there can be: so many rows cannot belong to a student in order, even
        # with a row of later targets for each.
        self._most_rows = 2 * self.intake.contract.periods.maximum + 2

    def slices(
        self, batches: Iterable[pa.RecordBatch], students: int = SLICE_STUDENTS
    ) -> Iterator[StudentRows]:
        """Cut batches into slices of whole students.

        Raises:
            TableError: The rows of one student lie apart.
        """
        return whole_students(batches, students=students, rows_per_student=self._most_rows)

    def assess(self, rows: StudentRows, first: int, wanted: Wanted) -> AssessedSlice:
        """Assess a slice of whole students.

        Args:
            rows: Their rows.
            first: Position of the first student among all that were handed in.
            wanted: Parts of the assessment.
        """
        ids, admission = finish(self.admit(rows, first))
        said = finish(self.tabulate([admission], wanted))
        table = None if said is None else said.table
        tiers = len(self.assessor.policy.tiers)
        known = np.empty(0, np.int8) if table is None else table.tier[table.tier >= 0]
        return AssessedSlice(
            batch=self.answers.batch(ids, admission, table, first),
            assessed=len(admission.ids),
            refused=len(ids) - len(admission.ids),
            tiers=np.bincount(known, minlength=tiers).astype(np.int32),
            scales=ScaleCounts.of_values(admission.values, self.assessor.scorer.bundle.reference),
        )

    def admit(self, part: StudentRows, first: int) -> Steps[tuple[list[str | None], StudentBatch]]:
        """Admit a slice of whole students, in steps; return the ids of all of them, too."""
        admission = yield from self.intake.admit_in_steps(part, first)
        return part.names, admission

    def learn(self, part: StudentRows) -> Moments | None:
        """Learn what the students of a slice are like; None where nothing is relative.

        What is learnt of all slices, joined, is what the whole table is like (`Moments.joined`).
        """
        if self.relatives is None:
            return None
        students = self.intake.to_arrays(part)
        return learn_batch(self.relatives.layout, students.values, students.lengths)

    def tabulate(
        self, admissions: Sequence[StudentBatch], wanted: Wanted
    ) -> Steps[Tabulated | None]:
        """Say what is to be said of the students admitted, in steps; None where there are none.

        Relative features are filled in from the reference unless `StudentBatch.reference` says that
        they are filled in already.

        Args:
            admissions: Students of some requests, who do not influence each other.
            wanted: Parts of the assessment.

        Returns:
            One table of all of them, those of one request after those of another.
        """
        some = [one for one in admissions if one.ids]
        if not some:
            return None
        values, lengths, reference = some[0].values, some[0].lengths, None
        if len(some) > 1:
            values = np.concatenate([one.values for one in some])
            lengths = np.concatenate([one.lengths for one in some])
        if self.relatives is not None:
            values, reference = self.relatives.complete(values, some)
        scores, compute = yield from timed(self._score(values, lengths, wanted.forecast))
        yield
        started = perf_counter()
        table = self.assessor.tabulate(
            values,
            lengths,
            scores,
            recommendations=wanted.recommendations,
            reference=reference,
        )
        return Tabulated(table, scores.executions, compute, perf_counter() - started)

    def _score(self, values: Floats, lengths: Ints, forecast: bool) -> Steps[Scores]:
        """Score records, in steps of an execution or two each."""
        score, records = self.assessor.scorer.score, len(values)
        if records <= CHUNK:
            return score(values, lengths, forecast=forecast)
        # By length, as one call for all of them would divide them.
        ragged = bool((lengths != lengths[0]).any())
        order = np.argsort(lengths, kind="stable") if ragged else None
        parts = []
        for start in range(0, records, CHUNK):
            if start:
                yield
            some = slice(start, start + CHUNK)
            rows = some if order is None else order[some]
            parts.append(score(values[rows], lengths[rows], forecast=forecast))
        return Scores.joined(parts, order)
