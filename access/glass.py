"""Break-glass: open one student for a short time without being assigned, with a reason that auditors read."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from access.errors import AccessError, ForbiddenError
from access.operation import Operation
from access.roles import Action, permits
from access.tables import BrokenGlass, User
from database.keys import KeyRing

LASTS = timedelta(hours=1)
SHORTEST_REASON = 15
LONGEST_REASON = 500


@dataclass(frozen=True)
class Opening:
    """A student whom somebody opened by break-glass.

    Attributes:
        user_id: The person.
        name: Name of the person.
        student_id: The student.
        reason: As given.
        opened_at: From when.
        ends_at: Until when.
    """

    user_id: int
    name: str
    student_id: int
    reason: str
    opened_at: datetime
    ends_at: datetime


def break_glass(operation: Operation, student_id: int, reason: str) -> datetime:
    """Let the person who acts read one student for an hour.

    Args:
        operation: By whom and when.
        student_id: The student.
        reason: Why, in 15 to 500 characters. It is sealed under the student's key.

    Returns:
        When it ends.

    Raises:
        ForbiddenError: The person's roles do not allow it.
        AccessError: The reason is too short or too long, or there is no such student.
    """
    by = operation.by
    if by.user_id is None or not permits(by, Action.BREAK_GLASS):
        raise ForbiddenError("Your roles do not allow you to open a student who is not yours.")
    written = " ".join(reason.split())
    if not SHORTEST_REASON <= len(written) <= LONGEST_REASON:
        raise AccessError(
            f"Give a reason of {SHORTEST_REASON} to {LONGEST_REASON} characters; auditors read it."
        )
    keys = KeyRing(operation.session)
    if not keys.has(student_id):
        raise AccessError("There is no such student.")
    ends_at = operation.at + LASTS
    operation.session.add(
        BrokenGlass(
            user_id=by.user_id,
            student_id=student_id,
            reason_sealed=keys.seal(student_id, written),
            opened_at=operation.at,
            ends_at=ends_at,
        )
    )
    operation.record("student.glass_broken", about={student_id: {"reason": written}})
    return ends_at


def list_openings(session: Session, since: datetime) -> Sequence[Opening]:
    """List who opened whom since a moment, the newest first."""
    rows = session.execute(
        select(BrokenGlass, User.name)
        .join(User, User.id == BrokenGlass.user_id)
        .where(BrokenGlass.opened_at >= since)
        .order_by(BrokenGlass.opened_at.desc(), BrokenGlass.id.desc())
    ).all()
    keys = KeyRing(session)
    keys.load(row.student_id for row, _ in rows)
    return [
        Opening(
            user_id=row.user_id,
            name=name,
            student_id=row.student_id,
            reason=str(keys.open(row.student_id, row.reason_sealed) or ""),
            opened_at=row.opened_at,
            ends_at=row.ends_at,
        )
        for row, name in rows
    ]
