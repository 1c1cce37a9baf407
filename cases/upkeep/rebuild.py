"""Derive what is derived again: cases and interventions from events, standings from assessments."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import inspect, select
from sqlalchemy.orm import Session

from cases.casework.events import apply, opened
from cases.casework.states import CaseState, EventKind
from cases.recording.assessing import standings_of
from cases.tables.events import Case, CaseEvent, Intervention
from cases.tables.people import Enrolment, Student
from cases.tables.records import Standing
from database.keys import KeyRing
from scoring.policy.model import Policy

_AT_ONCE = 500
# Follows the standing; put right with it.
_NOT_DERIVED = {(Case, "change")}


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild found.

    Attributes:
        changed: Rows that differed from what their events say, and were put right.
    """

    cases: int
    standings: int
    changed: int


def rebuild_cases(session: Session) -> Rebuilt:
    """Derive every case and its interventions from events, and put differing rows right.

    Erased students have no rows to derive: their events cannot be opened.
    """
    ring, cases, changed, last = KeyRing(session), 0, 0, 0
    while True:
        ids = session.scalars(
            select(CaseEvent.case_id)
            .join(Student, Student.id == CaseEvent.student_id)
            .where(CaseEvent.case_id > last, Student.erased_at.is_(None))
            .distinct()
            .order_by(CaseEvent.case_id)
            .limit(_AT_ONCE)
        ).all()
        if not ids:
            return Rebuilt(cases, 0, changed)
        last = ids[-1]
        by_case: dict[int, list[CaseEvent]] = {}
        rows = session.scalars(
            select(CaseEvent)
            .where(CaseEvent.case_id.in_(ids))
            .order_by(CaseEvent.case_id, CaseEvent.seq)
        ).all()
        ring.load(row.student_id for row in rows)
        for row in rows:
            by_case.setdefault(row.case_id, []).append(row)
        stored = {one.id: one for one in session.scalars(select(Case).where(Case.id.in_(ids)))}
        steps: dict[int, dict[int, Intervention]] = {one: {} for one in ids}
        for one in session.scalars(select(Intervention).where(Intervention.case_id.in_(ids))):
            steps[one.case_id][one.number] = one
        for case_id, events in by_case.items():
            case, interventions = derive(ring, events)
            changed += _put(session, stored.get(case_id), case)
            session.flush()
            for number, made in interventions.items():
                changed += _put(session, steps[case_id].get(number), made)
            cases += 1


def derive(ring: KeyRing, events: Iterable[CaseEvent]) -> tuple[Case, dict[int, Intervention]]:
    """Derive one case and its interventions from its events, in order; nothing is stored."""
    case, interventions = Case(version=0), dict[int, Intervention]()
    for row in events:
        event = opened(ring, row)
        if event.kind is EventKind.OPENED:
            case.id, case.student_id = row.case_id, row.student_id
        apply(case, interventions, event)
        case.version += 1
    return case, interventions


def rebuild_standings(session: Session, policy: Policy) -> Rebuilt:
    """Derive the standings of a policy's contract from assessments, and put differing rows right.

    Tiers are decided by the policy handed over: after a change of policy this shows what it says
    of the assessments that there are.
    """
    number = changed = last = 0
    while True:
        ids = session.scalars(
            select(Enrolment.id)
            .where(Enrolment.contract == policy.contract, Enrolment.id > last)
            .order_by(Enrolment.id)
            .limit(_AT_ONCE)
        ).all()
        if not ids:
            return Rebuilt(0, number, changed)
        last = ids[-1]
        stored = {
            one.enrolment_id: one
            for one in session.scalars(select(Standing).where(Standing.enrolment_id.in_(ids)))
        }
        # Who has no standing although there are assessments had all values withdrawn.
        for standing in standings_of(session, list(stored), policy):
            changed += _put(session, stored[standing.enrolment_id], standing)
            number += 1
        changed += _put_changes(session, stored)


def _put_changes(session: Session, standings: dict[int, Standing]) -> int:
    """Put the changes right by which open cases are ordered."""
    cases = session.scalars(
        select(Case).where(
            Case.enrolment_id.in_(standings),
            Case.origin == "assessment",
            Case.state != CaseState.CLOSED,
        )
    )
    changed = 0
    for case in cases:
        assert case.enrolment_id is not None  # noqa: S101 - selected by it
        change = standings[case.enrolment_id].change or 0.0
        changed += case.change != change
        case.change = change
    return changed


def _put(session: Session, stored: Any, derived: Any) -> int:
    """Make a stored row equal to a derived one; return 1 where it was not."""
    if stored is None:
        session.add(derived)
        return 1
    differs = False
    for column in _columns(derived):
        value = getattr(derived, column)
        if getattr(stored, column) != value:
            setattr(stored, column, value)
            differs = True
    return int(differs)


def _columns(row: Any) -> list[str]:
    names = [one.key for one in inspect(type(row)).column_attrs]
    return [name for name in names if (type(row), name) not in _NOT_DERIVED and name != "id"]
