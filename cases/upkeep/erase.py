"""Erase a student: what can be read is deleted, what is append-only can no longer be opened."""

from sqlalchemy import Delete, delete, select
from sqlalchemy.orm import Session

from cases.errors import NotFoundError
from cases.tables.events import Case, Decision, DecisionFollowUp, Intervention
from cases.tables.notes import Feedback, Message, Note, NoteRevision, Override
from cases.tables.people import Assignment, Enrolment, Identity, Student
from cases.tables.records import (
    Assessment,
    Outcome,
    QueuedScore,
    RecordedValue,
    Standing,
)
from cases.tables.views import ViewMember
from database.base import utc_now
from database.keys import KeyRing


def erase(session: Session, student_id: int) -> None:
    """Erase a student for good: destroy the key and delete every row with a value.

    The rows of case events stay, sealed under the key that is gone; so do counts of imports. A
    second call changes nothing. Backups hold the student until they age out.

    Raises:
        NotFoundError: No such student.
    """
    student = session.get(Student, student_id, with_for_update=True)
    if student is None:
        raise NotFoundError("There is no such student.")
    for statement in _deletions(student_id):
        session.execute(statement)
    KeyRing(session).destroy(student_id)
    student.objected_at = None
    student.erased_at = student.erased_at or utc_now()
    session.flush()
    session.expire_all()


def _deletions(student_id: int) -> list[Delete]:
    """List deletions in an order that foreign keys allow."""
    enrolments = select(Enrolment.id).where(Enrolment.student_id == student_id)
    cases = select(Case.id).where(Case.student_id == student_id)
    notes = select(Note.id).where(Note.student_id == student_id)
    decisions = select(Decision.id).where(Decision.student_id == student_id)
    return [
        delete(ViewMember).where(ViewMember.case_id.in_(cases)),
        delete(Intervention).where(Intervention.student_id == student_id),
        delete(NoteRevision).where(NoteRevision.note_id.in_(notes)),
        delete(Note).where(Note.student_id == student_id),
        delete(Feedback).where(Feedback.student_id == student_id),
        delete(Override).where(Override.student_id == student_id),
        delete(Message).where(Message.student_id == student_id),
        delete(DecisionFollowUp).where(DecisionFollowUp.decision_id.in_(decisions)),
        delete(Decision).where(Decision.student_id == student_id),
        delete(Case).where(Case.student_id == student_id),
        delete(QueuedScore).where(QueuedScore.enrolment_id.in_(enrolments)),
        delete(Standing).where(Standing.enrolment_id.in_(enrolments)),
        delete(Assessment).where(Assessment.enrolment_id.in_(enrolments)),
        delete(RecordedValue).where(RecordedValue.enrolment_id.in_(enrolments)),
        delete(Outcome).where(Outcome.enrolment_id.in_(enrolments)),
        delete(Enrolment).where(Enrolment.student_id == student_id),
        delete(Assignment).where(Assignment.student_id == student_id),
        delete(Identity).where(Identity.student_id == student_id),
    ]
