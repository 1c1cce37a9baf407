"""Students, enrolments and the people who look after them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import ColumnElement, and_, delete, select
from sqlalchemy.orm import Session

from cases.casework.events import Casebook
from cases.casework.lifecycle import close_in
from cases.casework.states import CaseState, CloseReason
from cases.errors import InvalidError, NotFoundError
from cases.recording.values import queue
from cases.tables.events import Case
from cases.tables.people import (
    Assignment,
    Enrolment,
    EnrolmentStatus,
    Identity,
    IdentityKind,
    Student,
)
from cases.tables.records import QueuedScore, RecordedValue
from database.base import utc_now
from database.keys import KeyRing


@dataclass(frozen=True, slots=True)
class NewStudent:
    """A student to be added with others.

    Attributes:
        source: System of the external id.
        external: That system's id of the student; None where there is none.
    """

    name: str
    source: str = "desk"
    external: str | None = None
    email: str | None = None


def add_student(
    session: Session,
    *,
    name: str,
    source: str = "desk",
    external: str | None = None,
    email: str | None = None,
) -> Student:
    """Add one student, with a key of their own."""
    return add_students(session, [NewStudent(name, source, external, email)])[0]


def add_students(session: Session, new: Sequence[NewStudent]) -> list[Student]:
    """Add students in few statements, each with a key; in the order given.

    Raises:
        InvalidError: A name is empty.
    """
    if not all(one.name.strip() for one in new):
        raise InvalidError("A student needs a name, or an id in its place.")
    made = utc_now()
    students = [Student(created_at=made) for _ in new]
    session.add_all(students)
    session.flush()
    KeyRing(session).create(student.id for student in students)
    for student, one in zip(students, new, strict=True):
        values = {
            IdentityKind.NAME: one.name.strip(),
            IdentityKind.EXTERNAL: one.external,
            IdentityKind.EMAIL: one.email,
        }
        session.add_all(
            Identity(
                student_id=student.id,
                kind=kind,
                source=one.source,
                value=value,
                folded=value.casefold(),
            )
            for kind, value in values.items()
            if value
        )
    session.flush()
    return students


def set_identity(
    session: Session, student_id: int, kind: IdentityKind, value: str, *, source: str = "desk"
) -> None:
    """Set or correct a name, an e-mail address or an external id."""
    one = session.get(Identity, (student_id, kind))
    if one is None:
        one = Identity(student_id=student_id, kind=kind)
        session.add(one)
    one.source, one.value, one.folded = source, value.strip(), value.strip().casefold()


def enrol(
    session: Session,
    student_id: int,
    *,
    contract: str,
    source: str,
    key: str,
    programme: str,
    year: int | None = None,
    on: date | None = None,
) -> Enrolment:
    """Enrol a student under a contract; `key` is the source's key of the enrolment."""
    enrolment = Enrolment(
        student_id=student_id,
        contract=contract,
        source=source,
        key=key,
        programme=programme,
        year=year,
        status=EnrolmentStatus.ACTIVE,
        status_since=on or utc_now().date(),
        generation=0,
    )
    session.add(enrolment)
    session.flush()
    return enrolment


def set_status(
    session: Session,
    enrolment_id: int,
    status: EnrolmentStatus,
    *,
    actor: int | None,
    on: date | None = None,
    at: datetime | None = None,
) -> None:
    """Change whether an enrolment goes on; its cases close at once unless it is active.

    Raises:
        NotFoundError: No such enrolment.
    """
    enrolment = session.get(Enrolment, enrolment_id, with_for_update=True)
    if enrolment is None:
        raise NotFoundError("There is no such enrolment.")
    at = at or utc_now()
    enrolment.status, enrolment.status_since = status, on or at.date()
    if status is EnrolmentStatus.ACTIVE:
        queue_again(session, [enrolment], at)
        return
    session.execute(delete(QueuedScore).where(QueuedScore.enrolment_id == enrolment_id))
    reason = CloseReason.LEFT if status is EnrolmentStatus.LEFT else CloseReason.SUSPENDED
    _close_all(session, Case.enrolment_id == enrolment_id, reason, actor, at)


def set_objection(
    session: Session,
    student_id: int,
    *,
    objects: bool,
    actor: int | None,
    at: datetime | None = None,
) -> None:
    """Record that a student objects to being scored, or does so no longer.

    An objection ends scoring and closes the cases that assessments opened; what people raised
    stays.

    Raises:
        NotFoundError: No such student.
    """
    student = session.get(Student, student_id, with_for_update=True)
    if student is None or student.erased_at is not None:
        raise NotFoundError("There is no such student.")
    at = at or utc_now()
    student.objected_at = at if objects else None
    enrolments = list(session.scalars(select(Enrolment).where(Enrolment.student_id == student_id)))
    if not objects:
        queue_again(session, enrolments, at)
        return
    ids = [one.id for one in enrolments]
    session.execute(delete(QueuedScore).where(QueuedScore.enrolment_id.in_(ids)))
    of_student = and_(Case.student_id == student_id, Case.origin == "assessment")
    _close_all(session, of_student, CloseReason.OBJECTED, actor, at)


def queue_again(session: Session, enrolments: Sequence[Enrolment], at: datetime) -> None:
    """Queue active enrolments that have values: what they hold now is to be scored anew."""
    ids = [one.id for one in enrolments]
    recorded = set(
        session.scalars(
            select(RecordedValue.enrolment_id)
            .where(RecordedValue.enrolment_id.in_(ids), RecordedValue.withdrawn_at.is_(None))
            .distinct()
        )
    )
    session.flush()
    queue(session, [one for one in enrolments if one.id in recorded], at)


def assign_person(
    session: Session,
    student_id: int,
    user_id: int,
    role: str,
    *,
    starts_on: date | None = None,
    ends_on: date | None = None,
) -> Assignment:
    """Let a person look after a student; several may, each in a role."""
    assignment = Assignment(
        student_id=student_id,
        user_id=user_id,
        role=role,
        starts_on=starts_on or utc_now().date(),
        ends_on=ends_on,
    )
    session.add(assignment)
    session.flush()
    return assignment


def end_assignment(session: Session, assignment_id: int, *, on: date | None = None) -> None:
    """End an assignment; `on` is its last day, yesterday unless given.

    Raises:
        NotFoundError: No such assignment.
    """
    assignment = session.get(Assignment, assignment_id)
    if assignment is None:
        raise NotFoundError("There is no such assignment.")
    assignment.ends_on = on or date.fromordinal(utc_now().date().toordinal() - 1)


def _close_all(
    session: Session,
    condition: ColumnElement[bool],
    reason: CloseReason,
    actor: int | None,
    at: datetime,
) -> None:
    book = Casebook(session)
    found = select(Case).where(condition, Case.state != CaseState.CLOSED).with_for_update()
    for case in session.scalars(found).all():
        close_in(book, case, {"reason": reason, "words": ""}, actor=actor, at=at)
