"""What people write and say: notes, feedback, overrides, messages."""

from datetime import date, datetime

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from database.base import Base, RowId


class Note(Base):
    """A note about a student; imports never touch it.

    Attributes:
        happened_on: The day that it is about, which may lie before `made_at`.
        contact: How contact was made (`call`, `mail`, `meeting`, …); None where it was none.
        is_draft: Seen by its author only.
        restricted_by: Who restricted it; None where it is open to all who may see the student.
        revision: Number of the newest revision.
    """

    __tablename__ = "notes"
    __table_args__ = (Index("ix_notes_student", "student_id", "happened_on"),)
    id: Mapped[RowId]
    student_id: Mapped[int] = mapped_column(ForeignKey("students.id"))
    case_id: Mapped[int | None]
    author_id: Mapped[int]
    made_at: Mapped[datetime]
    happened_on: Mapped[date]
    contact: Mapped[str | None] = mapped_column(String(16))
    is_draft: Mapped[bool]
    restricted_by: Mapped[int | None]
    revision: Mapped[int]


class NoteRevision(Base):
    """One wording of a note, sealed under the student's key."""

    __tablename__ = "note_revisions"
    note_id: Mapped[int] = mapped_column(ForeignKey("notes.id"), primary_key=True)
    revision: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    author_id: Mapped[int]
    sealed: Mapped[bytes]


class Feedback(Base):
    """One person's verdict on one recommendation or assessment; the newest one counts.

    Attributes:
        rule: Rule of the recommendation; None for the assessment as a whole.
        verdict: `helped`, `not_fitting`, `already_done` or `wrong_data`.
    """

    __tablename__ = "feedback"
    id: Mapped[RowId]
    student_id: Mapped[int] = mapped_column(ForeignKey("students.id"), index=True)
    assessment_id: Mapped[int] = mapped_column(ForeignKey("assessments.id"), index=True)
    rule: Mapped[str | None] = mapped_column(String(64))
    verdict: Mapped[str] = mapped_column(String(16))
    given_by: Mapped[int]
    given_at: Mapped[datetime]


class Override(Base):
    """A person's own tier for an enrolment, or a known reason, until a day. Models never see it.

    Attributes:
        tier: Shown instead of the estimate's; None where only a reason is recorded.
        reason: Sealed words.
        expires_on: Last day.
    """

    __tablename__ = "overrides"
    id: Mapped[RowId]
    student_id: Mapped[int] = mapped_column(ForeignKey("students.id"), index=True)
    enrolment_id: Mapped[int] = mapped_column(ForeignKey("enrolments.id"), index=True)
    tier: Mapped[str | None] = mapped_column(String(64))
    reason: Mapped[bytes]
    set_by: Mapped[int]
    set_at: Mapped[datetime]
    expires_on: Mapped[date]
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[int | None]


class Message(Base):
    """A message to a student, or about them; who got what, and when.

    Attributes:
        recipient: `student`, or `user:<id>`.
        sealed: Subject and body under the student's key.
        state: `queued`, `sent`, `failed` or `held` (quiet hours, weekly cap).
    """

    __tablename__ = "messages"
    __table_args__ = (Index("ix_messages_state", "state", "queued_at"),)
    id: Mapped[RowId]
    student_id: Mapped[int] = mapped_column(ForeignKey("students.id"), index=True)
    case_id: Mapped[int | None]
    recipient: Mapped[str] = mapped_column(String(32))
    channel: Mapped[str] = mapped_column(String(16))
    template: Mapped[str | None] = mapped_column(String(64))
    sealed: Mapped[bytes]
    written_by: Mapped[int | None]
    queued_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    state: Mapped[str] = mapped_column(String(16))
