"""Create cases, events, interventions and decisions."""

import sqlalchemy as sa
from alembic import op

from database.base import BigId, JsonValue, UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "case_events",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("case_id", BigId, nullable=False),
        sa.Column("student_id", BigId, nullable=False),
        sa.Column("seq", BigId, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("actor_id", BigId, nullable=True),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["student_id"], ["students.id"], name=op.f("fk_case_events_student_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_events")),
    )
    op.create_index(op.f("ix_case_events_student_id"), "case_events", ["student_id"], unique=False)
    op.create_index("uq_case_events_seq", "case_events", ["case_id", "seq"], unique=True)
    op.create_table(
        "cases",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("student_id", BigId, nullable=False),
        sa.Column("enrolment_id", BigId, nullable=True),
        sa.Column("concern", sa.String(length=80), nullable=False),
        sa.Column("origin", sa.String(length=16), nullable=False),
        sa.Column("topic", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("owner_id", BigId, nullable=True),
        sa.Column("raised_by", BigId, nullable=True),
        sa.Column("tier", sa.String(length=64), nullable=True),
        sa.Column("rank", BigId, nullable=False),
        sa.Column("opened_at", UtcDateTime(), nullable=False),
        sa.Column("state_since", UtcDateTime(), nullable=False),
        sa.Column("first_contact_at", UtcDateTime(), nullable=True),
        sa.Column("last_contact_at", UtcDateTime(), nullable=True),
        sa.Column("attempts", BigId, nullable=False),
        sa.Column("due", sa.Date(), nullable=True),
        sa.Column("next_step", sa.String(length=600), nullable=True),
        sa.Column("snoozed_until", sa.Date(), nullable=True),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
        sa.Column("close_reason", sa.String(length=24), nullable=True),
        sa.Column("outcome", sa.String(length=24), nullable=True),
        sa.Column("closed_period", BigId, nullable=True),
        sa.Column("duplicate_of", BigId, nullable=True),
        sa.Column("version", BigId, nullable=False),
        sa.ForeignKeyConstraint(
            ["enrolment_id"], ["enrolments.id"], name=op.f("fk_cases_enrolment_id")
        ),
        sa.ForeignKeyConstraint(["student_id"], ["students.id"], name=op.f("fk_cases_student_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases")),
    )
    op.create_index(op.f("ix_cases_enrolment_id"), "cases", ["enrolment_id"], unique=False)
    op.create_index("ix_cases_owner", "cases", ["owner_id", "state"], unique=False)
    op.create_index(op.f("ix_cases_raised_by"), "cases", ["raised_by"], unique=False)
    op.create_index("ix_cases_state_rank", "cases", ["state", "rank"], unique=False)
    op.create_index(
        "uq_cases_open_concern",
        "cases",
        ["student_id", "concern"],
        unique=True,
        sqlite_where=sa.text("state <> 'closed'"),
        postgresql_where=sa.text("state <> 'closed'"),
    )
    op.create_table(
        "decisions",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("student_id", BigId, nullable=False),
        sa.Column("enrolment_id", BigId, nullable=False),
        sa.Column("case_id", BigId, nullable=True),
        sa.Column("assessment_id", BigId, nullable=False),
        sa.Column("period", BigId, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("position", BigId, nullable=False),
        sa.Column("choice", sa.String(length=64), nullable=True),
        sa.Column("candidates", JsonValue, nullable=False),
        sa.Column("propensities", JsonValue, nullable=False),
        sa.Column("chosen", sa.String(length=64), nullable=False),
        sa.Column("chosen_by", sa.String(length=16), nullable=False),
        sa.Column("seed", BigId, nullable=True),
        sa.Column("model_version", sa.String(length=64), nullable=False),
        sa.Column("policy", sa.String(length=64), nullable=False),
        sa.Column("policy_version", BigId, nullable=False),
        sa.Column("probability", sa.Double(), nullable=False),
        sa.Column("tier", sa.String(length=64), nullable=False),
        sa.Column("threshold_distance", sa.Double(), nullable=True),
        sa.Column("capacity_rank", BigId, nullable=True),
        sa.ForeignKeyConstraint(
            ["assessment_id"], ["assessments.id"], name=op.f("fk_decisions_assessment_id")
        ),
        sa.ForeignKeyConstraint(
            ["enrolment_id"], ["enrolments.id"], name=op.f("fk_decisions_enrolment_id")
        ),
        sa.ForeignKeyConstraint(
            ["student_id"], ["students.id"], name=op.f("fk_decisions_student_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decisions")),
    )
    op.create_index(
        op.f("ix_decisions_assessment_id"), "decisions", ["assessment_id"], unique=False
    )
    op.create_index("ix_decisions_at", "decisions", ["at"], unique=False)
    op.create_index(op.f("ix_decisions_student_id"), "decisions", ["student_id"], unique=False)
    op.create_table(
        "interventions",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("case_id", BigId, nullable=False),
        sa.Column("student_id", BigId, nullable=False),
        sa.Column("number", BigId, nullable=False),
        sa.Column("rule", sa.String(length=64), nullable=True),
        sa.Column("action", sa.String(length=600), nullable=False),
        sa.Column("owner_id", BigId, nullable=True),
        sa.Column("owner_role", sa.String(length=64), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("due", sa.Date(), nullable=True),
        sa.Column("suggested_at", UtcDateTime(), nullable=False),
        sa.Column("suggested_period", BigId, nullable=True),
        sa.Column("started_at", UtcDateTime(), nullable=True),
        sa.Column("started_period", BigId, nullable=True),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("dose", sa.Double(), nullable=True),
        sa.Column("answered", sa.Boolean(), nullable=True),
        sa.Column("dismiss_reason", sa.String(length=24), nullable=True),
        sa.Column("decision_id", BigId, nullable=True),
        sa.Column("risk_before", sa.Double(), nullable=True),
        sa.Column("result", sa.String(length=16), nullable=True),
        sa.Column("review", JsonValue, nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_interventions_case_id")),
        sa.ForeignKeyConstraint(
            ["student_id"], ["students.id"], name=op.f("fk_interventions_student_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_interventions")),
    )
    op.create_index(op.f("ix_interventions_case_id"), "interventions", ["case_id"], unique=False)
    op.create_index(
        "ix_interventions_owner", "interventions", ["owner_id", "state", "due"], unique=False
    )
    op.create_index(op.f("ix_interventions_state"), "interventions", ["state"], unique=False)
    op.create_table(
        "decision_follow_ups",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("decision_id", BigId, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("actor_id", BigId, nullable=True),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("detail", JsonValue, nullable=False),
        sa.ForeignKeyConstraint(
            ["decision_id"], ["decisions.id"], name=op.f("fk_decision_follow_ups_decision_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decision_follow_ups")),
    )
    op.create_index(
        op.f("ix_decision_follow_ups_decision_id"),
        "decision_follow_ups",
        ["decision_id"],
        unique=False,
    )


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("decision_follow_ups")
    op.drop_table("interventions")
    op.drop_table("decisions")
    op.drop_table("cases")
    op.drop_table("case_events")
