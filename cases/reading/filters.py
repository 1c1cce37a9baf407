"""Filters of the worklist, as values for URLs and saved views, and as conditions in SQL."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from datetime import date
from typing import Any, Self

from sqlalchemy import ColumnElement, Select, literal_column, or_, select

from cases.casework.states import CaseState
from cases.errors import InvalidError
from cases.reading.students import matches_text
from cases.scope import Scope, assigned_to
from cases.tables.events import Case
from cases.tables.people import Enrolment


@dataclass(frozen=True, slots=True)
class Filters:
    """Which cases to list; empty filters list all open ones that are not snoozed.

    Attributes:
        owner: User who owns the case.
        unowned: Only cases without an owner.
        assigned: User to whom the student is assigned.
        states: Only these states.
        tiers: Only these tiers.
        programmes: Only students of these programmes.
        contract: Only cases of enrolments under it.
        text: Prefix of a word of the name, or of an external id.
        overdue: Only cases whose due day has passed.
        snoozed: Snoozed cases instead of the others.
        closed: Closed cases instead of open ones.
        raised_by: User who raised the concern.
    """

    owner: int | None = None
    unowned: bool = False
    assigned: int | None = None
    states: tuple[str, ...] = ()
    tiers: tuple[str, ...] = ()
    programmes: tuple[str, ...] = ()
    contract: str | None = None
    text: str = ""
    overdue: bool = False
    snoozed: bool = False
    closed: bool = False
    raised_by: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Write what differs from the defaults."""
        blank = Filters()
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
            if value != getattr(blank, name)
        }

    @classmethod
    def from_json(cls, written: dict[str, Any]) -> Self:
        """Read what `to_json` wrote.

        Raises:
            InvalidError: There is a filter of another name.
        """
        if strange := set(written) - {field.name for field in fields(cls)}:
            raise InvalidError(f"There is no filter '{min(strange)}'.")
        read: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in written.items()
        }
        return cls(**read)


def matching_cases(scope: Scope, filters: Filters, today: date) -> Select[int]:
    """Select the numbers of the cases that filters find."""
    return select(Case.id).where(*conditions(scope, filters, today))


def conditions(scope: Scope, filters: Filters, today: date) -> list[ColumnElement[bool]]:
    """Return what the cases that filters find fulfil; `today` decides what is due or snoozed."""
    return [
        scope.covers(Case.student_id, today),
        *_of_case(filters, today),
        *_of_student(filters, today),
    ]


def _of_case(filters: Filters, today: date) -> Iterator[ColumnElement[bool]]:
    if filters.states:
        yield Case.state.in_(filters.states)
    elif filters.closed:
        yield Case.state == CaseState.CLOSED
    else:
        # Written out: partial indexes serve a constant only.
        yield Case.state != literal_column("'closed'")
    if not filters.closed:
        is_hidden = Case.snoozed_until > today
        is_shown = or_(Case.snoozed_until.is_(None), Case.snoozed_until <= today)
        yield is_hidden if filters.snoozed else is_shown
    if filters.owner is not None:
        yield Case.owner_id == filters.owner
    if filters.unowned:
        yield Case.owner_id.is_(None)
    if filters.tiers:
        yield Case.tier.in_(filters.tiers)
    if filters.raised_by is not None:
        yield Case.raised_by == filters.raised_by
    if filters.overdue:
        yield Case.due < today


def _of_student(filters: Filters, today: date) -> Iterator[ColumnElement[bool]]:
    if filters.assigned is not None:
        yield Case.student_id.in_(assigned_to(filters.assigned, today))
    if filters.programmes:
        yield Case.student_id.in_(
            select(Enrolment.student_id).where(Enrolment.programme.in_(filters.programmes))
        )
    if filters.contract is not None:
        yield Case.enrolment_id.in_(
            select(Enrolment.id).where(Enrolment.contract == filters.contract)
        )
    if filters.text.strip():
        yield Case.student_id.in_(matches_text(filters.text))
