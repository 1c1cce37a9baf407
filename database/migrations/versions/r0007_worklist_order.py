"""Store what the worklist is ordered by in cases, with indexes in its order."""

import sqlalchemy as sa
from alembic import op

from database.base import UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_OPEN = sa.text("state <> 'closed'")


def upgrade() -> None:
    """Add the columns and indexes."""
    never = sa.text("'1970-01-01 00:00:00.000000'")
    op.add_column(
        "cases", sa.Column("waiting_since", UtcDateTime(), nullable=False, server_default=never)
    )
    op.add_column("cases", sa.Column("change", sa.Double(), nullable=False, server_default="0"))
    op.execute("UPDATE cases SET waiting_since = coalesce(last_contact_at, opened_at)")
    op.create_index(
        "ix_cases_need",
        "cases",
        [sa.text("rank DESC"), sa.text("change DESC"), "waiting_since", "id"],
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    )
    op.create_index(
        "ix_cases_counts",
        "cases",
        ["state", "tier", "owner_id", "due", "snoozed_until", "student_id"],
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    )
    op.drop_index("ix_interventions_state", table_name="interventions")
    op.create_index("ix_interventions_board", "interventions", ["state", "due", "id", "case_id"])


def downgrade() -> None:
    """Drop the columns and indexes."""
    op.drop_index("ix_interventions_board", table_name="interventions")
    op.create_index("ix_interventions_state", "interventions", ["state"])
    op.drop_index("ix_cases_counts", table_name="cases")
    op.drop_index("ix_cases_need", table_name="cases")
    op.drop_column("cases", "change")
    op.drop_column("cases", "waiting_since")
