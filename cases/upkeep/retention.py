"""Delete what has been stored long enough, by rules in days."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from cases.casework.states import CaseState
from cases.errors import InvalidError
from cases.tables.calendar import RetentionRule
from cases.tables.events import Case
from cases.tables.notes import Message
from cases.tables.people import Enrolment, EnrolmentStatus, Student
from cases.tables.records import Import
from cases.upkeep.erase import erase


class RetentionKind(StrEnum):
    """What a rule is about: students after their last enrolment ended, messages, import reports."""

    STUDENTS = "students"
    MESSAGES = "messages"
    IMPORTS = "imports"


@dataclass(frozen=True, slots=True)
class Retained:
    """What was removed.

    Attributes:
        erased: Students erased.
        messages: Messages deleted.
        reports: Imports whose list of faults was emptied.
    """

    erased: int
    messages: int
    reports: int


def set_retention(session: Session, kind: RetentionKind, days: int | None) -> None:
    """Store rows of a kind for so many days; None: for good.

    Raises:
        InvalidError: Fewer than one day.
    """
    if days is not None and days < 1:
        raise InvalidError("Rows are stored for at least one day.")
    rule = session.get(RetentionRule, kind)
    if rule is not None and days is None:
        session.delete(rule)
    elif rule is not None and days is not None:
        rule.days = days
    elif days is not None:
        session.add(RetentionRule(kind=kind, days=days))
    session.flush()


def retention(session: Session) -> dict[str, int]:
    """Return the rules in force: kind -> days."""
    return {rule.kind: rule.days for rule in session.scalars(select(RetentionRule))}


def apply_retention(session: Session, now: datetime) -> Retained:
    """Remove what the rules say; without rules nothing is removed."""
    rules = retention(session)
    erased = messages = reports = 0
    if (days := rules.get(RetentionKind.STUDENTS)) is not None:
        for student_id in _ended(session, now, days):
            erase(session, student_id)
            erased += 1
    if (days := rules.get(RetentionKind.MESSAGES)) is not None:
        old = select(Message.id).where(Message.queued_at < now - timedelta(days=days))
        ids = session.scalars(old).all()
        session.execute(delete(Message).where(Message.id.in_(ids)))
        messages = len(ids)
    if (days := rules.get(RetentionKind.IMPORTS)) is not None:
        made_before = now - timedelta(days=days)
        for one in session.scalars(select(Import).where(Import.made_at < made_before)):
            if one.report:
                one.report, reports = [], reports + 1
    return Retained(erased, messages, reports)


def _ended(session: Session, now: datetime, days: int) -> list[int]:
    """Return students all of whose enrolments ended long enough ago, without an open case."""
    last_day = (now - timedelta(days=days)).date()
    is_going_on = Enrolment.status != EnrolmentStatus.LEFT
    ended = (
        select(Enrolment.student_id)
        .group_by(Enrolment.student_id)
        .having(func.max(Enrolment.status_since) < last_day)
    )
    going_on = select(Enrolment.student_id).where(is_going_on)
    open_cases = select(Case.student_id).where(Case.state != CaseState.CLOSED)
    return list(
        session.scalars(
            select(Student.id).where(
                Student.erased_at.is_(None),
                Student.id.in_(ended),
                Student.id.not_in(going_on),
                Student.id.not_in(open_cases),
            )
        )
    )
