"""Check the students of a table: slices of rows -> aligned arrays, and the faults of the others.

Cells are read by `records.tables`, as for every other command; this module turns their faults into
faults of students.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from records.arrays import Bools, Positions
from records.contract import Contract
from records.errors import Fault
from records.tables.cells import CellReader, Cells
from records.tables.faults import CellFaults, order_faults
from records.tables.header import select_columns
from records.tables.layout import NO_PERIOD, FeatureColumn, Layout, StudentColumns, lay_out
from records.tables.options import PLAIN, ReadOptions
from records.tables.slices import StudentRows, row_counts
from records.wording import BLANK_ID, ID_CHARACTERS, ID_LENGTH
from scoring.steps import STEP_STUDENTS, Steps, finish
from scoring.students.faults import FAULTS_PER_ROW
from scoring.students.intake import THOROUGH_FAULTS, StudentBatch

_NO_ROWS = "The student has no row of an observed period."


class TableIntake:
    """Turns tables of students into the arrays that a scorer takes.

    Args:
        contract: What a record holds.
        options: How text is to be understood.
    """

    def __init__(self, contract: Contract, options: ReadOptions = PLAIN) -> None:
        self.contract = contract
        self._reader = CellReader(contract, options)
        self.options = options
        self._columns = ("id", "period", "observed", *contract.feature_names)
        # Most tables have the schema of the one before.
        self._checked: tuple[pa.Schema, list[str]] | None = None

    def select(self, schema: pa.Schema) -> list[str]:
        """Return the columns to read, in the table's order; targets are not read.

        Raises:
            TableError: A column is unknown, missing, there twice, or of a type that it cannot have.
        """
        checked = self._checked  # other threads check tables, too
        if checked is not None and schema.equals(checked[0]):
            return checked[1]
        names = select_columns(self._reader, schema, every_feature=False)
        selected = [name for name in names if name in self._columns]
        self._checked = schema, selected
        return selected

    def admit(self, part: StudentRows, first: int = 0) -> StudentBatch:
        """Check the students of a slice; a fault refuses its own student and no other.

        Args:
            part: Rows of whole students, with a schema that `select` has passed.
            first: Position of the first student among all that were sent.

        Returns:
            Arrays and faults. A fault's field counts the student's rows: `periods[2].attendance`
            is in the third of them.
        """
        return finish(self.admit_in_steps(part, first))

    def admit_in_steps(self, part: StudentRows, first: int = 0) -> Steps[StudentBatch]:
        """Check the students of a slice as `admit` does, in steps where many are refused."""
        checked, layout = self._lay_out(part)
        admission = _admission(part, layout, first)
        if len(admission.ids) < len(part.names):
            yield from checked.add_faults(admission.faults, layout.students, first)
        return admission

    def to_arrays(self, part: StudentRows) -> StudentBatch:
        """Check the students of a slice without their faults."""
        return _admission(part, self._lay_out(part)[1], 0)

    def _lay_out(self, part: StudentRows) -> "tuple[_Checked, Layout]":
        rows = part.rows.num_rows
        columns = dict(zip(part.rows.schema.names, part.rows.columns, strict=True))
        cells = self._reader.read(columns, rows)
        sizes = row_counts(part.starts, rows)
        features, period = cells.features, cells.period
        if not (observed := cells.observed).all():
            owner = np.repeat(np.arange(len(sizes)), sizes)
            # A faulty row counts, whatever it stands for: its student is refused.
            chosen = observed | _at(cells.faults, rows)
            sizes = np.bincount(owner[chosen], minlength=len(sizes))
            period = period[chosen]
            features = [
                None
                if it is None
                else FeatureColumn(
                    it.values[chosen], None if it.wrong is None else it.wrong[chosen]
                )
                for it in features
            ]
        is_valid = ~self._reader.wrong_ids(part.names)
        checked = _Checked(part, cells, is_valid.copy())
        others = [fault for fault in cells.faults if fault.column in (None, "observed")]
        if len(period) < rows:  # periods of rows that are left out have an order as well
            others += checked.order_faults()
        if others:
            is_valid[checked.owner[_at(others, rows)]] = False
        columns_of_students = StudentColumns(is_valid, sizes, period, features)
        return checked, lay_out(self.contract, columns_of_students)


@dataclass(frozen=True, slots=True, eq=False)
class _Checked:
    """A slice whose cells are read.

    Attributes:
        part: The slice.
        cells: Its cells.
        has_id: (students,) whether the id is valid.
    """

    part: StudentRows
    cells: Cells
    has_id: Bools

    @property
    def owner(self) -> Positions:
        """(rows,) position of each row's student."""
        starts = self.part.starts
        return np.repeat(np.arange(len(starts)), row_counts(starts, self.part.rows.num_rows))

    def order_faults(self) -> list[CellFaults]:
        """Find periods out of order."""
        rows = np.flatnonzero(self.cells.period != NO_PERIOD)
        return order_faults(self.owner[rows], self.cells.period[rows], rows)

    def add_faults(self, faults: list[Fault], valid: Positions, first: int) -> Steps[None]:
        """Add the faults of the other students, at least one each, in steps."""
        starts, owner = self.part.starts, self.owner
        refused = np.ones(len(starts), np.bool_)
        refused[valid] = False
        late = self.order_faults()
        found = self.cells.faults + late
        by_student = _by_student(found, owner, len(late))
        for number, student in enumerate(np.flatnonzero(refused).tolist(), start=1):
            limit = FAULTS_PER_ROW if len(faults) < THOROUGH_FAULTS else 1
            ours = []
            if not self.has_id[student]:
                blank = 1 <= len(self.part.names[student] or "") <= ID_LENGTH
                message = BLANK_ID if blank else ID_CHARACTERS
                ours.append(Fault(first + student, "id", "out_of_range", message))
            for at, which in by_student.get(student, ())[: limit - len(ours)]:
                fault = found[which]
                field = f"periods[{at - starts[student]}]"
                field += f".{fault.column}" if fault.column else ""
                ours.append(Fault(first + student, field, fault.code, fault.message))
            faults += ours or [Fault(first + student, "periods", "empty_list", _NO_ROWS)]
            if number % STEP_STUDENTS == 0:
                yield


def _admission(part: StudentRows, layout: Layout, first: int) -> StudentBatch:
    """Return the students without a fault."""
    return StudentBatch(
        rows=layout.students + first,
        ids=[part.names[at] or "" for at in layout.students.tolist()],
        values=layout.values,
        lengths=layout.lengths,
        faults=[],
    )


def _at(faults: Sequence[CellFaults], rows: int) -> Bools:
    """Return (rows,) which have any of the faults."""
    found = np.zeros(rows, np.bool_)
    for fault in faults:
        found[fault.positions] = True
    return found


def _by_student(
    faults: Sequence[CellFaults], owner: Positions, last: int
) -> dict[int, list[tuple[int, int]]]:
    """Return (row, fault) pairs of each student.

    Args:
        faults: The faults.
        owner: (rows,) position of each row's student.
        last: How many of the last faults come after a student's others; else rows give the order.
    """
    if not faults:
        return {}
    rows = np.concatenate([fault.positions for fault in faults])
    which = np.repeat(np.arange(len(faults)), [len(fault.positions) for fault in faults])
    order = np.lexsort((which, rows, which >= len(faults) - last, owner[rows]))
    rows, which = rows[order], which[order]
    students, starts = np.unique(owner[rows], return_index=True)
    pairs = list(zip(rows.tolist(), which.tolist(), strict=True))
    ends = [*starts[1:].tolist(), len(pairs)]
    return {
        student: pairs[start:end]
        for student, start, end in zip(students.tolist(), starts.tolist(), ends, strict=True)
    }
