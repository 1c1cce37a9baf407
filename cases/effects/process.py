"""Process figures: who was reached, how soon, and what was done. They come before any effect."""

from dataclasses import dataclass
from datetime import datetime
from statistics import median

from sqlalchemy import and_, case, func, select
from sqlalchemy.orm import Session

from cases.casework.states import CaseState, InterventionState
from cases.scope import Scope
from cases.tables.events import Case, Intervention
from cases.tables.people import Enrolment


@dataclass(frozen=True, slots=True)
class ProcessFigures:
    """What became of the cases that assessments opened.

    Attributes:
        cases: Opened in the time asked for.
        contacted: Of them, those with a contact or an attempt.
        days_to_contact: Median days from opening to the first one; None without any.
        days_to_contact_p90: Within so many days nine in ten of those contacted were.
        without_owner: Open cases without an owner.
        no_answer: Closed without an answer, or open with two attempts or more.
        interventions: Suggested.
        done, dismissed: Of them.
        closed, improved: Cases closed, and closed as improved.
    """

    cases: int
    contacted: int
    days_to_contact: float | None
    days_to_contact_p90: float | None
    without_owner: int
    no_answer: int
    interventions: int
    done: int
    dismissed: int
    closed: int
    improved: int

    @property
    def coverage(self) -> float | None:
        """Share of cases with a contact; None without cases."""
        return self.contacted / self.cases if self.cases else None

    @property
    def share_done(self) -> float | None:
        """Share of suggested interventions that were done; None without any."""
        return self.done / self.interventions if self.interventions else None


def process_figures(
    session: Session,
    scope: Scope,
    *,
    contract: str | None = None,
    programmes: tuple[str, ...] = (),
    since: datetime | None = None,
) -> ProcessFigures:
    """Compute process figures, in three queries.

    Args:
        session: The caller's transaction.
        scope: Students that the caller may see.
        contract: Only of enrolments under it.
        programmes: Only of these programmes.
        since: Only cases opened since.
    """
    chosen = [scope.covers(Case.student_id), Case.origin == "assessment"]
    if since is not None:
        chosen.append(Case.opened_at >= since)
    if contract is not None or programmes:
        enrolled = select(Enrolment.id)
        if contract is not None:
            enrolled = enrolled.where(Enrolment.contract == contract)
        if programmes:
            enrolled = enrolled.where(Enrolment.programme.in_(programmes))
        chosen.append(Case.enrolment_id.in_(enrolled))
    is_open = Case.state != CaseState.CLOSED
    unanswered = case((is_open, Case.attempts >= 2), else_=Case.close_reason == "no_answer")
    numbers = session.execute(
        select(
            func.count(),
            func.count(Case.first_contact_at),
            func.count(case((and_(is_open, Case.owner_id.is_(None)), 1))),
            func.count(case((unanswered, 1))),
            func.count(Case.closed_at),
            func.count(case((Case.outcome == "improved", 1))),
        ).where(*chosen)
    ).one()
    cases, contacted, without_owner, no_answer, closed, improved = numbers
    moments = session.execute(
        select(Case.opened_at, Case.first_contact_at).where(
            *chosen, Case.first_contact_at.is_not(None)
        )
    )
    days = sorted(
        max((contact - opened).total_seconds(), 0) / 86_400
        for opened, contact in moments
        if contact is not None
    )
    steps = {
        row[0]: row[1]
        for row in session.execute(
            select(Intervention.state, func.count())
            .where(Intervention.case_id.in_(select(Case.id).where(*chosen)))
            .group_by(Intervention.state)
        )
    }
    return ProcessFigures(
        cases=cases,
        contacted=contacted,
        days_to_contact=median(days) if days else None,
        days_to_contact_p90=days[int(0.9 * (len(days) - 1))] if days else None,
        without_owner=without_owner,
        no_answer=no_answer,
        interventions=sum(steps.values()),
        done=steps.get(InterventionState.DONE, 0),
        dismissed=steps.get(InterventionState.DISMISSED, 0),
        closed=closed,
        improved=improved,
    )
