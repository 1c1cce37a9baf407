"""Write the audit trail."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Row, insert, select, update
from sqlalchemy.orm import Session

from access.audit.chain import Detail, Link, canonical, chain, digest_sealed, seal
from access.audit.tables import AuditEntry, AuditHead, AuditPart, AuditSubject
from access.roles import Kind
from database.keys import KeyRing

_PURPOSE = "audit"


@dataclass(frozen=True)
class Entry:
    """Something to be recorded.

    Attributes:
        at: Moment.
        actor_kind: A person, token, or the desk itself.
        actor: Identifier of the user or token, or the command's name.
        action: What was done, such as `student.viewed`.
        details: Facts that tell nothing about a student.
        students: By id, the students whom it concerns; with each, facts about the student, which are sealed
            under the student's key, or nothing.
    """

    at: datetime
    actor_kind: Kind
    actor: str
    action: str
    details: Mapping[str, Detail] = field(default_factory=dict)
    students: Mapping[int, Mapping[str, Detail]] = field(default_factory=dict)


def append(session: Session, key: bytes, entries: Sequence[Entry]) -> None:
    """Add entries at the end of the chain.

    The head of the chain stays locked until the transaction ends, so this comes last in it.

    Args:
        session: In a transaction that writes.
        key: Seals the entries.
        entries: In order.

    Raises:
        KeyError: A student of an entry has no key: erased, or not a student.
    """
    if not entries:
        return
    head = _lock_head(session, len(entries))
    before, previous = head.seq - len(entries), head.hash
    keys = KeyRing(session)
    keys.load(one for entry in entries for one, about in entry.students.items() if about)
    subjects = _subjects(session, keys, [one for entry in entries for one in entry.students])
    rows, parts = [], []
    for seq, entry in enumerate(entries, before + 1):
        sealed = {
            subjects[one]: keys.seal(one, dict(about)) if about else None
            for one, about in entry.students.items()
        }
        link = Link(
            seq=seq,
            at=entry.at,
            actor_kind=entry.actor_kind,
            actor=entry.actor,
            action=entry.action,
            details=canonical(entry.details),
            parts=tuple((subject, digest_sealed(part)) for subject, part in sealed.items()),
        )
        previous = chain(previous, link)
        rows.append(_row(link) | {"hash": previous, "seal": seal(key, previous)})
        parts += [
            {"seq": seq, "place": place, "subject": subject, "sealed": part}
            for place, (subject, part) in enumerate(sealed.items())
        ]
    session.execute(insert(AuditEntry), rows)
    if parts:
        session.execute(insert(AuditPart), parts)
    session.execute(update(AuditHead).values(hash=previous))


def subject_of(session: Session, student_id: int) -> str | None:
    """Find the digest under which the trail holds a student; None where it does not, or no longer."""
    return session.scalar(select(AuditSubject.subject).where(AuditSubject.student_id == student_id))


def _lock_head(session: Session, count: int) -> Row[int, bytes]:
    """Move the head on by `count` entries: other transactions that append wait from here on."""
    moved = update(AuditHead).values(seq=AuditHead.seq + count)
    return session.execute(moved.returning(AuditHead.seq, AuditHead.hash)).one()


def _subjects(session: Session, keys: KeyRing, students: Iterable[int]) -> dict[int, str]:
    """Give each student's digest; those that the trail meets for the first time are added."""
    asked = sorted(set(students))
    if not asked:
        return {}
    known: dict[int, str] = {}
    for start in range(0, len(asked), 500):
        chosen = AuditSubject.student_id.in_(asked[start : start + 500])
        found = select(AuditSubject.student_id, AuditSubject.subject).where(chosen)
        known.update(dict(session.execute(found).all()))
    new = [student for student in asked if student not in known]
    if new:
        keys.load(new)
        for student in new:
            subject = keys.digest(student, _PURPOSE)
            if subject is None:
                raise KeyError(f"student {student} has no key")
            known[student] = subject
        session.execute(
            insert(AuditSubject),
            [{"subject": known[student], "student_id": student} for student in new],
        )
    return known


def _row(link: Link) -> dict[str, object]:
    return {
        "seq": link.seq,
        "at": link.at,
        "actor_kind": link.actor_kind,
        "actor": link.actor,
        "action": link.action,
        "details": link.details,
    }
