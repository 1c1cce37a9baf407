"""Saved views of the worklist: named filters that remember which cases entered and left them."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from cases.errors import InvalidError, NotFoundError
from cases.reading.filters import Filters, matching_cases
from cases.scope import Scope
from cases.tables.events import Case
from cases.tables.views import SavedView, ViewMember
from database.base import utc_now


@dataclass(frozen=True, slots=True)
class Stay:
    """A case's stay in a view.

    Attributes:
        left_at: None while it is in the view.
    """

    case_id: int
    student_id: int
    entered_at: datetime
    left_at: datetime | None


@dataclass(frozen=True, slots=True)
class Moved:
    """What a refresh found: cases that entered the view and that left it."""

    entered: list[int]
    left: list[int]


def save_view(
    session: Session, user_id: int, name: str, filters: Filters, *, at: datetime | None = None
) -> SavedView:
    """Save filters under a name; the same name again replaces them and begins a new history.

    Raises:
        InvalidError: The name is empty or too long.
    """
    name = name.strip()
    if not 0 < len(name) <= 100:
        raise InvalidError("A view needs a name of 1 to 100 characters.")
    view = session.scalars(
        select(SavedView).where(SavedView.user_id == user_id, SavedView.name == name)
    ).one_or_none()
    if view is None:
        view = SavedView(user_id=user_id, name=name)
        session.add(view)
    else:
        session.execute(delete(ViewMember).where(ViewMember.view_id == view.id))
    view.filters, view.made_at = filters.to_json(), at or utc_now()
    session.flush()
    return view


def views_of(session: Session, user_id: int) -> list[SavedView]:
    """List a user's views by name."""
    found = select(SavedView).where(SavedView.user_id == user_id).order_by(SavedView.name)
    return list(session.scalars(found))


def delete_view(session: Session, view_id: int, user_id: int) -> None:
    """Delete a view with its history.

    Raises:
        NotFoundError: The user has no such view.
    """
    _own(session, view_id, user_id)
    session.execute(delete(ViewMember).where(ViewMember.view_id == view_id))
    session.execute(delete(SavedView).where(SavedView.id == view_id))


def refresh_view(
    session: Session, view_id: int, user_id: int, scope: Scope, *, at: datetime | None = None
) -> Moved:
    """Record which cases entered and left a view since the last refresh.

    Args:
        session: The caller's transaction.
        view_id: The view.
        user_id: Its owner.
        scope: Students that the owner may see now.
        at: When; now unless given.

    Raises:
        NotFoundError: The user has no such view.
    """
    view, at = _own(session, view_id, user_id), at or utc_now()
    filters = Filters.from_json(view.filters)
    now = set(session.scalars(matching_cases(scope, filters, at.date())))
    current = {
        one.case_id: one
        for one in session.scalars(
            select(ViewMember).where(ViewMember.view_id == view_id, ViewMember.left_at.is_(None))
        )
    }
    left = sorted(current.keys() - now)
    for case_id in left:
        current[case_id].left_at = at
    entered = sorted(now - current.keys())
    session.add_all(
        ViewMember(view_id=view_id, case_id=case_id, entered_at=at, left_at=None)
        for case_id in entered
    )
    session.flush()
    return Moved(entered, left)


def stays(session: Session, view_id: int, user_id: int, scope: Scope) -> list[Stay]:
    """Return the history of a view, the newest first, of students in scope.

    Raises:
        NotFoundError: The user has no such view.
    """
    _own(session, view_id, user_id)
    rows = session.execute(
        select(ViewMember, Case.student_id)
        .join(Case, Case.id == ViewMember.case_id)
        .where(ViewMember.view_id == view_id, scope.covers(Case.student_id))
        .order_by(ViewMember.entered_at.desc(), ViewMember.id.desc())
    )
    return [Stay(one.case_id, student, one.entered_at, one.left_at) for one, student in rows]


def _own(session: Session, view_id: int, user_id: int) -> SavedView:
    view = session.get(SavedView, view_id)
    if view is None or view.user_id != user_id:
        raise NotFoundError("There is no such view.")
    return view
