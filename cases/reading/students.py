"""Find students, by the beginning of a name or number, and those without an adviser."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import Session, aliased

from cases.page import Page, cursor_of, position_of
from cases.scope import Scope
from cases.tables.people import (
    Assignment,
    Enrolment,
    EnrolmentStatus,
    Identity,
    IdentityKind,
    Student,
)
from database.base import utc_now


@dataclass(frozen=True, slots=True)
class FoundStudent:
    """A student in a list.

    Attributes:
        external: The institution's own number of the student.
        programme, year: Of the newest active enrolment.
    """

    student_id: int
    name: str
    external: str | None
    programme: str | None
    year: int | None


def find_students(
    session: Session, scope: Scope, text: str, *, limit: int = 20
) -> list[FoundStudent]:
    """Find students in scope whose name has a word, or whose number, begins with `text`."""
    if not text.strip():
        return []
    asked = _listed(scope, Student.id.in_(matches_text(text)))
    return [FoundStudent(*row) for row in session.execute(asked.limit(limit))]


def unassigned(
    session: Session, scope: Scope, *, limit: int = 50, after: str | None = None
) -> Page[FoundStudent]:
    """List students with an active enrolment and no adviser."""
    today = utc_now().date()
    lasting = select(Assignment.student_id).where(
        Assignment.starts_on <= today,
        or_(Assignment.ends_on.is_(None), Assignment.ends_on >= today),
    )
    active = select(Enrolment.student_id).where(Enrolment.status == EnrolmentStatus.ACTIVE)
    condition = and_(Student.id.not_in(lasting), Student.id.in_(active))
    if after is not None:
        condition = and_(condition, Student.id > position_of(after, 1)[0])
    asked = _listed(scope, condition, by_name=False)
    rows = [FoundStudent(*row) for row in session.execute(asked.limit(limit + 1))]
    more = cursor_of((rows[limit - 1].student_id,)) if len(rows) > limit else None
    return Page(rows[:limit], more)


def names_of(session: Session, student_ids: Collection[int]) -> dict[int, str]:
    """Return names by student; the caller has read the students within a scope already."""
    asked = select(Identity.student_id, Identity.value).where(
        Identity.student_id.in_(student_ids), Identity.kind == IdentityKind.NAME
    )
    return {student_id: name for student_id, name in session.execute(asked)}  # noqa: C416


def programmes(session: Session, scope: Scope) -> list[str]:
    """List the codes of programmes in which students of the scope are enrolled."""
    asked = select(Enrolment.programme).where(scope.covers(Enrolment.student_id)).distinct()
    return sorted(session.scalars(asked))


def matches_text(text: str) -> Select[int]:
    """Select the numbers of students whose name has a word, or whose number, begins so."""
    escaped = text.strip().casefold()
    for special in ("\\", "%", "_"):
        escaped = escaped.replace(special, f"\\{special}")
    begins = Identity.folded.like(f"{escaped}%", escape="\\")
    word = Identity.folded.like(f"% {escaped}%", escape="\\")
    is_name = Identity.kind == IdentityKind.NAME
    return select(Identity.student_id).where(or_(begins, and_(is_name, word)))


def _listed(
    scope: Scope, condition: ColumnElement[bool], *, by_name: bool = True
) -> Select[int, str, str | None, str | None, int | None]:
    name, number = aliased(Identity), aliased(Identity)
    newest = (
        select(func.max(Enrolment.id))
        .where(Enrolment.student_id == Student.id, Enrolment.status == EnrolmentStatus.ACTIVE)
        .correlate(Student)
        .scalar_subquery()
    )
    shown = func.coalesce(name.value, number.value, "")
    return (
        select(Student.id, shown, number.value, Enrolment.programme, Enrolment.year)
        .outerjoin(name, and_(name.student_id == Student.id, name.kind == IdentityKind.NAME))
        .outerjoin(
            number, and_(number.student_id == Student.id, number.kind == IdentityKind.EXTERNAL)
        )
        .outerjoin(Enrolment, Enrolment.id == newest)
        .where(scope.covers(Student.id), Student.erased_at.is_(None), condition)
        .order_by(*((name.folded,) if by_name else ()), Student.id)
    )
