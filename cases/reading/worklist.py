"""The worklist: open cases in order of need, in two queries whatever their number.

Order: the highest tier first, then how much the risk rose since the period before, then the
longest time without contact.
"""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import and_, case, func, or_, select
from sqlalchemy.orm import Session, aliased

from cases.errors import InvalidError
from cases.page import Page, cursor_of, position_of
from cases.reading.filters import Filters, conditions
from cases.reading.reasons import first_reason
from cases.scope import Scope
from cases.tables.events import Case
from cases.tables.notes import Override
from cases.tables.people import Enrolment, Identity, IdentityKind
from cases.tables.records import Assessment, ScoreSwitch, Standing
from database.base import utc_now


@dataclass(frozen=True, slots=True)
class WorklistRow:
    """A case with all that a line of the worklist shows.

    Attributes:
        version: The case's, for locking.
        tier, rank: Of the standing, or of the person's override; None and -1 where scores are
            hidden or there are none.
        change: Latest probability minus that of the period before.
        first_reason: In words, as the assessment gives it.
        override_tier: Tier that a person set, while it is in force.
        last_period: Last period with values.
    """

    case_id: int
    version: int
    student_id: int
    name: str
    external: str | None
    enrolment_id: int | None
    contract: str | None
    programme: str | None
    year: int | None
    state: str
    origin: str
    topic: str
    tier: str | None
    rank: int
    probability: float | None
    change: float | None
    first_reason: str | None
    last_contact_at: datetime | None
    attempts: int
    next_step: str | None
    due: date | None
    owner_id: int | None
    opened_at: datetime
    snoozed_until: date | None
    override_tier: str | None
    last_period: int | None


@dataclass(frozen=True, slots=True)
class WorklistCounts:
    """How many cases there are under some filters.

    Attributes:
        by_tier: Tier (empty for none) -> cases.
        by_state: State -> cases.
    """

    total: int
    by_tier: dict[str, int]
    by_state: dict[str, int]
    unowned: int
    overdue: int


def worklist(
    session: Session,
    scope: Scope,
    filters: Filters,
    *,
    limit: int = 50,
    after: str | None = None,
    now: datetime | None = None,
) -> Page[WorklistRow]:
    """List cases in order of need.

    Args:
        session: The caller's transaction.
        scope: Students that the caller may see.
        filters: Which cases.
        limit: Rows of a page.
        after: Cursor of the page.
        now: Moment for which the list is made.

    Raises:
        InvalidError: The cursor is invalid.
    """
    today = (now or utc_now()).date()
    ids = select(Case.id, Case.rank, Case.change, Case.waiting_since)
    ids = ids.where(*conditions(scope, filters, today))
    if after is not None:
        rank, change, since, last = position_of(after, 4)
        moment = _moment(since)
        same = and_(Case.rank == rank, Case.change == change)
        ids = ids.where(
            # Implied by the rest; lets the index begin at the page.
            Case.rank <= rank,
            or_(
                Case.rank < rank,
                and_(Case.rank == rank, Case.change < change),
                and_(same, Case.waiting_since > moment),
                and_(same, Case.waiting_since == moment, Case.id > last),
            ),
        )
    in_need = (Case.rank.desc(), Case.change.desc(), Case.waiting_since, Case.id)
    ids = ids.order_by(*in_need).limit(limit + 1)
    found = session.execute(ids).all()
    shown = [row[0] for row in found[:limit]]
    cursor = None
    if len(found) > limit:
        last_id, rank, change, since = found[limit - 1]
        cursor = cursor_of((rank, change, since.isoformat(), last_id))
    rows = {row.case_id: row for row in _rows(session, shown, today)}
    return Page([rows[case_id] for case_id in shown], cursor)


def counts(
    session: Session, scope: Scope, filters: Filters, *, now: datetime | None = None
) -> WorklistCounts:
    """Count cases by tier and state, those without owner and those overdue, in one query."""
    today = (now or utc_now()).date()
    asked = (
        select(
            Case.tier,
            Case.state,
            func.count(),
            func.sum(case((Case.owner_id.is_(None), 1), else_=0)),
            func.sum(case((Case.due < today, 1), else_=0)),
        )
        .where(*conditions(scope, filters, today))
        .group_by(Case.tier, Case.state)
    )
    by_tier: dict[str, int] = {}
    by_state: dict[str, int] = {}
    unowned = overdue = 0
    for tier, state, number, without, late in session.execute(asked):
        by_tier[tier or ""] = by_tier.get(tier or "", 0) + number
        by_state[state] = by_state.get(state, 0) + number
        unowned += int(without)
        overdue += int(late)
    return WorklistCounts(sum(by_state.values()), by_tier, by_state, unowned, overdue)


def case_rows(
    session: Session, scope: Scope, case_ids: list[int], *, now: datetime | None = None
) -> list[WorklistRow]:
    """Return rows of chosen cases, open or closed, in the order given; those in scope only."""
    seen = set(
        session.scalars(select(Case.id).where(Case.id.in_(case_ids), scope.covers(Case.student_id)))
    )
    rows = {row.case_id: row for row in _rows(session, sorted(seen), (now or utc_now()).date())}
    return [rows[case_id] for case_id in case_ids if case_id in rows]


def _rows(session: Session, case_ids: list[int], today: date) -> list[WorklistRow]:
    if not case_ids:
        return []
    name, number = aliased(Identity), aliased(Identity)
    set_tier = (
        select(Override.tier)
        .where(
            Override.enrolment_id == Case.enrolment_id,
            Override.ended_at.is_(None),
            Override.expires_on >= today,
        )
        .order_by(Override.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    asked = (
        select(Case, Enrolment, Standing, Assessment, name.value, number.value, set_tier)
        .add_columns(ScoreSwitch.contract)
        .outerjoin(Enrolment, Enrolment.id == Case.enrolment_id)
        .outerjoin(Standing, Standing.enrolment_id == Case.enrolment_id)
        .outerjoin(Assessment, Assessment.id == Standing.latest_id)
        .outerjoin(ScoreSwitch, ScoreSwitch.contract == Enrolment.contract)
        .outerjoin(name, and_(name.student_id == Case.student_id, name.kind == IdentityKind.NAME))
        .outerjoin(
            number,
            and_(number.student_id == Case.student_id, number.kind == IdentityKind.EXTERNAL),
        )
        .where(Case.id.in_(case_ids))
    )
    return [_row(*found) for found in session.execute(asked)]


def _row(
    one: Case,
    enrolment: Enrolment | None,
    standing: Standing | None,
    latest: Assessment | None,
    *others: str | None,
) -> WorklistRow:
    name, external, set_tier, hidden = others
    shown = None if hidden else standing
    return WorklistRow(
        case_id=one.id,
        version=one.version,
        student_id=one.student_id,
        name=name or external or f"Student {one.student_id}",
        external=external,
        enrolment_id=one.enrolment_id,
        contract=enrolment.contract if enrolment else None,
        programme=enrolment.programme if enrolment else None,
        year=enrolment.year if enrolment else None,
        state=one.state,
        origin=one.origin,
        topic=one.topic,
        tier=set_tier or (shown.tier if shown else None),
        rank=shown.rank if shown else -1,
        probability=shown.probability if shown else None,
        change=shown.change if shown else None,
        first_reason=None if hidden or latest is None else first_reason(latest),
        last_contact_at=one.last_contact_at,
        attempts=one.attempts,
        next_step=one.next_step,
        due=one.due,
        owner_id=one.owner_id,
        opened_at=one.opened_at,
        snoozed_until=one.snoozed_until,
        override_tier=set_tier,
        last_period=standing.last_period if standing else None,
    )


def _moment(written: object) -> datetime:
    try:
        return datetime.fromisoformat(str(written))
    except ValueError:
        raise InvalidError("The cursor is invalid; begin again without one.") from None
