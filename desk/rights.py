"""Check that a row belongs to a student whom the person may act for, in the query itself."""

from collections.abc import Collection
from typing import TypeVar

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cases.errors import NotFoundError
from cases.scope import Scope
from cases.tables.events import Case, Intervention
from cases.tables.people import Enrolment, Student
from cases.tables.records import Assessment

_T = TypeVar("_T")


def require_students(session: Session, scope: Scope, student_ids: Collection[int]) -> None:
    """Make sure that students are in a scope.

    Raises:
        NotFoundError: One of them is none, or outside the scope.
    """
    found = session.scalar(
        select(func.count()).where(
            Student.id.in_(student_ids), Student.erased_at.is_(None), scope.covers(Student.id)
        )
    )
    if found != len(set(student_ids)):
        raise NotFoundError("There is no such student.")


def require_cases(session: Session, scope: Scope, case_ids: Collection[int]) -> list[Case]:
    """Return cases of students in a scope, in the order of their ids.

    Raises:
        NotFoundError: One of them is none, or outside the scope.
    """
    found = session.scalars(
        select(Case).where(Case.id.in_(case_ids), scope.covers(Case.student_id)).order_by(Case.id)
    ).all()
    if len(found) != len(set(case_ids)):
        raise NotFoundError("There is no such case.")
    return list(found)


def require_intervention(session: Session, scope: Scope, case_id: int, number: int) -> Intervention:
    """Return an intervention by its case and its number there.

    Raises:
        NotFoundError: There is none, or outside the scope.
    """
    found = session.scalars(
        select(Intervention).where(
            Intervention.case_id == case_id,
            Intervention.number == number,
            scope.covers(Intervention.student_id),
        )
    ).one_or_none()
    return _require(found)


def require_step(session: Session, scope: Scope, step_id: int) -> Intervention:
    """Return an intervention by its number.

    Raises:
        NotFoundError: There is none, or outside the scope.
    """
    found = session.scalars(
        select(Intervention).where(
            Intervention.id == step_id, scope.covers(Intervention.student_id)
        )
    ).one_or_none()
    return _require(found)


def require_assessment(session: Session, scope: Scope, student_id: int, assessment_id: int) -> int:
    """Return the id of an assessment of a student in a scope.

    Raises:
        NotFoundError: There is none, or outside the scope.
    """
    found = session.scalar(
        select(Assessment.id)
        .join(Enrolment, Enrolment.id == Assessment.enrolment_id)
        .where(
            Assessment.id == assessment_id,
            Enrolment.student_id == student_id,
            scope.covers(Enrolment.student_id),
        )
    )
    return _require(found)


def _require(found: _T | None) -> _T:
    if found is None:
        raise NotFoundError("There is no such row.")
    return found
