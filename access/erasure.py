"""Erase a student from cases and access together, and record that somebody was erased."""

from access.audit.trail import subject_of
from access.operation import Operation
from cases.upkeep.erase import erase


def erase_student(operation: Operation, student_id: int) -> None:
    """Erase a student for good.

    Cases delete the student's rows and destroy the student's key. What leads from the audit trail to the student,
    break-glass and links go with the key (foreign keys see to that). The trail's entries stay
    and still verify; whom they concern and what was sealed in them can no longer be read.

    Args:
        operation: By whom and when.
        student_id: The student.

    Raises:
        NotFoundError: There is no such student.
    """
    # What the operation did before has to be sealed while there is a key.
    operation.write_entries()
    subject = subject_of(operation.session, student_id)
    erase(operation.session, student_id)
    operation.record("student.erased", subject=subject)
