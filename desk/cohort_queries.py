"""What the cohort page counts, each within a scope, in one query."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select
from sqlalchemy.orm import Session, aliased

from cases.casework.states import OPEN_STATES, CaseState
from cases.page import Page, cursor_of, position_of
from cases.reading.students import FoundStudent
from cases.scope import Scope
from cases.tables.events import Case
from cases.tables.people import Enrolment, EnrolmentStatus, Identity, IdentityKind
from cases.tables.records import Assessment, ScoreSwitch, Standing

# Of this many of the highest estimates the reasons are counted.
_READ_FOR_DRIVERS = 400


@dataclass(frozen=True, slots=True)
class Moved:
    """A student whose estimate changed its tier since the period before."""

    student_id: int
    name: str
    before: str
    after: str
    change: float


@dataclass(frozen=True, slots=True)
class Coverage:
    """Open cases, and those of them without a contact or without an owner."""

    open_cases: int
    new: int
    without_contact: int
    without_owner: int
    overdue: int


def tiers_now(session: Session, scope: Scope, programme: str) -> dict[str, int]:
    """Count active enrolments by tier; the empty name counts those without one."""
    found = (
        select(func.coalesce(Standing.tier, ""), func.count())
        .select_from(Enrolment)
        .outerjoin(Standing, Standing.enrolment_id == Enrolment.id)
        .where(*_shown(scope, programme))
        .group_by(func.coalesce(Standing.tier, ""))
    )
    return {tier: number for tier, number in session.execute(found)}  # noqa: C416


def tiers_by_period(
    session: Session, scope: Scope, programme: str, tiers: Sequence[str]
) -> list[tuple[int, list[int]]]:
    """Count the assessments of each period by tier, a period's newest for each enrolment."""
    newest = (
        select(func.max(Assessment.id))
        .join(Enrolment, Enrolment.id == Assessment.enrolment_id)
        .where(*_shown(scope, programme))
        .group_by(Assessment.enrolment_id, Assessment.period)
    )
    found = (
        select(Assessment.period, Assessment.tier, func.count())
        .where(Assessment.id.in_(newest), Assessment.tier.is_not(None))
        .group_by(Assessment.period, Assessment.tier)
        .order_by(Assessment.period)
    )
    counts: dict[int, list[int]] = {}
    for period, tier, number in session.execute(found):
        if tier in tiers:
            counts.setdefault(period, [0] * len(tiers))[tiers.index(tier)] += number
    return sorted(counts.items())


def estimates(session: Session, scope: Scope, programme: str, steps: int) -> list[int]:
    """Count active enrolments by estimate, in equal steps from 0 to 1."""
    step: ColumnElement[Any] = func.min(func.floor(Standing.probability * steps), steps - 1)
    if session.get_bind().dialect.name == "postgresql":
        step = func.least(func.floor(Standing.probability * steps), steps - 1)
    found = (
        select(step, func.count())
        .select_from(Enrolment)
        .join(Standing, Standing.enrolment_id == Enrolment.id)
        .where(*_shown(scope, programme), Standing.probability.is_not(None))
        .group_by(step)
    )
    counts = [0] * steps
    for number, students in session.execute(found):
        counts[int(number)] = students
    return counts


def moved(session: Session, scope: Scope, programme: str, *, rose: bool, limit: int) -> list[Moved]:
    """Return students whose estimate changed its tier, those who moved most first."""
    latest, before = aliased(Assessment), aliased(Assessment)
    name = aliased(Identity)
    direction = latest.rank > before.rank if rose else latest.rank < before.rank
    order = Standing.change.desc() if rose else Standing.change
    found = (
        select(
            Enrolment.student_id,
            func.coalesce(name.value, ""),
            before.tier,
            latest.tier,
            Standing.change,
        )
        .join(Standing, Standing.enrolment_id == Enrolment.id)
        .join(latest, latest.id == Standing.latest_id)
        .join(before, before.id == Standing.previous_id)
        .outerjoin(
            name, and_(name.student_id == Enrolment.student_id, name.kind == IdentityKind.NAME)
        )
        .where(*_shown(scope, programme), direction, before.tier.is_not(None))
        .order_by(order, Enrolment.id)
        .limit(limit)
    )
    return [
        Moved(student_id, label, str(was), str(now), float(change or 0))
        for student_id, label, was, now, change in session.execute(found)
    ]


def drivers(session: Session, scope: Scope, programme: str) -> list[tuple[str, int]]:
    """Count what comes first among the reasons of the highest estimates above the lowest tier."""
    found = (
        select(Assessment.reasons, Assessment.recommendations)
        .join(Standing, Standing.latest_id == Assessment.id)
        .join(Enrolment, Enrolment.id == Standing.enrolment_id)
        .where(*_shown(scope, programme), Standing.rank > 0)
        .order_by(Standing.rank.desc(), Standing.probability.desc())
        .limit(_READ_FOR_DRIVERS)
    )
    counted: Counter[str] = Counter()
    for reasons, advice in session.execute(found):
        groups = [
            one["group"]
            for one in (reasons or {}).get("groups", ())
            if one.get("direction") == "towards"
        ]
        labels = groups or [one["label"] for one in advice if one.get("label")]
        counted.update(str(label) for label in labels[:1])
    return counted.most_common(6)


def coverage(session: Session, scope: Scope, programme: str, today: date) -> Coverage:
    """Count open cases and what is missing in them."""

    def counted(condition: ColumnElement[bool]) -> ColumnElement[int]:
        return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)

    found = select(
        func.count(),
        counted(Case.state == CaseState.NEW),
        counted(Case.first_contact_at.is_(None)),
        counted(Case.owner_id.is_(None)),
        counted(Case.due < today),
    ).where(
        Case.state.in_(OPEN_STATES),
        # As the worklist has it: what is snoozed needs nothing now.
        or_(Case.snoozed_until.is_(None), Case.snoozed_until <= today),
        scope.covers(Case.student_id),
    )
    if programme:
        found = found.where(
            Case.student_id.in_(
                select(Enrolment.student_id).where(Enrolment.programme == programme)
            )
        )
    return Coverage(*(int(number) for number in session.execute(found).one()))


def students_in_tier(
    session: Session,
    scope: Scope,
    programme: str,
    tier: str,
    *,
    limit: int,
    after: str | None,
) -> Page[FoundStudent]:
    """List the students behind a number of the cohort page, the highest estimate first."""
    name, number = aliased(Identity), aliased(Identity)
    risk = func.coalesce(Standing.probability, -1.0)
    found: Select[int, str, str | None, str, int | None, float] = (
        select(
            Enrolment.student_id,
            func.coalesce(name.value, number.value, ""),
            number.value,
            Enrolment.programme,
            Enrolment.year,
            risk,
        )
        .outerjoin(Standing, Standing.enrolment_id == Enrolment.id)
        .outerjoin(
            name, and_(name.student_id == Enrolment.student_id, name.kind == IdentityKind.NAME)
        )
        .outerjoin(
            number,
            and_(number.student_id == Enrolment.student_id, number.kind == IdentityKind.EXTERNAL),
        )
        .where(*_shown(scope, programme), func.coalesce(Standing.tier, "") == tier)
        .order_by(risk.desc(), Enrolment.student_id)
        .limit(limit + 1)
    )
    if after is not None:
        last_risk, last_id = position_of(after, 2)
        beyond = or_(risk < last_risk, and_(risk == last_risk, Enrolment.student_id > last_id))
        found = found.where(beyond)
    rows = session.execute(found).all()
    cursor = None
    if len(rows) > limit:
        cursor = cursor_of((rows[limit - 1][5], rows[limit - 1][0]))
    return Page([FoundStudent(*row[:5]) for row in rows[:limit]], cursor)


def _shown(scope: Scope, programme: str) -> list[ColumnElement[bool]]:
    """Return the condition of active enrolments in a scope whose scores are not hidden."""
    shown = [
        Enrolment.status == EnrolmentStatus.ACTIVE,
        Enrolment.contract.not_in(select(ScoreSwitch.contract)),
        scope.covers(Enrolment.student_id),
    ]
    return [*shown, Enrolment.programme == programme] if programme else shown
