"""Create students, enrolments, what is recorded of them, and assessments."""

import sqlalchemy as sa
from alembic import op

from database.base import BigId, JsonValue, UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "imports",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("contract", sa.String(length=64), nullable=False),
        sa.Column("filename", sa.String(length=200), nullable=False),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.Column("made_by", BigId, nullable=True),
        sa.Column("rows", BigId, nullable=False),
        sa.Column("accepted", BigId, nullable=False),
        sa.Column("unchanged", BigId, nullable=False),
        sa.Column("rejected", BigId, nullable=False),
        sa.Column("report", JsonValue, nullable=False),
        sa.Column("undone_at", UtcDateTime(), nullable=True),
        sa.Column("undone_by", BigId, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_imports")),
    )
    op.create_index(op.f("ix_imports_made_at"), "imports", ["made_at"], unique=False)
    op.create_table(
        "score_switches",
        sa.Column("contract", sa.String(length=64), nullable=False),
        sa.Column("hidden_at", UtcDateTime(), nullable=False),
        sa.Column("hidden_by", BigId, nullable=True),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.PrimaryKeyConstraint("contract", name=op.f("pk_score_switches")),
    )
    op.create_table(
        "student_keys",
        sa.Column("student_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("student_id", name=op.f("pk_student_keys")),
    )
    op.create_table(
        "students",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("objected_at", UtcDateTime(), nullable=True),
        sa.Column("erased_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_students")),
    )
    op.create_table(
        "assignments",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("student_id", BigId, nullable=False),
        sa.Column("user_id", BigId, nullable=False),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(
            ["student_id"], ["students.id"], name=op.f("fk_assignments_student_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assignments")),
    )
    op.create_index(op.f("ix_assignments_student_id"), "assignments", ["student_id"], unique=False)
    op.create_index(
        "ix_assignments_user_student", "assignments", ["user_id", "student_id"], unique=False
    )
    op.create_table(
        "enrolments",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("student_id", BigId, nullable=False),
        sa.Column("contract", sa.String(length=64), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("programme", sa.String(length=64), nullable=False),
        sa.Column("year", BigId, nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("status_since", sa.Date(), nullable=False),
        sa.Column("generation", BigId, nullable=False),
        sa.ForeignKeyConstraint(
            ["student_id"], ["students.id"], name=op.f("fk_enrolments_student_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_enrolments")),
    )
    op.create_index("ix_enrolments_programme", "enrolments", ["programme", "status"], unique=False)
    op.create_index(op.f("ix_enrolments_student_id"), "enrolments", ["student_id"], unique=False)
    op.create_index(
        "uq_enrolments_source_key", "enrolments", ["contract", "source", "key"], unique=True
    )
    op.create_table(
        "identities",
        sa.Column("student_id", BigId, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("value", sa.String(length=320), nullable=False),
        sa.Column("folded", sa.String(length=320), nullable=False),
        sa.ForeignKeyConstraint(
            ["student_id"], ["students.id"], name=op.f("fk_identities_student_id")
        ),
        sa.PrimaryKeyConstraint("student_id", "kind", name=op.f("pk_identities")),
    )
    op.create_index("ix_identities_kind_folded", "identities", ["kind", "folded"], unique=False)
    op.create_index(
        "uq_identities_external",
        "identities",
        ["source", "value"],
        unique=True,
        sqlite_where=sa.text("kind = 'external'"),
        postgresql_where=sa.text("kind = 'external'"),
    )
    op.create_table(
        "assessments",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("enrolment_id", BigId, nullable=False),
        sa.Column("generation", BigId, nullable=False),
        sa.Column("period", BigId, nullable=False),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.Column("model", sa.String(length=128), nullable=False),
        sa.Column("model_version", sa.String(length=64), nullable=False),
        sa.Column("contract_version", BigId, nullable=False),
        sa.Column("policy", sa.String(length=64), nullable=False),
        sa.Column("policy_version", BigId, nullable=False),
        sa.Column("status", sa.String(length=24), nullable=False),
        sa.Column("probability", sa.Double(), nullable=True),
        sa.Column("tier", sa.String(length=64), nullable=True),
        sa.Column("rank", BigId, nullable=False),
        sa.Column("since", BigId, nullable=True),
        sa.Column("trajectory", JsonValue, nullable=False),
        sa.Column("forecast", JsonValue, nullable=False),
        sa.Column("recommendations", JsonValue, nullable=False),
        sa.Column("reasons", JsonValue, nullable=True),
        sa.Column("observed", JsonValue, nullable=False),
        sa.Column("missing", JsonValue, nullable=False),
        sa.Column("reference", sa.String(length=16), nullable=False),
        sa.Column("problems", JsonValue, nullable=False),
        sa.Column("input_digest", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["enrolment_id"], ["enrolments.id"], name=op.f("fk_assessments_enrolment_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assessments")),
    )
    op.create_index("ix_assessments_made_at", "assessments", ["made_at"], unique=False)
    op.create_index(
        "ix_assessments_period", "assessments", ["enrolment_id", "period"], unique=False
    )
    op.create_index(
        "uq_assessments_generation", "assessments", ["enrolment_id", "generation"], unique=True
    )
    op.create_table(
        "outcomes",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("enrolment_id", BigId, nullable=False),
        sa.Column("definition", sa.String(length=64), nullable=False),
        sa.Column("period", BigId, nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("happened_on", sa.Date(), nullable=True),
        sa.Column("known_at", UtcDateTime(), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["enrolment_id"], ["enrolments.id"], name=op.f("fk_outcomes_enrolment_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outcomes")),
    )
    op.create_index(
        "uq_outcomes_definition", "outcomes", ["enrolment_id", "definition", "period"], unique=True
    )
    op.create_table(
        "recorded_values",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("enrolment_id", BigId, nullable=False),
        sa.Column("period", BigId, nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("version", BigId, nullable=False),
        sa.Column("content", JsonValue, nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("import_id", BigId, nullable=True),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.Column("recorded_by", BigId, nullable=True),
        sa.Column("withdrawn_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["enrolment_id"], ["enrolments.id"], name=op.f("fk_recorded_values_enrolment_id")
        ),
        sa.ForeignKeyConstraint(
            ["import_id"], ["imports.id"], name=op.f("fk_recorded_values_import_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recorded_values")),
    )
    op.create_index(
        op.f("ix_recorded_values_import_id"), "recorded_values", ["import_id"], unique=False
    )
    op.create_index(
        "uq_recorded_values_version",
        "recorded_values",
        ["enrolment_id", "period", "source", "version"],
        unique=True,
    )
    op.create_table(
        "scoring_queue",
        sa.Column("enrolment_id", BigId, autoincrement=False, nullable=False),
        sa.Column("contract", sa.String(length=64), nullable=False),
        sa.Column("queued_at", UtcDateTime(), nullable=False),
        sa.Column("not_before", UtcDateTime(), nullable=False),
        sa.Column("lease", sa.String(length=36), nullable=True),
        sa.Column("attempts", BigId, nullable=False),
        sa.ForeignKeyConstraint(
            ["enrolment_id"], ["enrolments.id"], name=op.f("fk_scoring_queue_enrolment_id")
        ),
        sa.PrimaryKeyConstraint("enrolment_id", name=op.f("pk_scoring_queue")),
    )
    op.create_index(
        "ix_scoring_queue_contract_not_before",
        "scoring_queue",
        ["contract", "not_before"],
        unique=False,
    )
    op.create_table(
        "standings",
        sa.Column("enrolment_id", BigId, autoincrement=False, nullable=False),
        sa.Column("tier", sa.String(length=64), nullable=True),
        sa.Column("rank", BigId, nullable=False),
        sa.Column("probability", sa.Double(), nullable=True),
        sa.Column("change", sa.Double(), nullable=True),
        sa.Column("latest_id", BigId, nullable=False),
        sa.Column("previous_id", BigId, nullable=True),
        sa.Column("last_period", BigId, nullable=False),
        sa.ForeignKeyConstraint(
            ["enrolment_id"], ["enrolments.id"], name=op.f("fk_standings_enrolment_id")
        ),
        sa.ForeignKeyConstraint(
            ["latest_id"], ["assessments.id"], name=op.f("fk_standings_latest_id")
        ),
        sa.ForeignKeyConstraint(
            ["previous_id"], ["assessments.id"], name=op.f("fk_standings_previous_id")
        ),
        sa.PrimaryKeyConstraint("enrolment_id", name=op.f("pk_standings")),
    )
    op.create_index("ix_standings_rank", "standings", ["rank", "probability"], unique=False)


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("standings")
    op.drop_table("scoring_queue")
    op.drop_table("recorded_values")
    op.drop_table("outcomes")
    op.drop_table("assessments")
    op.drop_table("identities")
    op.drop_table("enrolments")
    op.drop_table("assignments")
    op.drop_table("students")
    op.drop_table("student_keys")
    op.drop_table("score_switches")
    op.drop_table("imports")
