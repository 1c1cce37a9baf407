"""What was recorded of enrolments, what waits to be scored, and what the scorer answered."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from database.base import Base, RowId


class Import(Base):
    """Values that came in together.

    Attributes:
        report: Faults of single rows: row, column, code, message; never a value.
        undone_at: When the values were withdrawn; None where they count.
    """

    __tablename__ = "imports"
    id: Mapped[RowId]
    source: Mapped[str] = mapped_column(String(64))
    contract: Mapped[str] = mapped_column(String(64))
    filename: Mapped[str] = mapped_column(String(200))
    made_at: Mapped[datetime] = mapped_column(index=True)
    made_by: Mapped[int | None]
    rows: Mapped[int]
    accepted: Mapped[int]
    unchanged: Mapped[int]
    rejected: Mapped[int]
    report: Mapped[list[Any]]
    undone_at: Mapped[datetime | None]
    undone_by: Mapped[int | None]


class RecordedValue(Base):
    """One version of one period's values of an enrolment from one source.

    The newest version that was not withdrawn counts. Where several sources record a period, each
    feature takes the value recorded last; a missing value never hides another source's.

    Attributes:
        version: 1, 2, … within enrolment, period and source.
        content: Feature name -> number, level, flag or None.
        digest: SHA-256 of the content: the same values again are recognised as such.
        withdrawn_at: When the import was undone; None where the version counts.
    """

    __tablename__ = "recorded_values"
    __table_args__ = (
        Index(
            "uq_recorded_values_version",
            "enrolment_id",
            "period",
            "source",
            "version",
            unique=True,
        ),
    )
    id: Mapped[RowId]
    enrolment_id: Mapped[int] = mapped_column(ForeignKey("enrolments.id"))
    period: Mapped[int]
    source: Mapped[str] = mapped_column(String(64))
    version: Mapped[int]
    content: Mapped[dict[str, Any]]
    digest: Mapped[str] = mapped_column(String(64))
    import_id: Mapped[int | None] = mapped_column(ForeignKey("imports.id"), index=True)
    recorded_at: Mapped[datetime]
    recorded_by: Mapped[int | None]
    withdrawn_at: Mapped[datetime | None]


class QueuedScore(Base):
    """An enrolment whose values changed and were not yet scored; one row at most for each.

    Attributes:
        not_before: When it may be leased: now, after a failed attempt later, while leased the end
            of the lease.
        lease: Token of the worker that has it; None where it is free.
    """

    __tablename__ = "scoring_queue"
    __table_args__ = (Index("ix_scoring_queue_contract_not_before", "contract", "not_before"),)
    enrolment_id: Mapped[int] = mapped_column(
        ForeignKey("enrolments.id"), primary_key=True, autoincrement=False
    )
    contract: Mapped[str] = mapped_column(String(64))
    queued_at: Mapped[datetime]
    not_before: Mapped[datetime]
    lease: Mapped[str | None] = mapped_column(String(36))
    attempts: Mapped[int] = mapped_column(default=0)


class Assessment(Base):
    """What the scorer answered for one enrolment at one period. Never changed.

    Attributes:
        generation: Of the enrolment's values; one assessment at most for each.
        status: `assessed`, `not_enough_data`, `no_estimate` or `rejected`.
        tier: Name of the tier by the policy alone; `Standing.tier` is what the desk shows.
        rank: Position of the tier, 0 the lowest; -1 where there is none.
        since: Period since when the tier was reached without interruption.
        trajectory: `{"period", "risk"}` by period.
        forecast: `{"subject", "value", "unit", "low", "high"}`.
        recommendations: As answered, the first one first.
        reasons: As answered; None where none were asked for.
        observed: `{"periods", "share"}`.
        missing: Names of features without a value in the last period.
        reference: What relative features were compared with, as answered.
        problems: Faults of a rejected record: code, field, message; never a value.
        input_digest: SHA-256 of the history that was sent.
    """

    __tablename__ = "assessments"
    __table_args__ = (
        Index("uq_assessments_generation", "enrolment_id", "generation", unique=True),
        Index("ix_assessments_period", "enrolment_id", "period"),
        Index("ix_assessments_made_at", "made_at"),
    )
    id: Mapped[RowId]
    enrolment_id: Mapped[int] = mapped_column(ForeignKey("enrolments.id"))
    generation: Mapped[int]
    period: Mapped[int]
    made_at: Mapped[datetime]
    model: Mapped[str] = mapped_column(String(128))
    model_version: Mapped[str] = mapped_column(String(64))
    contract_version: Mapped[int]
    policy: Mapped[str] = mapped_column(String(64))
    policy_version: Mapped[int]
    status: Mapped[str] = mapped_column(String(24))
    probability: Mapped[float | None]
    tier: Mapped[str | None] = mapped_column(String(64))
    rank: Mapped[int]
    since: Mapped[int | None]
    trajectory: Mapped[list[Any]]
    forecast: Mapped[list[Any]]
    recommendations: Mapped[list[Any]]
    reasons: Mapped[dict[str, Any] | None]
    observed: Mapped[dict[str, Any]]
    missing: Mapped[list[Any]]
    reference: Mapped[str] = mapped_column(String(16))
    problems: Mapped[list[Any]]
    input_digest: Mapped[str] = mapped_column(String(64))


class Standing(Base):
    """Where an enrolment stands: derived from its assessments, rebuilt by `cases.upkeep.rebuild`.

    Attributes:
        tier: Shown tier: it falls only below a margin (the policy's `hysteresis`).
        latest_id: The newest assessment.
        previous_id: The newest assessment of an earlier period.
        change: Latest probability minus the one before, None without both.
        last_period: Last period with recorded values.
    """

    __tablename__ = "standings"
    __table_args__ = (Index("ix_standings_rank", "rank", "probability"),)
    enrolment_id: Mapped[int] = mapped_column(
        ForeignKey("enrolments.id"), primary_key=True, autoincrement=False
    )
    tier: Mapped[str | None] = mapped_column(String(64))
    rank: Mapped[int]
    probability: Mapped[float | None]
    change: Mapped[float | None]
    latest_id: Mapped[int] = mapped_column(ForeignKey("assessments.id"))
    previous_id: Mapped[int | None] = mapped_column(ForeignKey("assessments.id"))
    last_period: Mapped[int]


class Outcome(Base):
    """What became of an enrolment, by a definition that was fixed beforehand.

    Attributes:
        definition: Such as `risk` (the contract's target), `score`, `still_enrolled`.
        period: Period that it belongs to; 0 for the enrolment as a whole.
        known_at: When it was recorded.
    """

    __tablename__ = "outcomes"
    __table_args__ = (
        Index("uq_outcomes_definition", "enrolment_id", "definition", "period", unique=True),
    )
    id: Mapped[RowId]
    enrolment_id: Mapped[int] = mapped_column(ForeignKey("enrolments.id"))
    definition: Mapped[str] = mapped_column(String(64))
    period: Mapped[int] = mapped_column(default=0)
    value: Mapped[float]
    happened_on: Mapped[date | None]
    known_at: Mapped[datetime]
    source: Mapped[str] = mapped_column(String(64))


class ScoreSwitch(Base):
    """A contract whose scores a person has hidden; the desk goes on without them."""

    __tablename__ = "score_switches"
    contract: Mapped[str] = mapped_column(String(64), primary_key=True)
    hidden_at: Mapped[datetime]
    hidden_by: Mapped[int | None]
    reason: Mapped[str] = mapped_column(String(500))


class RecordedReference(Base):
    """What relative features are compared with, learnt from recorded values.

    Attributes:
        made_at: Moment of the newest import in it.
        enrolments: How many it was learnt from.
        content: In the form of a score request's `reference`.
    """

    __tablename__ = "recorded_references"
    contract: Mapped[str] = mapped_column(String(64), primary_key=True)
    made_at: Mapped[datetime]
    enrolments: Mapped[int]
    content: Mapped[dict[str, Any]]
