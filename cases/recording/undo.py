"""Undo an import: its values are withdrawn, and what rested on them is assessed anew."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from cases.errors import NotAllowedError, NotFoundError
from cases.page import Page, cursor_of, position_of
from cases.recording.values import queue
from cases.tables.people import Enrolment
from cases.tables.records import Import, RecordedValue
from database.base import utc_now

_AT_ONCE = 500


def undo_import(session: Session, import_id: int, *, actor: int | None) -> int:
    """Withdraw the values of an import and queue their enrolments; notes and cases stay.

    What an earlier import said of the same periods counts again. Assessments that were made stay
    in the history; new ones follow from the values that are left.

    Returns:
        Enrolments whose values changed.

    Raises:
        NotFoundError: No such import.
        NotAllowedError: It was undone already.
    """
    made = session.get(Import, import_id, with_for_update=True)
    if made is None:
        raise NotFoundError("There is no such import.")
    if made.undone_at is not None:
        raise NotAllowedError("The import was undone already.")
    now = utc_now()
    ids = session.scalars(
        select(RecordedValue.enrolment_id)
        .where(RecordedValue.import_id == import_id)
        .distinct()
        .order_by(RecordedValue.enrolment_id)
    ).all()
    for start in range(0, len(ids), _AT_ONCE):
        locked = session.scalars(
            select(Enrolment)
            .where(Enrolment.id.in_(ids[start : start + _AT_ONCE]))
            .order_by(Enrolment.id)
            .with_for_update()
            .execution_options(populate_existing=True)
        ).all()
        queue(session, locked, now)
    for value in session.scalars(select(RecordedValue).where(RecordedValue.import_id == import_id)):
        value.withdrawn_at = now
    made.undone_at, made.undone_by = now, actor
    session.flush()
    return len(ids)


def imports(session: Session, *, limit: int = 50, after: str | None = None) -> Page[Import]:
    """List imports, the newest first."""
    asked = select(Import).order_by(Import.id.desc()).limit(limit + 1)
    if after is not None:
        asked = asked.where(Import.id < position_of(after, 1)[0])
    rows = list(session.scalars(asked))
    more = cursor_of((rows[limit - 1].id,)) if len(rows) > limit else None
    return Page(rows[:limit], more)
