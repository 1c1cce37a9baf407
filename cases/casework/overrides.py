"""A person's own judgement beside the estimate: overrides with an end, and feedback in one click.

Neither reaches a model. An override with a tier that opens no case keeps assessments from opening
one while it lasts.
"""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cases.errors import InvalidError, NotFoundError
from cases.scope import Scope
from cases.tables.notes import Feedback, Override
from cases.tables.people import Enrolment
from cases.tables.records import Assessment
from database.base import utc_now
from database.keys import KeyRing


class Verdict(StrEnum):
    """What a person thinks of a recommendation, or of an assessment."""

    HELPED = "helped"
    NOT_FITTING = "not_fitting"
    ALREADY_DONE = "already_done"
    WRONG_DATA = "wrong_data"


@dataclass(frozen=True, slots=True)
class OverrideView:
    """An override with its reason opened."""

    override_id: int
    enrolment_id: int
    tier: str | None
    reason: str
    set_by: int
    set_at: datetime
    expires_on: date
    ended_at: datetime | None


def set_override(
    session: Session,
    enrolment_id: int,
    *,
    tier: str | None,
    reason: str,
    expires_on: date,
    actor: int,
    at: datetime | None = None,
) -> Override:
    """Set a tier, or record a known reason, until a day; an earlier override ends.

    Args:
        session: The caller's transaction.
        enrolment_id: Enrolment that it is about.
        tier: Shown instead of the estimate's; None for a reason alone. The caller checks that the
            policy in force has it.
        reason: In words; sealed.
        expires_on: Last day.
        actor: Who judges.
        at: When; now unless given.

    Raises:
        NotFoundError: No such enrolment.
        InvalidError: No reason, or a day that has passed.
    """
    at = at or utc_now()
    enrolment = session.get(Enrolment, enrolment_id, with_for_update=True)
    if enrolment is None:
        raise NotFoundError("There is no such enrolment.")
    if not 0 < len(reason.strip()) <= 2000:
        raise InvalidError("An override needs a reason of 1 to 2,000 characters.")
    if expires_on < at.date():
        raise InvalidError("An override lasts until today at the earliest.")
    for one in session.scalars(
        select(Override).where(Override.enrolment_id == enrolment_id, Override.ended_at.is_(None))
    ):
        one.ended_at, one.ended_by = at, actor
    made = Override(
        student_id=enrolment.student_id,
        enrolment_id=enrolment_id,
        tier=tier,
        reason=KeyRing(session).seal(enrolment.student_id, reason.strip()),
        set_by=actor,
        set_at=at,
        expires_on=expires_on,
        ended_at=None,
        ended_by=None,
    )
    session.add(made)
    session.flush()
    return made


def end_override(session: Session, override_id: int, *, actor: int) -> None:
    """End an override before its day.

    Raises:
        NotFoundError: No such override, or it has ended.
    """
    one = session.get(Override, override_id, with_for_update=True)
    if one is None or one.ended_at is not None:
        raise NotFoundError("There is no such override in force.")
    one.ended_at, one.ended_by = utc_now(), actor


def overrides(session: Session, scope: Scope, student_id: int) -> list[OverrideView]:
    """List the overrides of a student, the newest first."""
    rows = session.scalars(
        select(Override)
        .where(Override.student_id == student_id, scope.covers(Override.student_id))
        .order_by(Override.id.desc())
    )
    ring = KeyRing(session)
    return [
        OverrideView(
            override_id=one.id,
            enrolment_id=one.enrolment_id,
            tier=one.tier,
            reason=ring.open(student_id, one.reason) or "",
            set_by=one.set_by,
            set_at=one.set_at,
            expires_on=one.expires_on,
            ended_at=one.ended_at,
        )
        for one in rows
    ]


def give_feedback(
    session: Session,
    assessment_id: int,
    *,
    verdict: Verdict,
    actor: int,
    rule: str | None = None,
) -> Feedback:
    """Record a verdict on a recommendation, or on the assessment as a whole.

    Raises:
        NotFoundError: No such assessment, or it has no recommendation of that rule.
    """
    made = session.get(Assessment, assessment_id)
    if made is None:
        raise NotFoundError("There is no such assessment.")
    if rule is not None and all(one["rule"] != rule for one in made.recommendations):
        raise NotFoundError("The assessment has no recommendation of that rule.")
    enrolment = session.get_one(Enrolment, made.enrolment_id)
    given = Feedback(
        student_id=enrolment.student_id,
        assessment_id=assessment_id,
        rule=rule,
        verdict=verdict,
        given_by=actor,
        given_at=utc_now(),
    )
    session.add(given)
    session.flush()
    return given


def feedback_of(session: Session, scope: Scope, assessment_id: int) -> list[Feedback]:
    """Return the newest verdict of each person on each recommendation of an assessment."""
    newest = (
        select(func.max(Feedback.id))
        .where(Feedback.assessment_id == assessment_id)
        .group_by(Feedback.given_by, Feedback.rule)
    )
    asked = select(Feedback).where(Feedback.id.in_(newest), scope.covers(Feedback.student_id))
    return list(session.scalars(asked.order_by(Feedback.id)))
