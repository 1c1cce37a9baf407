"""Create the references of relative features that are learnt from recorded values."""

import sqlalchemy as sa
from alembic import op

from database.base import BigId, JsonValue, UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "recorded_references",
        sa.Column("contract", sa.String(length=64), nullable=False),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.Column("enrolments", BigId, nullable=False),
        sa.Column("content", JsonValue, nullable=False),
        sa.PrimaryKeyConstraint("contract", name=op.f("pk_recorded_references")),
    )


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("recorded_references")
