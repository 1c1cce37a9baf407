"""Delete entries of the audit trail that are older than they have to be kept."""

from datetime import timedelta

from sqlalchemy import delete, func, select, update

from access.audit.tables import AuditEntry, AuditHead, AuditPart
from access.errors import AuditError
from access.operation import Operation

# The EU's AI Act asks for six months at least (Articles 19 and 26).
SHORTEST = timedelta(days=184)


def prune(operation: Operation, keep: timedelta) -> int:
    """Delete the oldest entries. What is left still verifies: the head holds the hash that it follows from.

    Export them first where they have to be kept elsewhere.

    Args:
        operation: By whom and when.
        keep: Age from which entries are deleted.

    Returns:
        How many were deleted.

    Raises:
        AuditError: The age is less than 184 days.
    """
    if keep < SHORTEST:
        raise AuditError(f"Entries are kept for {SHORTEST.days} days at least.")
    session = operation.session
    first_kept = session.scalar(
        select(func.min(AuditEntry.seq)).where(AuditEntry.at > operation.at - keep)
    )
    asked = select(AuditEntry.seq, AuditEntry.hash).order_by(AuditEntry.seq.desc()).limit(1)
    if first_kept is not None:
        asked = asked.where(AuditEntry.seq < first_kept)
    last = session.execute(asked).one_or_none()
    if last is None:
        return 0
    # The triggers let go of what lies before this.
    session.execute(update(AuditHead).values(pruned_seq=last.seq, pruned_hash=last.hash))
    session.execute(delete(AuditPart).where(AuditPart.seq <= last.seq))
    deleted = session.scalars(
        delete(AuditEntry).where(AuditEntry.seq <= last.seq).returning(AuditEntry.seq)
    ).all()
    operation.record("audit.pruned", upto=last.seq, entries=len(deleted))
    return len(deleted)
