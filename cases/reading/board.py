"""Interventions by state, as cards; and what became of concerns, for those who raised them."""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import and_, func, select, union_all
from sqlalchemy.orm import Session

from cases.casework.states import InterventionState
from cases.reading.filters import Filters, matching_cases
from cases.scope import Scope
from cases.tables.events import Case, Intervention
from cases.tables.people import Identity, IdentityKind
from database.base import utc_now


@dataclass(frozen=True, slots=True)
class BoardCard:
    """One intervention.

    Attributes:
        version: The case's, for locking.
    """

    intervention_id: int
    case_id: int
    version: int
    student_id: int
    name: str
    action: str
    state: str
    owner_id: int | None
    owner_role: str | None
    due: date | None
    result: str | None


@dataclass(frozen=True, slots=True)
class BoardColumn:
    """Interventions in one state.

    Attributes:
        total: How many there are beyond the cards, too.
    """

    state: InterventionState
    cards: list[BoardCard]
    total: int


@dataclass(frozen=True, slots=True)
class RaisedConcern:
    """A concern, for the person who raised it: how it stands, not what was written."""

    case_id: int
    student_id: int
    name: str
    topic: str
    opened_at: datetime
    state: str
    close_reason: str | None
    outcome: str | None
    closed_at: datetime | None


def board(
    session: Session,
    scope: Scope,
    filters: Filters,
    *,
    limit: int = 50,
    now: datetime | None = None,
) -> list[BoardColumn]:
    """Return interventions of matching cases by state, those due first, in two queries.

    Args:
        session: The caller's transaction.
        scope: Students that the caller may see.
        filters: Of the cases.
        limit: Cards in a column.
        now: Moment for which the board is made.
    """
    cases = matching_cases(scope, filters, (now or utc_now()).date())
    of_cases = Intervention.case_id.in_(cases)
    counted = select(Intervention.state, func.count()).where(of_cases)
    totals = {row[0]: row[1] for row in session.execute(counted.group_by(Intervention.state))}
    # One short walk along an index for each column, instead of a sort of all interventions.
    firsts = [
        select(Intervention.id)
        .where(of_cases, Intervention.state == state, has_due)
        .order_by(Intervention.due, Intervention.id)
        .limit(limit)
        .subquery()
        for state in InterventionState
        for has_due in (Intervention.due.is_not(None), Intervention.due.is_(None))
    ]
    rows = session.execute(
        select(Intervention, Case.version, Identity.value)
        .join(Case, Case.id == Intervention.case_id)
        .outerjoin(
            Identity,
            and_(
                Identity.student_id == Intervention.student_id,
                Identity.kind == IdentityKind.NAME,
            ),
        )
        .where(Intervention.id.in_(union_all(*(select(first.c.id) for first in firsts))))
        .order_by(Intervention.due.is_(None), Intervention.due, Intervention.id)
    )
    columns: dict[str, list[BoardCard]] = {state: [] for state in InterventionState}
    for one, version, name in rows:
        columns[one.state].append(
            BoardCard(
                intervention_id=one.id,
                case_id=one.case_id,
                version=version,
                student_id=one.student_id,
                name=name or f"Student {one.student_id}",
                action=one.action,
                state=one.state,
                owner_id=one.owner_id,
                owner_role=one.owner_role,
                due=one.due,
                result=one.result,
            )
        )
    return [
        BoardColumn(state, columns[state][:limit], totals.get(state, 0))
        for state in InterventionState
    ]


def raised(session: Session, user_id: int, *, limit: int = 100) -> list[RaisedConcern]:
    """Return the concerns that a user raised, the newest first; their scope does not matter.

    The person who raised a concern sees how it ended, also where they may not see the student's page.
    """
    rows = session.execute(
        select(Case, Identity.value)
        .outerjoin(
            Identity,
            and_(Identity.student_id == Case.student_id, Identity.kind == IdentityKind.NAME),
        )
        .where(Case.raised_by == user_id)
        .order_by(Case.id.desc())
        .limit(limit)
    )
    return [
        RaisedConcern(
            case_id=case.id,
            student_id=case.student_id,
            name=name or f"Student {case.student_id}",
            topic=case.topic,
            opened_at=case.opened_at,
            state=case.state,
            close_reason=case.close_reason,
            outcome=case.outcome,
            closed_at=case.closed_at,
        )
        for case, name in rows
    ]
