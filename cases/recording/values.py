"""Recorded values in force, merged over sources, and the queue of enrolments to be scored."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cases.tables.people import Enrolment, EnrolmentStatus, Student
from cases.tables.records import QueuedScore, RecordedValue

_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class NewestVersion:
    """The newest version of a period of one source.

    Attributes:
        is_in_force: Whether it was not withdrawn.
    """

    version: int
    digest: str
    is_in_force: bool


def newest_versions(
    session: Session, enrolment_ids: Sequence[int], source: str
) -> dict[tuple[int, int], NewestVersion]:
    """Return by (enrolment, period) the version in force, with the highest version number used."""
    found: dict[tuple[int, int], NewestVersion] = {}
    for start in range(0, len(enrolment_ids), _AT_ONCE):
        asked = (
            select(
                RecordedValue.enrolment_id,
                RecordedValue.period,
                RecordedValue.version,
                RecordedValue.digest,
                RecordedValue.withdrawn_at,
            )
            .where(
                RecordedValue.enrolment_id.in_(enrolment_ids[start : start + _AT_ONCE]),
                RecordedValue.source == source,
            )
            .order_by(RecordedValue.version)
        )
        for enrolment_id, period, version, digest, withdrawn_at in session.execute(asked):
            before = found.get((enrolment_id, period))
            if withdrawn_at is None:
                found[enrolment_id, period] = NewestVersion(version, digest, is_in_force=True)
            elif before is None or not before.is_in_force:
                found[enrolment_id, period] = NewestVersion(version, digest, is_in_force=False)
            else:
                # What was in force before the withdrawn version is so again.
                found[enrolment_id, period] = NewestVersion(
                    version, before.digest, is_in_force=True
                )
    return found


def histories(
    session: Session, enrolment_ids: Sequence[int]
) -> dict[int, dict[int, dict[str, Any]]]:
    """Return enrolment -> period -> values in force.

    Of each source the newest version that was not withdrawn counts. Over sources each feature takes
    the value recorded last; a missing value never hides another source's.
    """
    newest = (
        select(
            RecordedValue.enrolment_id,
            RecordedValue.period,
            RecordedValue.source,
            func.max(RecordedValue.version).label("version"),
        )
        .where(RecordedValue.enrolment_id.in_(enrolment_ids), RecordedValue.withdrawn_at.is_(None))
        .group_by(RecordedValue.enrolment_id, RecordedValue.period, RecordedValue.source)
        .subquery()
    )
    asked = (
        select(RecordedValue.enrolment_id, RecordedValue.period, RecordedValue.content)
        .join(
            newest,
            (RecordedValue.enrolment_id == newest.c.enrolment_id)
            & (RecordedValue.period == newest.c.period)
            & (RecordedValue.source == newest.c.source)
            & (RecordedValue.version == newest.c.version),
        )
        .order_by(RecordedValue.enrolment_id, RecordedValue.period, RecordedValue.id)
    )
    found: dict[int, dict[int, dict[str, Any]]] = {}
    for enrolment_id, period, content in session.execute(asked):
        merged = found.setdefault(enrolment_id, {}).setdefault(period, {})
        for name, value in content.items():
            if value is not None or name not in merged:
                merged[name] = value
    return found


def queue(session: Session, enrolments: Iterable[Enrolment], at: datetime) -> None:
    """Queue enrolments whose values changed; a new generation makes older answers stale.

    Enrolments that are suspended or left, and those of students who object, are not queued: their
    values are stored, and scored when they come back.
    """
    changed = list(enrolments)
    ids = [one.id for one in changed]
    waiting: dict[int, QueuedScore] = {}
    objecting: set[int] = set()
    for start in range(0, len(ids), _AT_ONCE):
        chunk = ids[start : start + _AT_ONCE]
        rows = session.scalars(
            select(QueuedScore).where(QueuedScore.enrolment_id.in_(chunk)).with_for_update()
        )
        waiting.update({one.enrolment_id: one for one in rows})
        objecting.update(
            session.scalars(
                select(Enrolment.id)
                .join(Student, Student.id == Enrolment.student_id)
                .where(Enrolment.id.in_(chunk), Student.objected_at.is_not(None))
            )
        )
    for enrolment in changed:
        enrolment.generation += 1
        if enrolment.status != EnrolmentStatus.ACTIVE or enrolment.id in objecting:
            continue
        if (row := waiting.get(enrolment.id)) is None:
            row = QueuedScore(enrolment_id=enrolment.id, contract=enrolment.contract, queued_at=at)
            session.add(row)
        # What a worker has leased is stale now; the next worker takes the new values.
        row.not_before, row.lease, row.attempts = at, None, 0
