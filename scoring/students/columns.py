"""Check students that come as columns, and explain what is wrong with the others.

Whether a student is valid is decided on whole columns (`records.tables.layout`). The faults of the
others come from `scoring.students.faults`, as for students that come one by one.
"""

from collections.abc import Callable, Sequence

import numpy as np

from records.contract import Contract
from records.errors import Fault
from records.tables.layout import StudentColumns, lay_out
from scoring.steps import STEP_STUDENTS, Steps
from scoring.students.faults import FAULTS_PER_ROW, explain
from scoring.students.intake import THOROUGH_FAULTS, StudentBatch


def admit(
    contract: Contract,
    ids: Sequence[str],
    columns: StudentColumns,
    student: Callable[[int], object],
) -> Steps[StudentBatch]:
    """Check students, in steps: a fault refuses its own student and no other.

    Args:
        contract: What a record holds.
        ids: (students,) as sent.
        columns: The students.
        student: Writes one student as JSON would carry it.
    """
    layout = lay_out(contract, columns)
    faults: list[Fault] = []
    refused = np.ones(len(ids), np.bool_)
    refused[layout.students] = False
    for number, at in enumerate(np.flatnonzero(refused).tolist(), start=1):
        limit = FAULTS_PER_ROW if len(faults) < THOROUGH_FAULTS else 1
        faults += explain(contract, at, student(at), limit=limit)
        if number % STEP_STUDENTS == 0:
            yield
    return StudentBatch(
        rows=layout.students,
        ids=[ids[at] for at in layout.students.tolist()],
        values=layout.values,
        lengths=layout.lengths,
        faults=faults,
    )
