"""Remove what access holds of a student, when the student is erased."""

from access.audit.trail import forget, subject_of
from access.glass import forget_openings
from access.operation import Operation
from access.student_links import delete_student_links


def erase_from_access(operation: Operation, student_id: int) -> None:
    """Remove what leads to a student, and record that somebody was erased.

    Call it in the transaction that erases the student from cases and destroys the student's key. The trail's
    entries stay and still verify; nobody can tell any more whom they concern, nor read what was sealed in them.

    Args:
        operation: By whom and when.
        student_id: The student.
    """
    operation.write_entries()
    subject = subject_of(operation.session, student_id)
    forget(operation.session, student_id)
    forget_openings(operation.session, student_id)
    delete_student_links(operation.session, student_id)
    operation.record("student.erased", subject=subject)
