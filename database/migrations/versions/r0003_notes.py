"""Create notes, feedback, overrides, messages, views, calendar and retention."""

import sqlalchemy as sa
from alembic import op

from database.base import BigId, JsonValue, UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "calendar_periods",
        sa.Column("contract", sa.String(length=64), nullable=False),
        sa.Column("programme", sa.String(length=64), nullable=False),
        sa.Column("period", BigId, autoincrement=False, nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint(
            "contract", "programme", "period", name=op.f("pk_calendar_periods")
        ),
    )
    op.create_table(
        "holidays",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("programme", sa.String(length=64), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_holidays")),
    )
    op.create_index("ix_holidays_programme", "holidays", ["programme", "starts_on"], unique=False)
    op.create_table(
        "retention_rules",
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("days", BigId, nullable=False),
        sa.PrimaryKeyConstraint("kind", name=op.f("pk_retention_rules")),
    )
    op.create_table(
        "saved_views",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("user_id", BigId, nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("filters", JsonValue, nullable=False),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_views")),
    )
    op.create_index("uq_saved_views_name", "saved_views", ["user_id", "name"], unique=True)
    op.create_table(
        "messages",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("student_id", BigId, nullable=False),
        sa.Column("case_id", BigId, nullable=True),
        sa.Column("recipient", sa.String(length=32), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("template", sa.String(length=64), nullable=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("written_by", BigId, nullable=True),
        sa.Column("queued_at", UtcDateTime(), nullable=False),
        sa.Column("sent_at", UtcDateTime(), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(
            ["student_id"], ["students.id"], name=op.f("fk_messages_student_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_messages")),
    )
    op.create_index("ix_messages_state", "messages", ["state", "queued_at"], unique=False)
    op.create_index(op.f("ix_messages_student_id"), "messages", ["student_id"], unique=False)
    op.create_table(
        "notes",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("student_id", BigId, nullable=False),
        sa.Column("case_id", BigId, nullable=True),
        sa.Column("author_id", BigId, nullable=False),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.Column("happened_on", sa.Date(), nullable=False),
        sa.Column("contact", sa.String(length=16), nullable=True),
        sa.Column("is_draft", sa.Boolean(), nullable=False),
        sa.Column("restricted_by", BigId, nullable=True),
        sa.Column("revision", BigId, nullable=False),
        sa.ForeignKeyConstraint(["student_id"], ["students.id"], name=op.f("fk_notes_student_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notes")),
    )
    op.create_index("ix_notes_student", "notes", ["student_id", "happened_on"], unique=False)
    op.create_table(
        "note_revisions",
        sa.Column("note_id", BigId, nullable=False),
        sa.Column("revision", BigId, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("author_id", BigId, nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["note_id"], ["notes.id"], name=op.f("fk_note_revisions_note_id")),
        sa.PrimaryKeyConstraint("note_id", "revision", name=op.f("pk_note_revisions")),
    )
    op.create_table(
        "overrides",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("student_id", BigId, nullable=False),
        sa.Column("enrolment_id", BigId, nullable=False),
        sa.Column("tier", sa.String(length=64), nullable=True),
        sa.Column("reason", sa.LargeBinary(), nullable=False),
        sa.Column("set_by", BigId, nullable=False),
        sa.Column("set_at", UtcDateTime(), nullable=False),
        sa.Column("expires_on", sa.Date(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("ended_by", BigId, nullable=True),
        sa.ForeignKeyConstraint(
            ["enrolment_id"], ["enrolments.id"], name=op.f("fk_overrides_enrolment_id")
        ),
        sa.ForeignKeyConstraint(
            ["student_id"], ["students.id"], name=op.f("fk_overrides_student_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_overrides")),
    )
    op.create_index(op.f("ix_overrides_enrolment_id"), "overrides", ["enrolment_id"], unique=False)
    op.create_index(op.f("ix_overrides_student_id"), "overrides", ["student_id"], unique=False)
    op.create_table(
        "feedback",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("student_id", BigId, nullable=False),
        sa.Column("assessment_id", BigId, nullable=False),
        sa.Column("rule", sa.String(length=64), nullable=True),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.Column("given_by", BigId, nullable=False),
        sa.Column("given_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["assessment_id"], ["assessments.id"], name=op.f("fk_feedback_assessment_id")
        ),
        sa.ForeignKeyConstraint(
            ["student_id"], ["students.id"], name=op.f("fk_feedback_student_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feedback")),
    )
    op.create_index(op.f("ix_feedback_assessment_id"), "feedback", ["assessment_id"], unique=False)
    op.create_index(op.f("ix_feedback_student_id"), "feedback", ["student_id"], unique=False)
    op.create_table(
        "view_members",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("view_id", BigId, nullable=False),
        sa.Column("case_id", BigId, nullable=False),
        sa.Column("entered_at", UtcDateTime(), nullable=False),
        sa.Column("left_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_view_members_case_id")),
        sa.ForeignKeyConstraint(
            ["view_id"], ["saved_views.id"], name=op.f("fk_view_members_view_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_view_members")),
    )
    op.create_index(op.f("ix_view_members_case_id"), "view_members", ["case_id"], unique=False)
    op.create_index("ix_view_members_view", "view_members", ["view_id", "left_at"], unique=False)


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("view_members")
    op.drop_table("feedback")
    op.drop_table("overrides")
    op.drop_table("note_revisions")
    op.drop_table("notes")
    op.drop_table("messages")
    op.drop_table("saved_views")
    op.drop_table("retention_rules")
    op.drop_table("holidays")
    op.drop_table("calendar_periods")
