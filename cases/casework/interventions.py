"""Commands on interventions; each is an event of its case and returns the case's new version."""

from datetime import date, datetime
from typing import Any

from sqlalchemy.orm import Session

from cases.casework.decisions import follow_up
from cases.casework.events import Casebook
from cases.casework.states import DismissReason, EventKind
from cases.errors import InvalidError, NotFoundError
from cases.tables.events import Case, Intervention
from cases.tables.records import Assessment, Standing
from database.base import utc_now


def suggest(
    session: Session,
    case_id: int,
    *,
    action: str,
    actor: int | None,
    rule: str | None = None,
    owner_role: str | None = None,
    due: date | None = None,
    version: int | None = None,
) -> Intervention:
    """Suggest an action for the student of a case.

    Raises:
        InvalidError: The action is empty or longer than 600 characters.
    """
    if not 0 < len(action.strip()) <= 600:
        raise InvalidError("An action needs 1 to 600 characters.")
    book = Casebook(session)
    case = book.case(case_id, version)
    payload = {
        "action": action.strip(),
        "rule": rule,
        "owner_role": owner_role,
        "due": None if due is None else due.isoformat(),
        **where_it_stands(session, case),
    }
    return suggest_in(book, case, payload, actor=actor)


def suggest_in(
    book: Casebook,
    case: Case,
    payload: dict[str, Any],
    *,
    actor: int | None,
    at: datetime | None = None,
) -> Intervention:
    """Suggest an action in a casebook; the payload has `action`, and what else applies."""
    number = len(book.interventions(case)) + 1
    book.append(case, EventKind.SUGGESTED, {**payload, "number": number}, actor=actor, at=at)
    return book.interventions(case)[number]


def plan(
    session: Session,
    intervention_id: int,
    *,
    owner: int | None,
    due: date | None,
    actor: int | None,
    action: str | None = None,
    reason: str | None = None,
    version: int | None = None,
    at: datetime | None = None,
) -> int:
    """Accept a suggestion, or change it where another action is given; again to plan anew.

    Args:
        session: The caller's transaction.
        intervention_id: The intervention.
        owner: Who acts.
        due: By when.
        actor: Who plans.
        action: Other words for what is to be done.
        reason: Code, why the action was changed.
        version: Of the case, as the caller saw it.
        at: When; now unless given.
    """
    one, book, case = _find(session, intervention_id, version)
    payload = {
        "number": one.number,
        "owner": owner,
        "due": None if due is None else due.isoformat(),
        "action": action,
    }
    changed = action is not None and action != one.action
    new = book.append(case, EventKind.PLANNED, payload, actor=actor, at=at)
    kind = "changed" if changed else "accepted"
    detail = {"reason": reason} if changed else {}
    follow_up(session, one.decision_id, kind, actor=actor, detail=detail, at=at)
    return new


def start(
    session: Session,
    intervention_id: int,
    *,
    actor: int | None,
    version: int | None = None,
    at: datetime | None = None,
) -> int:
    """Note that the action is under way; the case is then in support."""
    one, book, case = _find(session, intervention_id, version)
    payload = {"number": one.number, **where_it_stands(session, case)}
    return book.append(case, EventKind.STARTED, payload, actor=actor, at=at)


def finish(
    session: Session,
    intervention_id: int,
    *,
    actor: int | None,
    dose: float | None = None,
    answered: bool | None = None,
    version: int | None = None,
    at: datetime | None = None,
) -> int:
    """Note that the action was done.

    Args:
        session: The caller's transaction.
        intervention_id: The intervention.
        actor: Who did it.
        dose: How much, in minutes or meetings.
        answered: Whether the student answered.
        version: Of the case, as the caller saw it.
        at: When; now unless given.
    """
    one, book, case = _find(session, intervention_id, version)
    payload = {
        "number": one.number,
        "dose": dose,
        "answered": answered,
        **where_it_stands(session, case),
    }
    new = book.append(case, EventKind.FINISHED, payload, actor=actor, at=at)
    follow_up(session, one.decision_id, "done", actor=actor, detail={"dose": dose}, at=at)
    return new


def dismiss(
    session: Session,
    intervention_id: int,
    *,
    reason: DismissReason,
    actor: int | None,
    version: int | None = None,
    at: datetime | None = None,
) -> int:
    """Decide against the action, with a reason."""
    one, book, case = _find(session, intervention_id, version)
    payload = {"number": one.number, "reason": reason}
    new = book.append(case, EventKind.DISMISSED, payload, actor=actor, at=at)
    follow_up(session, one.decision_id, "dismissed", actor=actor, detail={"reason": reason}, at=at)
    return new


def where_it_stands(session: Session, case: Case) -> dict[str, Any]:
    """Return `period` and `risk` of the case's enrolment, empty where it was never assessed."""
    if case.enrolment_id is None:
        return {}
    standing = session.get(Standing, case.enrolment_id)
    if standing is None:
        return {}
    latest = session.get_one(Assessment, standing.latest_id)
    return {"period": latest.period, "risk": latest.probability}


def _find(
    session: Session, intervention_id: int, version: int | None
) -> tuple[Intervention, Casebook, Case]:
    one = session.get(Intervention, intervention_id)
    if one is None:
        raise NotFoundError("There is no such intervention.")
    book = Casebook(session)
    case = book.case(one.case_id, version)
    # Read after the case was locked: another transaction may have changed it in between.
    session.refresh(one)
    return one, book, case


def overdue(one: Intervention, now: datetime | None = None) -> bool:
    """Return whether an open intervention is past its due day."""
    return one.ended_at is None and one.due is not None and one.due < (now or utc_now()).date()
