"""Everything about one student as JSON: what a person may ask to see."""

from dataclasses import asdict
from datetime import date, datetime
from typing import Any

from sqlalchemy import inspect, select
from sqlalchemy.orm import Session

from cases.casework.messages import messages
from cases.casework.notes import notes
from cases.reading.student import events, history, recorded, student_detail
from cases.scope import Scope
from cases.tables.events import Decision
from cases.tables.notes import Feedback


def export_student(
    session: Session, scope: Scope, student_id: int, *, reader: int, restricted: bool = False
) -> dict[str, Any] | None:
    """Return all that is stored about a student; None outside the scope.

    Args:
        session: The caller's transaction.
        scope: Students that the reader may see.
        student_id: Whose.
        reader: Own drafts are in it.
        restricted: Whether restricted notes are, too; otherwise their number is.
    """
    detail = student_detail(session, scope, student_id)
    if detail is None:
        return None
    listed = notes(session, scope, student_id, reader=reader, restricted=restricted)
    decisions = session.scalars(select(Decision).where(Decision.student_id == student_id))
    feedback = session.scalars(select(Feedback).where(Feedback.student_id == student_id))
    content = {
        "student": _row(detail.student),
        "name": detail.name,
        "external": detail.external,
        "email": detail.email,
        "enrolments": [
            {
                **_row(one.enrolment),
                "recorded": [
                    asdict(values) for values in recorded(session, scope, one.enrolment.id)
                ],
                "assessments": [_row(made) for made in history(session, scope, one.enrolment.id)],
                "outcomes": [_row(outcome) for outcome in one.outcomes],
            }
            for one in detail.enrolments
        ],
        "assigned": [_row(one) for one in detail.assigned],
        "cases": [
            {**_row(one.case), "interventions": [_row(step) for step in one.interventions]}
            for one in detail.cases
        ],
        "events": [asdict(one) for one in events(session, scope, student_id=student_id)],
        "notes": [asdict(one) for one in listed.notes],
        "restricted_notes_left_out": listed.hidden_restricted,
        "overrides": [asdict(one) for one in detail.overrides],
        "messages": [asdict(one) for one in messages(session, scope, student_id)],
        "decisions": [_row(one) for one in decisions],
        "feedback": [_row(one) for one in feedback],
    }
    return {key: _plain(value) for key, value in content.items()}


def _row(row: Any) -> dict[str, Any]:
    return {one.key: getattr(row, one.key) for one in inspect(type(row)).column_attrs}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return value.isoformat() if isinstance(value, date | datetime) else value
