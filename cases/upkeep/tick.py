"""What time brings: waits and snoozes end, cases escalate, interventions are reviewed, rows age out.

Safe to run twice, and by several processes: each step looks at what is due and leaves nothing due.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from cases.casework.events import Casebook
from cases.casework.states import CaseState, EventKind
from cases.recording.queue import drain
from cases.recording.review import review_interventions
from cases.scoring import ScorerUnavailableError, ScoringClient
from cases.tables.events import Case, CaseEvent
from cases.upkeep.retention import apply_retention
from database.base import utc_now
from database.store import Database
from scoring.policy.model import Policy


@dataclass(frozen=True, slots=True)
class Ticked:
    """What a tick did.

    Attributes:
        scored: Assessments written; None where the scorer did not answer.
        resumed: Cases whose wait or snooze ended.
        erased: Students whose time was over.
    """

    scored: int | None
    resumed: int
    escalated: int
    reviewed: int
    erased: int


def tick(database: Database, client: ScoringClient, *, now: datetime | None = None) -> Ticked:
    """Do what is due.

    Args:
        database: Its transactions are opened and closed here.
        client: The scoring service; while it is down the rest is done.
        now: This moment, unless given.
    """
    moment = now or utc_now()
    scored, escalated, reviewed = None, 0, 0
    with database.write() as session:
        resumed = resume(session, moment)
    try:
        policy = client.policy()
        scored = drain(database, client, now=now).committed
    except ScorerUnavailableError:
        policy = None
    if policy is not None:
        with database.write() as session:
            escalated = escalate(session, policy, moment)
        with database.write() as session:
            reviewed = review_interventions(session, policy.contract, moment)
    with database.write() as session:
        erased = apply_retention(session, moment).erased
    return Ticked(scored, resumed, escalated, reviewed, erased)


def resume(session: Session, at: datetime) -> int:
    """End waits and snoozes whose day has come; return how many cases are back."""
    book = Casebook(session)
    found = session.scalars(
        select(Case)
        .where(Case.state != CaseState.CLOSED, Case.snoozed_until <= at.date())
        .with_for_update(skip_locked=True)
    ).all()
    for case in found:
        is_waiting = case.state == CaseState.WAITING
        kind = EventKind.RESUMED if is_waiting else EventKind.SNOOZE_ENDED
        book.append(case, kind, {"why": "day_came"}, at=at)
    return len(found)


def escalate(session: Session, policy: Policy, at: datetime) -> int:
    """Escalate open cases whose attempts at contact stay without answer, once for each series.

    The next step is then another way or another person, due today; who does it is for people to
    decide.
    """
    book = Casebook(session)
    number = 0
    candidates = session.scalars(
        select(Case)
        .where(
            Case.state != CaseState.CLOSED,
            Case.attempts >= policy.no_answer_attempts,
            Case.enrolment_id.is_not(None),
        )
        .with_for_update(skip_locked=True)
    ).all()
    for case in candidates:
        newest = session.scalars(
            select(CaseEvent.kind)
            .where(
                CaseEvent.case_id == case.id,
                CaseEvent.kind.in_((EventKind.CONTACT, EventKind.ESCALATED)),
            )
            .order_by(CaseEvent.seq.desc())
            .limit(1)
        ).one()
        if newest == EventKind.ESCALATED:
            continue
        payload = {
            "rule": "no_answer",
            "attempts": case.attempts,
            "next_step": f"No answer to {case.attempts} attempts: try another way or person.",
            "due": at.date().isoformat(),
        }
        book.append(case, EventKind.ESCALATED, payload, at=at)
        number += 1
    return number
