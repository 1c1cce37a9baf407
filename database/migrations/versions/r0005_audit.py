"""Create the audit trail, whose entries can only be added."""

import sqlalchemy as sa
from alembic import op

from database.base import BigId, UtcDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# Entries up to `pruned_seq` may be deleted when they are older than the retention period; nothing is ever changed.
_SQLITE = (
    """
    CREATE TRIGGER {table}_no_change BEFORE UPDATE ON {table}
    BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END
    """,
    """
    CREATE TRIGGER {table}_no_deletion BEFORE DELETE ON {table}
    WHEN OLD.seq > (SELECT pruned_seq FROM audit_head)
    BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END
    """,
)
_POSTGRESQL = (
    """
    CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table}
    FOR EACH ROW EXECUTE FUNCTION refuse_audit_change()
    """,
    """
    CREATE TRIGGER {table}_no_truncation BEFORE TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change()
    """,
)
_POSTGRESQL_FUNCTION = """
    CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'DELETE' THEN
            IF OLD.seq <= (SELECT pruned_seq FROM audit_head) THEN
                RETURN OLD;
            END IF;
        END IF;
        RAISE EXCEPTION 'the audit trail is append-only';
    END $$
    """


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "audit_entries",
        sa.Column("seq", BigId, autoincrement=False, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("actor_kind", sa.String(length=16), nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("seal", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit_entries")),
    )
    op.create_index(
        op.f("ix_audit_entries_actor_seq"), "audit_entries", ["actor", "seq"], unique=False
    )
    op.create_index(op.f("ix_audit_entries_at"), "audit_entries", ["at"], unique=False)
    head = op.create_table(
        "audit_head",
        sa.Column("id", BigId, autoincrement=False, nullable=False),
        sa.Column("seq", BigId, nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("pruned_seq", BigId, nullable=False),
        sa.Column("pruned_hash", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_head")),
    )
    op.create_table(
        "audit_subjects",
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("student_id", BigId, nullable=False),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_audit_subjects")),
        sa.UniqueConstraint("student_id", name=op.f("uq_audit_subjects_student_id")),
    )
    op.create_table(
        "audit_parts",
        sa.Column("seq", BigId, autoincrement=False, nullable=False),
        sa.Column("place", BigId, autoincrement=False, nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["seq"], ["audit_entries.seq"], name=op.f("fk_audit_parts_seq")),
        sa.PrimaryKeyConstraint("seq", "place", name=op.f("pk_audit_parts")),
    )
    op.create_index(
        op.f("ix_audit_parts_subject_seq"), "audit_parts", ["subject", "seq"], unique=False
    )
    op.bulk_insert(
        head, [{"id": 1, "seq": 0, "hash": bytes(32), "pruned_seq": 0, "pruned_hash": bytes(32)}]
    )
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    if not is_sqlite:
        op.execute(_POSTGRESQL_FUNCTION)
    for table in ("audit_entries", "audit_parts"):
        for statement in _SQLITE if is_sqlite else _POSTGRESQL:
            op.execute(statement.format(table=table))


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("audit_parts")
    op.drop_table("audit_subjects")
    op.drop_table("audit_head")
    op.drop_table("audit_entries")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION refuse_audit_change")
