"""Read the audit trail for people: newest first, by actor, action or student."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from access.audit.tables import AuditEntry, AuditPart, AuditSubject
from database.keys import KeyRing


@dataclass(frozen=True)
class Concerned:
    """A student whom an entry concerns.

    Attributes:
        student_id: The student; None where the student was erased.
        about: What the entry tells about the student; empty where that is nothing, or the student was erased.
    """

    student_id: int | None
    about: Mapping[str, Any]


@dataclass(frozen=True)
class Shown:
    """An entry of the trail.

    Attributes:
        seq: Number of the entry.
        at: Moment.
        actor_kind: See `access.roles.Kind`.
        actor: Identifier of the user or token, or the name of the command.
        action: What was done.
        details: Facts that tell nothing about a student.
        students: Whom it concerns.
    """

    seq: int
    at: datetime
    actor_kind: str
    actor: str
    action: str
    details: Mapping[str, Any]
    students: tuple[Concerned, ...]


@dataclass(frozen=True)
class Chosen:
    """Which entries are asked for; None asks for all.

    Attributes:
        actor: Identifier of a user or token.
        action: Such as `student.viewed`.
        student_id: A student whom the entries concern.
        since: First moment.
        until: First moment that no longer belongs to it.
        before: Entries with smaller numbers only: where the last page ended.
    """

    actor: str | None = None
    action: str | None = None
    student_id: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    before: int | None = None


def list_entries(session: Session, chosen: Chosen, limit: int = 100) -> list[Shown]:
    """List entries, the newest first, in at most four queries.

    Args:
        session: Reads.
        chosen: Which entries.
        limit: How many at most.
    """
    asked = select(AuditEntry).where(*_conditions(chosen))
    newest_first = asked.order_by(AuditEntry.seq.desc()).limit(limit)
    entries = session.scalars(newest_first).all()
    students = _concerned(session, [entry.seq for entry in entries])
    return [
        Shown(
            seq=entry.seq,
            at=entry.at,
            actor_kind=entry.actor_kind,
            actor=entry.actor,
            action=entry.action,
            details=json.loads(entry.details),
            students=tuple(students.get(entry.seq, ())),
        )
        for entry in entries
    ]


def _conditions(chosen: Chosen) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if chosen.actor is not None:
        found.append(AuditEntry.actor == chosen.actor)
    if chosen.action is not None:
        found.append(AuditEntry.action == chosen.action)
    if chosen.since is not None:
        found.append(AuditEntry.at >= chosen.since)
    if chosen.until is not None:
        found.append(AuditEntry.at < chosen.until)
    if chosen.before is not None:
        found.append(AuditEntry.seq < chosen.before)
    if chosen.student_id is not None:
        of_student = (
            select(AuditPart.seq)
            .join(AuditSubject, AuditSubject.subject == AuditPart.subject)
            .where(AuditSubject.student_id == chosen.student_id)
        )
        found.append(AuditEntry.seq.in_(of_student))
    return found


def _concerned(session: Session, numbers: Sequence[int]) -> dict[int, list[Concerned]]:
    """Read whom entries concern, and open what is sealed."""
    if not numbers:
        return {}
    rows = session.execute(
        select(AuditPart.seq, AuditSubject.student_id, AuditPart.sealed)
        .outerjoin(AuditSubject, AuditSubject.subject == AuditPart.subject)
        .where(AuditPart.seq.in_(numbers))
        .order_by(AuditPart.seq, AuditPart.place)
    ).all()
    keys = KeyRing(session)
    keys.load(student for _, student, sealed in rows if student is not None and sealed is not None)
    found: dict[int, list[Concerned]] = {}
    for seq, student, sealed in rows:
        about = None if student is None or sealed is None else keys.open(student, sealed)
        found.setdefault(seq, []).append(Concerned(student, about or {}))
    return found
