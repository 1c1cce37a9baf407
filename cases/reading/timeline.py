"""What happened about a student on one time axis: estimates, contacts, interventions, notes."""

from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any

from sqlalchemy.orm import Session

from cases.casework.messages import messages
from cases.casework.notes import notes
from cases.reading.student import events, history
from cases.scope import Scope


@dataclass(frozen=True, slots=True)
class TimelineItem:
    """One thing that happened.

    Attributes:
        kind: `assessment`, `note`, `message`, or the kind of a case's event.
        period: Of an assessment.
        detail: By kind: figures of an assessment, payload of an event, text of a note.
    """

    at: datetime
    kind: str
    actor_id: int | None
    period: int | None
    case_id: int | None
    detail: dict[str, Any]


def timeline(
    session: Session,
    scope: Scope,
    student_id: int,
    *,
    enrolments: list[int],
    reader: int,
    restricted: bool = False,
) -> list[TimelineItem]:
    """Return what happened, the oldest first.

    Args:
        session: The caller's transaction.
        scope: Students that the reader may see.
        student_id: Whose.
        enrolments: Enrolments whose assessments are shown.
        reader: Sees their own drafts.
        restricted: Whether the reader may open restricted notes of others.
    """
    found = [
        TimelineItem(
            at=one.made_at,
            kind="assessment",
            actor_id=None,
            period=one.period,
            case_id=None,
            detail={
                "enrolment_id": enrolment_id,
                "assessment_id": one.id,
                "probability": one.probability,
                "tier": one.tier,
                "status": one.status,
                "model_version": one.model_version,
            },
        )
        for enrolment_id in enrolments
        for one in history(session, scope, enrolment_id)
    ]
    found += [
        TimelineItem(
            at=one.at,
            kind=one.kind,
            actor_id=one.actor_id,
            period=one.payload.get("period"),
            case_id=one.case_id,
            detail=one.payload,
        )
        for one in events(session, scope, student_id=student_id)
    ]
    listed = notes(session, scope, student_id, reader=reader, restricted=restricted)
    found += [
        TimelineItem(
            at=datetime.combine(one.happened_on, time(12), UTC),
            kind="note",
            actor_id=one.author_id,
            period=None,
            case_id=one.case_id,
            detail={"note_id": one.note_id, "text": one.text, "contact": one.contact},
        )
        for one in listed.notes
    ]
    found += [
        TimelineItem(
            at=one.sent_at or one.queued_at,
            kind="message",
            actor_id=one.written_by,
            period=None,
            case_id=one.case_id,
            detail={"subject": one.subject, "state": one.state, "recipient": one.recipient},
        )
        for one in messages(session, scope, student_id)
    ]
    return sorted(found, key=lambda item: item.at)
