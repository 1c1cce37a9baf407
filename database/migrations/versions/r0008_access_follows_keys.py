"""Let rows of access that lead to a student go with the student's key."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_TABLES = ("audit_subjects", "broken_glass", "student_links")


def upgrade() -> None:
    """Add the foreign keys."""
    for table in _TABLES:
        with op.batch_alter_table(table) as batch:
            batch.create_foreign_key(
                op.f(f"fk_{table}_student_id"),
                "student_keys",
                ["student_id"],
                ["student_id"],
                ondelete="CASCADE",
            )


def downgrade() -> None:
    """Drop the foreign keys."""
    for table in _TABLES:
        with op.batch_alter_table(table) as batch:
            batch.drop_constraint(op.f(f"fk_{table}_student_id"), type_="foreignkey")
