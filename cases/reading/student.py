"""One student: who they are, where they stand, what is open."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from cases.casework.events import opened
from cases.casework.overrides import OverrideView, overrides
from cases.casework.states import EventKind
from cases.recording.values import histories
from cases.scope import Scope
from cases.tables.events import Case, CaseEvent, Intervention
from cases.tables.people import Assignment, Enrolment, Identity, IdentityKind, Student
from cases.tables.records import Assessment, Outcome, ScoreSwitch, Standing
from database.base import utc_now
from database.keys import KeyRing


@dataclass(frozen=True, slots=True)
class EnrolmentView:
    """An enrolment and where it stands.

    Attributes:
        standing: None before the first assessment, and where scores are hidden.
        latest: The newest assessment, previous: that of the period before; None likewise.
        scores_hidden: Whether a person hid the scores of this contract.
    """

    enrolment: Enrolment
    standing: Standing | None
    latest: Assessment | None
    previous: Assessment | None
    scores_hidden: bool
    outcomes: list[Outcome]


@dataclass(frozen=True, slots=True)
class CaseView:
    """A case and its interventions, by number."""

    case: Case
    interventions: list[Intervention]


@dataclass(frozen=True, slots=True)
class StudentDetail:
    """All that a student's page begins with.

    Attributes:
        external: The institution's own number.
        assigned: People who look after the student today.
        cases: Open ones first, then the newest closed ones.
    """

    student: Student
    name: str
    external: str | None
    email: str | None
    enrolments: list[EnrolmentView]
    assigned: list[Assignment]
    cases: list[CaseView]
    overrides: list[OverrideView]


@dataclass(frozen=True, slots=True)
class PeriodValues:
    """Values in force of one period; a feature that is absent was never said anything of."""

    period: int
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class EventView:
    """An event of a case.

    Attributes:
        payload: Empty for a student who was erased.
    """

    event_id: int
    case_id: int
    seq: int
    at: datetime
    actor_id: int | None
    kind: EventKind
    payload: dict[str, Any]


def student_detail(
    session: Session, scope: Scope, student_id: int, *, now: datetime | None = None
) -> StudentDetail | None:
    """Return a student; None where there is none in scope, or they were erased."""
    today = (now or utc_now()).date()
    student = session.scalars(
        select(Student).where(
            Student.id == student_id, Student.erased_at.is_(None), scope.covers(Student.id)
        )
    ).one_or_none()
    if student is None:
        return None
    identities = {
        one.kind: one.value
        for one in session.scalars(select(Identity).where(Identity.student_id == student_id))
    }
    return StudentDetail(
        student=student,
        name=identities.get(IdentityKind.NAME, f"Student {student_id}"),
        external=identities.get(IdentityKind.EXTERNAL),
        email=identities.get(IdentityKind.EMAIL),
        enrolments=_enrolments(session, student_id),
        assigned=_assigned(session, student_id, today),
        cases=_cases(session, student_id),
        overrides=overrides(session, scope, student_id),
    )


def history(session: Session, scope: Scope, enrolment_id: int) -> list[Assessment]:
    """Return every assessment of an enrolment, the newest first."""
    return list(
        session.scalars(
            select(Assessment)
            .join(Enrolment, Enrolment.id == Assessment.enrolment_id)
            .where(Assessment.enrolment_id == enrolment_id, scope.covers(Enrolment.student_id))
            .order_by(Assessment.generation.desc())
        )
    )


def recorded(session: Session, scope: Scope, enrolment_id: int) -> list[PeriodValues]:
    """Return the values in force of an enrolment by period."""
    found = session.scalars(
        select(Enrolment).where(Enrolment.id == enrolment_id, scope.covers(Enrolment.student_id))
    ).one_or_none()
    if found is None:
        return []
    by_period = histories(session, [enrolment_id]).get(enrolment_id, {})
    return [PeriodValues(period, by_period[period]) for period in sorted(by_period)]


def events(
    session: Session, scope: Scope, *, student_id: int | None = None, case_id: int | None = None
) -> list[EventView]:
    """Return the events of a student or of one case, the oldest first, with payloads opened."""
    asked = select(CaseEvent).where(scope.covers(CaseEvent.student_id))
    if student_id is not None:
        asked = asked.where(CaseEvent.student_id == student_id)
    if case_id is not None:
        asked = asked.where(CaseEvent.case_id == case_id)
    rows = session.scalars(asked.order_by(CaseEvent.id)).all()
    ring = KeyRing(session)
    ring.load(row.student_id for row in rows)
    return [
        EventView(
            event_id=row.id,
            case_id=row.case_id,
            seq=row.seq,
            at=row.at,
            actor_id=row.actor_id,
            kind=EventKind(row.kind),
            payload=opened(ring, row).payload,
        )
        for row in rows
    ]


def _enrolments(session: Session, student_id: int) -> list[EnrolmentView]:
    rows = session.execute(
        select(Enrolment, Standing, ScoreSwitch.contract)
        .outerjoin(Standing, Standing.enrolment_id == Enrolment.id)
        .outerjoin(ScoreSwitch, ScoreSwitch.contract == Enrolment.contract)
        .where(Enrolment.student_id == student_id)
        .order_by(Enrolment.id.desc())
    ).all()
    wanted = [
        number
        for _, standing, hidden in rows
        if standing is not None and hidden is None
        for number in (standing.latest_id, standing.previous_id)
    ]
    made = {
        one.id: one for one in session.scalars(select(Assessment).where(Assessment.id.in_(wanted)))
    }
    ids = [enrolment.id for enrolment, _, _ in rows]
    outcomes: dict[int, list[Outcome]] = {one: [] for one in ids}
    for outcome in session.scalars(select(Outcome).where(Outcome.enrolment_id.in_(ids))):
        outcomes[outcome.enrolment_id].append(outcome)
    return [
        EnrolmentView(
            enrolment=enrolment,
            standing=None if hidden else standing,
            latest=made.get(standing.latest_id) if standing else None,
            previous=made.get(standing.previous_id or 0) if standing else None,
            scores_hidden=hidden is not None,
            outcomes=outcomes[enrolment.id],
        )
        for enrolment, standing, hidden in rows
    ]


def _assigned(session: Session, student_id: int, today: date) -> list[Assignment]:
    return list(
        session.scalars(
            select(Assignment)
            .where(
                Assignment.student_id == student_id,
                Assignment.starts_on <= today,
                or_(Assignment.ends_on.is_(None), Assignment.ends_on >= today),
            )
            .order_by(Assignment.id)
        )
    )


def _cases(session: Session, student_id: int) -> list[CaseView]:
    cases = session.scalars(
        select(Case)
        .where(Case.student_id == student_id)
        .order_by(Case.closed_at.is_not(None), Case.id.desc())
    ).all()
    by_case: dict[int, list[Intervention]] = {case.id: [] for case in cases}
    for one in session.scalars(
        select(Intervention)
        .where(Intervention.student_id == student_id)
        .order_by(Intervention.number)
    ):
        by_case[one.case_id].append(one)
    return [CaseView(case, by_case[case.id]) for case in cases]
