"""Links by which students see their own page without an account."""

from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from access.operation import Operation
from access.roles import Kind, Principal
from access.tables import StudentLink
from records.secret_tokens import digest, new_secret

LIFETIME = timedelta(days=30)


def create_student_link(
    operation: Operation, student_id: int, lifetime: timedelta = LIFETIME
) -> str:
    """Make the secret of a link to a student's own page; earlier ones of the student no longer work.

    Returns:
        The secret, for the link's address. Only its SHA-256 is stored.
    """
    delete_student_links(operation.session, student_id)
    secret = new_secret()
    operation.session.add(
        StudentLink(
            digest=digest(secret),
            student_id=student_id,
            created_by=operation.by.user_id,
            created_at=operation.at,
            expires_at=operation.at + lifetime,
        )
    )
    operation.record("student.link_created", students=[student_id])
    return secret


def find_student_link(session: Session, secret: str, at: datetime) -> int | None:
    """Look a link up.

    Returns:
        The student's number, or None where the link has expired, was revoked or never was one.
    """
    return session.scalar(
        select(StudentLink.student_id).where(
            StudentLink.digest == digest(secret), StudentLink.expires_at > at
        )
    )


def student_principal() -> Principal:
    """Name a student on their own page as the one who acts: they hold no rights of the desk.

    The name says nothing: who acted is in the entry's students, which erasure makes unreadable.
    """
    return Principal(Kind.STUDENT, "student", "Student")


def delete_student_links(session: Session, student_id: int) -> None:
    """Revoke the links of a student."""
    session.execute(delete(StudentLink).where(StudentLink.student_id == student_id))
