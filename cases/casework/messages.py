"""The log of messages: who got what, and when. Sending is the desk's work."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cases.errors import InvalidError, NotFoundError
from cases.scope import Scope
from cases.tables.notes import Message
from cases.tables.people import Student
from database.base import utc_now
from database.keys import KeyRing


class MessageState(StrEnum):
    """Where a message is."""

    QUEUED = "queued"
    SENT = "sent"
    FAILED = "failed"
    HELD = "held"


@dataclass(frozen=True, slots=True)
class MessageView:
    """A message with its words opened."""

    message_id: int
    student_id: int
    case_id: int | None
    recipient: str
    channel: str
    template: str | None
    subject: str
    body: str
    written_by: int | None
    queued_at: datetime
    sent_at: datetime | None
    state: str


def queue_message(
    session: Session,
    student_id: int,
    *,
    recipient: str,
    channel: str,
    subject: str,
    body: str,
    actor: int | None,
    case_id: int | None = None,
    template: str | None = None,
    held: bool = False,
) -> Message:
    """Queue a message about a student.

    Args:
        session: The caller's transaction.
        student_id: Whom it is about.
        recipient: `student`, or `user:<number>`.
        channel: Such as `email`.
        subject: Sealed with the body.
        body: At most 20,000 characters.
        actor: Who wrote it; None for the desk itself.
        case_id: Case that it belongs to.
        template: Policy rule or template that the words come from.
        held: Whether quiet hours or a cap hold it back.

    Raises:
        NotFoundError: No such student.
        InvalidError: No words, or too many.
    """
    student = session.get(Student, student_id)
    if student is None or student.erased_at is not None:
        raise NotFoundError("There is no such student.")
    if not body.strip() or len(body) > 20_000 or len(subject) > 200:
        raise InvalidError("A message needs words: at most 20,000, and 200 in the subject.")
    message = Message(
        student_id=student_id,
        case_id=case_id,
        recipient=recipient,
        channel=channel,
        template=template,
        sealed=KeyRing(session).seal(student_id, {"subject": subject, "body": body}),
        written_by=actor,
        queued_at=utc_now(),
        sent_at=None,
        state=MessageState.HELD if held else MessageState.QUEUED,
    )
    session.add(message)
    session.flush()
    return message


def waiting_messages(session: Session, *, limit: int = 100) -> list[MessageView]:
    """Return messages to be sent, the oldest first, locked for this transaction."""
    rows = session.scalars(
        select(Message)
        .where(Message.state == MessageState.QUEUED)
        .order_by(Message.queued_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    return _views(session, list(rows))


def set_message_state(session: Session, message_id: int, state: MessageState) -> None:
    """Record that a message was sent, failed, is held back, or is to be sent after all.

    Raises:
        NotFoundError: No such message.
    """
    message = session.get(Message, message_id)
    if message is None:
        raise NotFoundError("There is no such message.")
    message.state = state
    if state is MessageState.SENT:
        message.sent_at = utc_now()


def messages(session: Session, scope: Scope, student_id: int) -> list[MessageView]:
    """List the messages about a student, the newest first."""
    rows = session.scalars(
        select(Message)
        .where(Message.student_id == student_id, scope.covers(Message.student_id))
        .order_by(Message.id.desc())
    ).all()
    return _views(session, list(rows))


def sent_since(session: Session, student_id: int, moment: datetime) -> int:
    """Count the messages to a student that were queued or sent since a moment: for the cap."""
    return session.scalars(
        select(func.count())
        .select_from(Message)
        .where(
            Message.student_id == student_id,
            Message.recipient == "student",
            Message.state.in_((MessageState.QUEUED, MessageState.SENT)),
            Message.queued_at >= moment,
        )
    ).one()


def _views(session: Session, rows: list[Message]) -> list[MessageView]:
    ring = KeyRing(session)
    ring.load(row.student_id for row in rows)
    found = []
    for row in rows:
        words = ring.open(row.student_id, row.sealed) or {"subject": "", "body": ""}
        found.append(
            MessageView(
                message_id=row.id,
                student_id=row.student_id,
                case_id=row.case_id,
                recipient=row.recipient,
                channel=row.channel,
                template=row.template,
                subject=words["subject"],
                body=words["body"],
                written_by=row.written_by,
                queued_at=row.queued_at,
                sent_at=row.sent_at,
                state=row.state,
            )
        )
    return found
