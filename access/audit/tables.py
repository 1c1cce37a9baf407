"""Tables of the audit trail.

Entries and parts are only ever added; triggers of the database refuse the rest. What leads from an entry to a
student is one row of `audit_subjects`, and what an entry tells about the student is sealed under the student's key.
Erasure destroys the key, and the row goes with it; entries and parts stay as they are, so the chain still verifies.
"""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from database.base import Base, BigId
from database.keys import StudentKey


class AuditEntry(Base):
    """One thing that somebody did or saw.

    Attributes:
        seq: Number from 1, without gaps.
        actor_kind: See `access.roles.Kind`.
        actor: Identifier of the user or token, or the name of the command.
        action: What was done, such as `student.viewed`.
        details: JSON object with sorted keys. It never tells anything about a student.
        hash: SHA-256 over the hash before it and everything in this entry and its parts.
        seal: HMAC of the hash under the desk's key, which a copy of the database does not hold.
    """

    __tablename__ = "audit_entries"
    __table_args__ = (Index(None, "at"), Index(None, "actor", "seq"))

    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    actor_kind: Mapped[str] = mapped_column(String(16))
    actor: Mapped[str] = mapped_column(String(64))
    action: Mapped[str] = mapped_column(String(64))
    details: Mapped[str] = mapped_column(Text)
    hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    seal: Mapped[bytes] = mapped_column(LargeBinary(32))


class AuditPart(Base):
    """One of the students whom an entry concerns.

    Attributes:
        seq: The entry.
        place: Position among the entry's students, from 0.
        subject: Keyed digest of the student, as hex.
        sealed: What the entry tells about the student, encrypted; None where that is nothing.
    """

    __tablename__ = "audit_parts"
    __table_args__ = (Index(None, "subject", "seq"),)

    seq: Mapped[int] = mapped_column(
        ForeignKey("audit_entries.seq"), primary_key=True, autoincrement=False
    )
    place: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    subject: Mapped[str] = mapped_column(String(64))
    sealed: Mapped[bytes | None]


class AuditSubject(Base):
    """Whom a subject's digest stands for, until the student is erased."""

    __tablename__ = "audit_subjects"

    subject: Mapped[str] = mapped_column(String(64), primary_key=True)
    student_id: Mapped[int] = mapped_column(
        BigId, ForeignKey(StudentKey.student_id, ondelete="CASCADE"), unique=True
    )


class AuditHead(Base):
    """Where the chain ends and, since old entries are deleted in time, where it begins.

    Attributes:
        id: Always 1.
        seq: Number of the last entry; 0 before the first.
        hash: Its hash; 32 zero bytes before the first.
        pruned_seq: Number of the last entry that was deleted; 0 where none was.
        pruned_hash: Its hash.
    """

    __tablename__ = "audit_head"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    seq: Mapped[int]
    hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    pruned_seq: Mapped[int]
    pruned_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
