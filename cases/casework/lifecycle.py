"""Commands on cases: each checks the caller's version, appends events, returns the new version."""

from datetime import date, datetime
from typing import Any

from sqlalchemy.orm import Session

from cases.casework.events import Casebook, Event, open_case
from cases.casework.states import (
    CaseOutcome,
    CaseState,
    CloseReason,
    DismissReason,
    EventKind,
    InterventionState,
)
from cases.errors import InvalidError, NotAllowedError, NotFoundError
from cases.tables.events import Case
from cases.tables.people import Student
from cases.tables.records import Standing
from database.base import utc_now

_DISMISSED_WITH_CASE = (InterventionState.SUGGESTED, InterventionState.PLANNED)


def raise_concern(
    session: Session,
    student_id: int,
    *,
    topic: str,
    words: str,
    actor: int | None,
    enrolment_id: int | None = None,
    at: datetime | None = None,
) -> Case:
    """Open a case for a concern of a person, or join the open case of that topic.

    Args:
        session: The caller's transaction.
        student_id: Whom it is about.
        topic: Short word of the concern, such as `attendance` or `finance`.
        words: What was observed; sealed.
        actor: Who raises it.
        enrolment_id: The enrolment that it belongs to, if any.
        at: When; now unless given.

    Raises:
        NotFoundError: No such student, or erased.
        InvalidError: The topic is empty or too long.
    """
    student = session.get(Student, student_id)
    if student is None or student.erased_at is not None:
        raise NotFoundError("There is no such student.")
    topic = topic.strip().lower()
    if not 0 < len(topic) <= 64:
        raise InvalidError("A topic needs 1 to 64 characters.")
    book, at = Casebook(session), at or utc_now()
    concern = f"person:{topic}"
    if (case := open_case(session, student_id, concern)) is not None:
        payload = {"by": "person", "words": words, "raised_by": actor}
        book.append(case, EventKind.JOINED, payload, actor=actor, at=at)
        return case
    payload = {
        "enrolment_id": enrolment_id,
        "concern": concern,
        "origin": "person",
        "topic": topic,
        "words": words,
    }
    return book.open(student_id, Event(EventKind.OPENED, at, actor, payload))


def mark_seen(
    session: Session,
    case_id: int,
    *,
    actor: int | None,
    version: int | None = None,
    at: datetime | None = None,
) -> int:
    """Note that its owner has seen a new case; on any other open case nothing happens."""
    book = Casebook(session)
    case = book.case(case_id, version)
    if case.state != CaseState.NEW:
        return case.version
    return book.append(case, EventKind.SEEN, actor=actor, at=at)


def assign(
    session: Session,
    case_id: int,
    *,
    to: int | None,
    actor: int | None,
    version: int | None = None,
    at: datetime | None = None,
) -> int:
    """Give the case to a user, or to none."""
    return _append(session, case_id, version, EventKind.ASSIGNED, {"to": to}, actor=actor, at=at)


def record_contact(
    session: Session,
    case_id: int,
    *,
    how: str,
    answered: bool,
    actor: int | None,
    words: str = "",
    on: date | None = None,
    version: int | None = None,
    note_id: int | None = None,
    at: datetime | None = None,
) -> int:
    """Record a contact or an attempt at one; any contact counts as work.

    Args:
        session: The caller's transaction.
        case_id: The case.
        how: Such as `call`, `mail`, `meeting`.
        answered: Whether the student answered.
        actor: Who made contact.
        words: What was said; sealed.
        on: The day, where it lies before today.
        version: As the caller saw it.
        note_id: The note that records it.
        at: When it is recorded; now unless given.

    Raises:
        InvalidError: The day lies in the future.
    """
    if on is not None and on > (at or utc_now()).date():
        raise InvalidError("A contact cannot lie in the future.")
    payload = {
        "how": how,
        "answered": answered,
        "words": words,
        "on": None if on is None else on.isoformat(),
        "note_id": note_id,
    }
    return _append(session, case_id, version, EventKind.CONTACT, payload, actor=actor, at=at)


def start_support(
    session: Session,
    case_id: int,
    *,
    actor: int | None,
    words: str = "",
    version: int | None = None,
    at: datetime | None = None,
) -> int:
    """Note that support has begun."""
    return _append(
        session, case_id, version, EventKind.SUPPORT_STARTED, {"words": words}, actor=actor, at=at
    )


def wait(
    session: Session,
    case_id: int,
    *,
    until: date,
    reason: str,
    actor: int | None,
    version: int | None = None,
    at: datetime | None = None,
) -> int:
    """Wait for something until a day; the scheduler then resumes the case."""
    payload = {"until": until.isoformat(), "reason": reason}
    return _append(session, case_id, version, EventKind.WAITING, payload, actor=actor, at=at)


def snooze(
    session: Session,
    case_id: int,
    *,
    until: date,
    reason: str,
    actor: int | None,
    version: int | None = None,
    at: datetime | None = None,
) -> int:
    """Hide the case from worklists until a day, with a reason; its state remains.

    Raises:
        InvalidError: No reason, or a day that has passed.
    """
    if not reason.strip():
        raise InvalidError("A snooze needs a reason.")
    if until <= (at or utc_now()).date():
        raise InvalidError("A snooze ends after today at the earliest.")
    payload = {"until": until.isoformat(), "reason": reason}
    return _append(session, case_id, version, EventKind.SNOOZED, payload, actor=actor, at=at)


def plan_step(
    session: Session,
    case_id: int,
    *,
    next_step: str | None,
    due: date | None,
    actor: int | None,
    version: int | None = None,
    at: datetime | None = None,
) -> int:
    """Write down what is to be done next, and by when."""
    payload = {"next_step": next_step, "due": None if due is None else due.isoformat()}
    return _append(session, case_id, version, EventKind.STEP_PLANNED, payload, actor=actor, at=at)


def refer(
    session: Session,
    case_id: int,
    *,
    to: str,
    words: str,
    actor: int | None,
    version: int | None = None,
    at: datetime | None = None,
) -> int:
    """Record that another office was asked to help; the case goes on."""
    payload = {"to": to, "words": words}
    return _append(session, case_id, version, EventKind.REFERRED, payload, actor=actor, at=at)


def close(
    session: Session,
    case_id: int,
    *,
    reason: CloseReason,
    outcome: CaseOutcome | None = None,
    words: str = "",
    actor: int | None,
    version: int | None = None,
    duplicate_of: int | None = None,
    at: datetime | None = None,
) -> int:
    """Close a case; steps that were only suggested or planned are dismissed with it."""
    book = Casebook(session)
    case = book.case(case_id, version)
    return close_in(
        book,
        case,
        {
            "reason": reason,
            "outcome": outcome,
            "words": words,
            "duplicate_of": duplicate_of,
        },
        actor=actor,
        at=at,
    )


def close_in(
    book: Casebook,
    case: Case,
    payload: dict[str, Any],
    *,
    actor: int | None,
    at: datetime | None = None,
) -> int:
    """Close a case of a casebook; see `close`. The payload has `reason`, and what else applies."""
    at = at or utc_now()
    for one in list(book.interventions(case).values()):
        if one.state in _DISMISSED_WITH_CASE:
            dismissal = {"number": one.number, "reason": DismissReason.CASE_CLOSED}
            book.append(case, EventKind.DISMISSED, dismissal, actor=actor, at=at)
    if case.enrolment_id is not None:
        standing = book.session.get(Standing, case.enrolment_id)
        payload = {**payload, "period": None if standing is None else standing.last_period}
    return book.append(case, EventKind.CLOSED, payload, actor=actor, at=at)


def reopen(
    session: Session,
    case_id: int,
    *,
    words: str,
    actor: int | None,
    version: int | None = None,
    at: datetime | None = None,
) -> int:
    """Open a closed case again.

    Raises:
        NotAllowedError: It is open, or another case of the same concern is.
    """
    book = Casebook(session)
    case = book.case(case_id, version)
    if case.state == CaseState.CLOSED and (
        other := open_case(session, case.student_id, case.concern)
    ):
        raise NotAllowedError(f"Case {other.id} of the same concern is open; use that one.")
    return book.append(case, EventKind.REOPENED, {"words": words}, actor=actor, at=at)


def merge(
    session: Session,
    case_id: int,
    *,
    into: int,
    actor: int | None,
    version: int | None = None,
    at: datetime | None = None,
) -> int:
    """Close a case as the duplicate of another open one of the same student.

    Returns:
        New version of the closed case.

    Raises:
        NotAllowedError: The other case is another student's, closed, or the same case.
    """
    book = Casebook(session)
    case, other = book.case(case_id, version), book.case(into)
    if case.id == other.id or case.student_id != other.student_id:
        raise NotAllowedError("A case can be merged into another case of the same student only.")
    joined = {"by": "merge", "case_id": case.id, "raised_by": case.raised_by, "words": ""}
    book.append(other, EventKind.JOINED, joined, actor=actor, at=at)
    closing = {"reason": CloseReason.DUPLICATE, "duplicate_of": other.id, "words": ""}
    return close_in(book, case, closing, actor=actor, at=at)


def _append(
    session: Session,
    case_id: int,
    version: int | None,
    kind: EventKind,
    payload: dict[str, Any],
    *,
    actor: int | None,
    at: datetime | None = None,
) -> int:
    book = Casebook(session)
    return book.append(book.case(case_id, version), kind, payload, actor=actor, at=at)
