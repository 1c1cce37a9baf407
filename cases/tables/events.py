"""Cases, their append-only events, and what is derived from them; decisions."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from database.base import Base, RowId


class Case(Base):
    """One concern about one student: derived from its events, rebuilt by `cases.upkeep.rebuild`.

    Attributes:
        concern: What it is about: `contract:<enrolment>` or `person:<topic>`. At most one case of a
            student and concern is open.
        origin: `assessment` or `person`.
        topic: Plain word of the concern; for assessments the contract's name.
        raised_by: The person who raised it; sees the outcome.
        tier, rank: Of the enrolment when the case last changed by an assessment.
        due: When the owner should act next.
        next_step: What is to be done next, in words.
        snoozed_until: Hidden from the worklist until that day, except in search.
        last_contact_at: Last recorded contact.
        waiting_since: Last contact, or else the opening: the time since the last action.
        change: As in the enrolment's standing, 0 where unknown; not derived from events.
        attempts: Contacts tried since the last answer.
        close_reason, outcome, closed_at: Of closed cases.
        closed_period: Last assessed period at closing: only later ones can open another case.
        duplicate_of: The case that it was merged into.
        version: Number of its events: the ETag of optimistic locking.
    """

    __tablename__ = "cases"
    __table_args__ = (
        Index(
            "uq_cases_open_concern",
            "student_id",
            "concern",
            unique=True,
            sqlite_where=text("state <> 'closed'"),
            postgresql_where=text("state <> 'closed'"),
        ),
        Index("ix_cases_state_rank", "state", "rank"),
        # The order of the worklist, so that a page is read without sorting all open cases.
        Index(
            "ix_cases_need",
            text("rank DESC"),
            text("change DESC"),
            "waiting_since",
            "id",
            sqlite_where=text("state <> 'closed'"),
            postgresql_where=text("state <> 'closed'"),
        ),
        # All that counting open cases reads.
        Index(
            "ix_cases_counts",
            "state",
            "tier",
            "owner_id",
            "due",
            "snoozed_until",
            "student_id",
            sqlite_where=text("state <> 'closed'"),
            postgresql_where=text("state <> 'closed'"),
        ),
        Index("ix_cases_owner", "owner_id", "state"),
    )
    id: Mapped[RowId]
    student_id: Mapped[int] = mapped_column(ForeignKey("students.id"))
    enrolment_id: Mapped[int | None] = mapped_column(ForeignKey("enrolments.id"), index=True)
    concern: Mapped[str] = mapped_column(String(80))
    origin: Mapped[str] = mapped_column(String(16))
    topic: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(16))
    owner_id: Mapped[int | None]
    raised_by: Mapped[int | None] = mapped_column(index=True)
    tier: Mapped[str | None] = mapped_column(String(64))
    rank: Mapped[int]
    opened_at: Mapped[datetime]
    state_since: Mapped[datetime]
    first_contact_at: Mapped[datetime | None]
    last_contact_at: Mapped[datetime | None]
    waiting_since: Mapped[datetime]
    change: Mapped[float] = mapped_column(default=0.0)
    attempts: Mapped[int] = mapped_column(default=0)
    due: Mapped[date | None]
    next_step: Mapped[str | None] = mapped_column(String(600))
    snoozed_until: Mapped[date | None]
    closed_at: Mapped[datetime | None]
    close_reason: Mapped[str | None] = mapped_column(String(24))
    outcome: Mapped[str | None] = mapped_column(String(24))
    closed_period: Mapped[int | None]
    duplicate_of: Mapped[int | None]
    version: Mapped[int]


class CaseEvent(Base):
    """A fact about a case; never changed or deleted.

    What it holds is sealed under the student's key (database/keys.py): after erasure the row
    remains and cannot be read.

    Attributes:
        seq: 1, 2, … within the case; two writers cannot append the same one.
        actor_id: The user; None for the desk itself.
        sealed: Payload, by `cases.casework.events`.
    """

    __tablename__ = "case_events"
    __table_args__ = (Index("uq_case_events_seq", "case_id", "seq", unique=True),)
    id: Mapped[RowId]
    # No foreign key: the case's row is derived from its events, and deleted at erasure.
    case_id: Mapped[int]
    student_id: Mapped[int] = mapped_column(ForeignKey("students.id"), index=True)
    seq: Mapped[int]
    at: Mapped[datetime]
    actor_id: Mapped[int | None]
    kind: Mapped[str] = mapped_column(String(32))
    sealed: Mapped[bytes]


class Intervention(Base):
    """An action for a student: derived from the case's events.

    Attributes:
        rule: Policy rule that suggested it; None where a person did.
        action: Plain words: what is to be done.
        owner_id: Who acts; None while only a role is named.
        dose: How much was done, in minutes or meetings; None where unknown.
        answered: Whether the student answered; None where unknown.
        risk_before: Probability when it got under way (or was suggested).
        result: `improved`, `unchanged`, `worse` or None before a review.
        review: Figures behind the result.
    """

    __tablename__ = "interventions"
    __table_args__ = (
        Index("ix_interventions_owner", "owner_id", "state", "due"),
        Index("ix_interventions_board", "state", "due", "id", "case_id"),
    )
    id: Mapped[RowId]
    case_id: Mapped[int] = mapped_column(ForeignKey("cases.id"), index=True)
    student_id: Mapped[int] = mapped_column(ForeignKey("students.id"))
    number: Mapped[int]
    rule: Mapped[str | None] = mapped_column(String(64))
    action: Mapped[str] = mapped_column(String(600))
    owner_id: Mapped[int | None]
    owner_role: Mapped[str | None] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(16))
    due: Mapped[date | None]
    suggested_at: Mapped[datetime]
    suggested_period: Mapped[int | None]
    started_at: Mapped[datetime | None]
    started_period: Mapped[int | None]
    ended_at: Mapped[datetime | None]
    dose: Mapped[float | None]
    answered: Mapped[bool | None]
    dismiss_reason: Mapped[str | None] = mapped_column(String(24))
    decision_id: Mapped[int | None]
    risk_before: Mapped[float | None]
    result: Mapped[str | None] = mapped_column(String(16))
    review: Mapped[dict[str, Any] | None]


class Decision(Base):
    """What could have been recommended, how probable each was, and what was: never changed.

    Attributes:
        position: Place among the recommendations shown together, 1 the first.
        choice: Name of the policy's `choice` group; None where the rules decided alone.
        candidates: Rule ids in the order shown.
        propensities: Probability of each candidate under the rule in force, unrounded.
        chosen: Rule id.
        chosen_by: `rule`, `random` or `adaptive`.
        seed: With which the random choice was drawn.
        threshold_distance: Probability minus the lower bound of the nearest tier above the lowest.
        capacity_rank: Position among the assessments of its batch, by risk, 1 the riskiest.
    """

    __tablename__ = "decisions"
    __table_args__ = (Index("ix_decisions_at", "at"),)
    id: Mapped[RowId]
    student_id: Mapped[int] = mapped_column(ForeignKey("students.id"), index=True)
    enrolment_id: Mapped[int] = mapped_column(ForeignKey("enrolments.id"))
    case_id: Mapped[int | None]
    assessment_id: Mapped[int] = mapped_column(ForeignKey("assessments.id"), index=True)
    period: Mapped[int]
    at: Mapped[datetime]
    position: Mapped[int]
    choice: Mapped[str | None] = mapped_column(String(64))
    candidates: Mapped[list[Any]]
    propensities: Mapped[list[Any]]
    chosen: Mapped[str] = mapped_column(String(64))
    chosen_by: Mapped[str] = mapped_column(String(16))
    seed: Mapped[int | None]
    model_version: Mapped[str] = mapped_column(String(64))
    policy: Mapped[str] = mapped_column(String(64))
    policy_version: Mapped[int]
    probability: Mapped[float]
    tier: Mapped[str] = mapped_column(String(64))
    threshold_distance: Mapped[float | None]
    capacity_rank: Mapped[int | None]


class DecisionFollowUp(Base):
    """What happened to a decision afterwards: seen, changed by the adviser, done. Append-only.

    Attributes:
        kind: `seen`, `accepted`, `changed`, `dismissed` or `done`.
        detail: `{"to", "reason", "dose", "message_id"}` as far as they apply; codes, no free text.
    """

    __tablename__ = "decision_follow_ups"
    id: Mapped[RowId]
    decision_id: Mapped[int] = mapped_column(ForeignKey("decisions.id"), index=True)
    at: Mapped[datetime]
    actor_id: Mapped[int | None]
    kind: Mapped[str] = mapped_column(String(16))
    detail: Mapped[dict[str, Any]]
