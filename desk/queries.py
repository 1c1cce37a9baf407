"""Small reading queries that pages need beside those of cases: names of users, histories, places."""

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from access.tables import RoleGrant, User
from cases.casework.states import CaseState, InterventionState
from cases.reading.filters import Filters, conditions
from cases.scope import Scope
from cases.tables.events import Case, Intervention
from cases.tables.people import Enrolment, EnrolmentStatus
from cases.tables.records import Assessment, ScoreSwitch, Standing

_PLANNED = (InterventionState.PLANNED, InterventionState.UNDER_WAY)


def user_names(session: Session, user_ids: Iterable[int | None]) -> dict[int, str]:
    """Return the names of users, in one query."""
    wanted = {user_id for user_id in user_ids if user_id is not None}
    if not wanted:
        return {}
    found = session.execute(select(User.id, User.name).where(User.id.in_(wanted)))
    return {user_id: name for user_id, name in found}  # noqa: C416 - rows are no pairs to `dict`


def colleagues(session: Session) -> list[tuple[int, str]]:
    """Return users who can take cases and students: everybody with a role who can sign in."""
    found = (
        select(User.id, User.name)
        .where(User.disabled_at.is_(None), User.id.in_(select(RoleGrant.user_id)))
        .order_by(User.name, User.id)
    )
    return [(user_id, name) for user_id, name in session.execute(found)]


@dataclass(frozen=True, slots=True)
class CaseDetails:
    """What a line of a list shows beside the case itself.

    Attributes:
        owner: Name of the case's owner.
        risks: The last estimates, ascending in time; empty where scores are hidden.
    """

    owner: str
    risks: list[float]
    reasons: dict[str, Any] | None
    recommendations: list[Any]


def details_of_cases(
    session: Session, case_ids: Collection[int], most: int
) -> dict[int, CaseDetails]:
    """Return owners and newest assessments of cases, in one query.

    Args:
        session: Reads.
        case_ids: Cases, which the caller has read within a scope already.
        most: How many estimates each.
    """
    if not case_ids:
        return {}
    found = (
        select(
            Case.id,
            User.name,
            Assessment.trajectory,
            Assessment.reasons,
            Assessment.recommendations,
            ScoreSwitch.contract,
        )
        .outerjoin(User, User.id == Case.owner_id)
        .outerjoin(Enrolment, Enrolment.id == Case.enrolment_id)
        .outerjoin(ScoreSwitch, ScoreSwitch.contract == Enrolment.contract)
        .outerjoin(Standing, Standing.enrolment_id == Case.enrolment_id)
        .outerjoin(Assessment, Assessment.id == Standing.latest_id)
        .where(Case.id.in_(case_ids))
    )
    details = {}
    for case_id, owner, trajectory, reasons, advice, hidden in session.execute(found):
        if hidden is not None:
            details[case_id] = CaseDetails(owner or "", [], None, [])
            continue
        risks = [float(point["risk"]) for point in (trajectory or [])[-most:]]
        details[case_id] = CaseDetails(owner or "", risks, reasons, advice or [])
    return details


def mark_of_list(session: Session, scope: Scope, filters: Filters, today: date) -> str:
    """Return a short mark that changes with the cases of a list and their assessments."""
    found = (
        select(func.count(Case.id), func.sum(Case.version), func.max(Standing.latest_id))
        .outerjoin(Standing, Standing.enrolment_id == Case.enrolment_id)
        .where(*conditions(scope, filters, today))
    )
    parts = session.execute(found).one()
    return hashlib.sha256(repr(tuple(parts)).encode()).hexdigest()[:12]


def planned_this_week(session: Session, user_id: int, today: date) -> int:
    """Count the steps that a person has planned for the week of a day."""
    monday = today - timedelta(days=today.weekday())
    found = select(func.count()).where(
        Intervention.owner_id == user_id,
        Intervention.state.in_(_PLANNED),
        Intervention.due >= monday,
        Intervention.due < monday + timedelta(days=7),
    )
    return session.scalar(found) or 0


def programmes_and_students(session: Session, scope: Scope) -> tuple[list[str], int]:
    """Return the programmes of a scope and how many students are enrolled there now."""
    is_shown = (Enrolment.status == EnrolmentStatus.ACTIVE) & scope.covers(Enrolment.student_id)
    total = select(func.count(Enrolment.student_id.distinct())).where(is_shown).scalar_subquery()
    rows = session.execute(
        select(Enrolment.programme, total).where(is_shown).distinct().order_by(Enrolment.programme)
    ).all()
    return [programme for programme, _ in rows], rows[0][1] if rows else 0


@dataclass(frozen=True, slots=True)
class StudentStanding:
    """Where a student of a list stands: the highest tier of the enrolments, and an open case.

    Attributes:
        tier: None where scores are hidden or there are none.
        state: Of the open case; None without one.
    """

    tier: str | None
    probability: float | None
    state: str | None


def standings_of_students(
    session: Session, student_ids: Collection[int]
) -> dict[int, StudentStanding]:
    """Return where students stand, in one query; the caller has read them within a scope."""
    if not student_ids:
        return {}
    found = (
        select(Enrolment.student_id, Standing.tier, Standing.probability, Case.state)
        .outerjoin(ScoreSwitch, ScoreSwitch.contract == Enrolment.contract)
        .outerjoin(
            Standing,
            (Standing.enrolment_id == Enrolment.id) & ScoreSwitch.contract.is_(None),
        )
        .outerjoin(
            Case, (Case.student_id == Enrolment.student_id) & (Case.state != CaseState.CLOSED)
        )
        .where(Enrolment.student_id.in_(student_ids))
        .order_by(Enrolment.student_id, func.coalesce(Standing.rank, -1))
    )
    # The last row of a student is the one of the highest tier.
    return {
        student_id: StudentStanding(tier, probability, state)
        for student_id, tier, probability, state in session.execute(found)
    }
