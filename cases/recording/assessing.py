"""Write the scorer's answers: assessments, standings, and what follows for cases, together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import func, inspect, or_, select
from sqlalchemy.orm import Session

from cases.casework.events import Casebook
from cases.casework.lifecycle import close_in
from cases.casework.states import CaseState, CloseReason
from cases.recording.alerts import Alerts, Situation
from cases.recording.standing import Point, TierRules, shown_rank
from cases.scoring import ModelStamp
from cases.tables.events import Case, Decision
from cases.tables.notes import Override
from cases.tables.people import Assignment, Enrolment
from cases.tables.records import Assessment, Standing
from scoring.policy.model import Policy


@dataclass(frozen=True, slots=True)
class Answered:
    """The scorer's answer for one enrolment.

    Attributes:
        periods: The history that was sent; empty where all values were withdrawn.
        digest: Of the history.
        model: None where nothing was asked.
        assessment: As answered; empty where the record was refused.
        problems: Why it was refused.
    """

    enrolment: Enrolment
    periods: Sequence[Mapping[str, Any]]
    digest: str
    model: ModelStamp | None
    assessment: Mapping[str, Any]
    problems: Sequence[Mapping[str, Any]]


class _Earlier(NamedTuple):
    id: int
    period: int
    probability: float | None
    rank: int


@dataclass(slots=True)
class _Context:
    """What a batch needs of the database, read in one query each."""

    standings: dict[int, Standing]
    earlier: dict[int, list[_Earlier]]
    cases: dict[int, Case]
    closed: dict[int, int]
    overridden: dict[int, str]
    owners: dict[int, int]
    drawn: dict[int, dict[str, str]]


def commit_answers(
    session: Session, policy: Policy, answers: Sequence[Answered], at: datetime
) -> None:
    """Write assessments and all that follows from them, in the caller's transaction.

    Args:
        session: Holds the locks of the enrolments.
        policy: In force when the scorer answered.
        answers: One an enrolment.
        at: Moment of the assessments.
    """
    rules = TierRules.of(policy)
    made = [(one, _assessment(one, policy, at)) for one in answers if one.model is not None]
    session.add_all(assessment for _, assessment in made)
    session.flush()
    context = _read(session, [one.enrolment for one in answers], at)
    book = Casebook(session)
    book.ring.load(one.enrolment.student_id for one in answers)
    book.preload(context.cases.values())
    alerts = Alerts(policy, rules, at)
    by_risk = sorted((a.probability or 0.0 for _, a in made), reverse=True)
    for one, assessment in made:
        enrolment = one.enrolment
        earlier = context.earlier.get(enrolment.id, [])
        standing, points = _derived(assessment, earlier, rules)
        _store(session, context.standings.get(enrolment.id), standing)
        if (case := context.cases.get(enrolment.id)) is not None:
            case.change = standing.change or 0.0
        if not points:
            continue
        set_tier = context.overridden.get(enrolment.id)
        alerts.react(
            book,
            Situation(
                enrolment=enrolment,
                assessment=assessment,
                points=points,
                rank=standing.rank,
                change=standing.change or 0.0,
                case=case,
                closed_period=context.closed.get(enrolment.id),
                is_overridden=set_tier in rules.names
                and rules.names.index(set_tier) not in rules.opens,
                owner_id=context.owners.get(enrolment.student_id),
                drawn=context.drawn.setdefault(enrolment.student_id, {}),
                capacity_rank=1 + by_risk.index(assessment.probability or 0.0),
            ),
        )
    for one in answers:
        if one.model is None:
            _withdraw(book, context, one.enrolment, at)


def _assessment(one: Answered, policy: Policy, at: datetime) -> Assessment:
    said, model = one.assessment, one.model
    assert model is not None  # noqa: S101 - the caller selects these
    names = [tier.name for tier in policy.tiers]
    last = one.periods[-1]
    tier = said.get("tier")
    return Assessment(
        enrolment_id=one.enrolment.id,
        generation=one.enrolment.generation,
        period=last["period"],
        made_at=at,
        model=model.name,
        model_version=model.version,
        contract_version=model.contract_version,
        policy=model.policy,
        policy_version=model.policy_version,
        status=said.get("status", "rejected"),
        probability=said.get("risk"),
        tier=tier,
        rank=-1 if tier is None else names.index(tier),
        since=said.get("since"),
        trajectory=list(said.get("trajectory") or ()),
        forecast=list(said.get("forecast") or ()),
        recommendations=list(said.get("recommendations") or ()),
        reasons=said.get("reasons"),
        observed=dict(said.get("observed") or {}),
        missing=sorted(name for name, value in last.items() if value is None),
        reference=said.get("reference") or "",
        problems=[dict(problem) for problem in one.problems],
        input_digest=one.digest,
    )


def _points(made: Assessment, earlier: Sequence[_Earlier], rules: TierRules) -> list[Point]:
    """Return the estimates by period that the tier is decided on, the assessment's own last."""
    if made.probability is None or made.rank < 0:
        return []
    if rules.bounds is not None:
        return [
            rules.point(point["period"], point["risk"])
            for point in made.trajectory
            if point["risk"] is not None
        ]
    # Bounds by capacity differ by period: what was answered at each period counts.
    found = [
        Point(one.period, one.probability, one.rank)
        for one in earlier
        if one.probability is not None and one.rank >= 0
    ]
    if not found and made.since is not None and made.since < made.period:
        found.append(Point(made.period - 1, made.probability, made.rank))
    return [*found, Point(made.period, made.probability, made.rank)]


def standings_of(session: Session, enrolment_ids: Sequence[int], policy: Policy) -> list[Standing]:
    """Derive standings from the assessments of enrolments; nothing is stored."""
    rules = TierRules.of(policy)
    newest = (
        select(func.max(Assessment.generation))
        .where(Assessment.enrolment_id == Enrolment.id)
        .correlate(Enrolment)
        .scalar_subquery()
    )
    made = session.scalars(
        select(Assessment)
        .join(Enrolment, Enrolment.id == Assessment.enrolment_id)
        .where(Enrolment.id.in_(enrolment_ids), Assessment.generation == newest)
    ).all()
    earlier = _read_earlier(session, enrolment_ids)
    return [_derived(one, earlier.get(one.enrolment_id, []), rules)[0] for one in made]


def _store(session: Session, stored: Standing | None, derived: Standing) -> None:
    if stored is None:
        session.add(derived)
        return
    for column in inspect(Standing).column_attrs:
        setattr(stored, column.key, getattr(derived, column.key))


def _derived(
    made: Assessment, earlier: Sequence[_Earlier], rules: TierRules
) -> tuple[Standing, list[Point]]:
    points = _points(made, earlier, rules)
    rank = shown_rank(points, rules) if points else -1
    before = earlier[-1] if earlier else None
    risk_before = None if before is None else before.probability
    if risk_before is None and len(points) > 1:
        risk_before = points[-2].probability
    change = None
    if made.probability is not None and risk_before is not None:
        change = round(made.probability - risk_before, 6)
    standing = Standing(
        enrolment_id=made.enrolment_id,
        tier=rules.names[rank] if rank >= 0 else None,
        rank=rank,
        probability=made.probability,
        change=change,
        latest_id=made.id,
        previous_id=None if before is None else before.id,
        last_period=made.period,
    )
    return standing, points


def _withdraw(book: Casebook, context: _Context, enrolment: Enrolment, at: datetime) -> None:
    """All values are gone: no tier is shown, and the case that rested on them closes."""
    if (standing := context.standings.get(enrolment.id)) is not None:
        book.session.delete(standing)
    if (case := context.cases.get(enrolment.id)) is not None:
        close_in(book, case, {"reason": CloseReason.WITHDRAWN, "words": ""}, actor=None, at=at)


def _read(session: Session, enrolments: Sequence[Enrolment], at: datetime) -> _Context:
    ids = [one.id for one in enrolments]
    students = [one.student_id for one in enrolments]
    context = _Context({}, {}, {}, {}, {}, {}, {})
    for standing in session.scalars(select(Standing).where(Standing.enrolment_id.in_(ids))):
        context.standings[standing.enrolment_id] = standing
    context.earlier = _read_earlier(session, ids)
    found = select(Case).where(Case.enrolment_id.in_(ids), Case.origin == "assessment")
    for case in session.scalars(found.order_by(Case.id).with_for_update()):
        assert case.enrolment_id is not None  # noqa: S101 - selected by it
        if case.state != CaseState.CLOSED:
            context.cases[case.enrolment_id] = case
        elif case.closed_period is not None:
            context.closed[case.enrolment_id] = case.closed_period
    overrides = select(Override.enrolment_id, Override.tier).where(
        Override.enrolment_id.in_(ids),
        Override.ended_at.is_(None),
        Override.expires_on >= at.date(),
        Override.tier.is_not(None),
    )
    context.overridden = {one: str(tier) for one, tier in session.execute(overrides)}
    assigned = (
        select(Assignment.student_id, Assignment.user_id)
        .where(
            Assignment.student_id.in_(students),
            Assignment.starts_on <= at.date(),
            or_(Assignment.ends_on.is_(None), Assignment.ends_on >= at.date()),
        )
        .order_by(Assignment.id)
    )
    for student_id, user_id in session.execute(assigned):
        context.owners.setdefault(student_id, user_id)
    choices = (
        select(Decision.student_id, Decision.choice, Decision.chosen)
        .where(Decision.student_id.in_(students), Decision.choice.is_not(None))
        .order_by(Decision.id)
    )
    for student_id, choice, chosen in session.execute(choices):
        context.drawn.setdefault(student_id, {}).setdefault(str(choice), chosen)
    return context


def _read_earlier(session: Session, ids: Sequence[int]) -> dict[int, list[_Earlier]]:
    """Read by enrolment the newest assessment of each period before that of the newest one."""
    rows = session.execute(
        select(
            Assessment.enrolment_id,
            Assessment.id,
            Assessment.period,
            Assessment.probability,
            Assessment.rank,
        )
        .where(Assessment.enrolment_id.in_(ids))
        .order_by(Assessment.enrolment_id, Assessment.generation)
    )
    by_period: dict[int, dict[int, _Earlier]] = {}
    newest: dict[int, int] = {}
    for enrolment_id, assessment_id, period, probability, rank in rows:
        one = _Earlier(assessment_id, period, probability, rank)
        by_period.setdefault(enrolment_id, {})[period] = one
        newest[enrolment_id] = period
    return {
        enrolment_id: [
            periods[period] for period in sorted(periods) if period < newest[enrolment_id]
        ]
        for enrolment_id, periods in by_period.items()
    }
