"""Append events to cases and derive the current state from them: one function for both ways."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from cases.casework.states import (
    INTERVENTION_TRANSITIONS,
    CaseState,
    EventKind,
    InterventionState,
    allowed_events,
    next_state,
)
from cases.errors import ConflictError, NotAllowedError, NotFoundError
from cases.tables.events import Case, CaseEvent, Intervention
from database.base import utc_now
from database.keys import KeyRing


@dataclass(frozen=True, slots=True)
class Event:
    """One event with its payload opened.

    Attributes:
        payload: By kind; see the functions that append it.
    """

    kind: EventKind
    at: datetime
    actor: int | None
    payload: dict[str, Any]


class Casebook:
    """Cases and their interventions as they are changed in one transaction.

    Args:
        session: The caller's transaction.
        ring: Keys that were loaded already; a new ring unless given.
    """

    def __init__(self, session: Session, ring: KeyRing | None = None) -> None:
        self.session = session
        self.ring = ring or KeyRing(session)
        self._interventions: dict[int, dict[int, Intervention]] = {}

    def case(self, case_id: int, version: int | None = None) -> Case:
        """Read a case and lock its row until the transaction ends.

        Raises:
            NotFoundError: No such case.
            ConflictError: It changed since `version`.
        """
        case = self.session.get(Case, case_id, with_for_update=True)
        if case is None:
            raise NotFoundError("There is no such case.")
        if version is not None and case.version != version:
            raise ConflictError(
                f"The case changed since it was read (now version {case.version}); read it again."
            )
        return case

    def interventions(self, case: Case) -> dict[int, Intervention]:
        """Return the case's interventions by their number within the case."""
        if case.id not in self._interventions:
            found = self.session.scalars(
                select(Intervention).where(Intervention.case_id == case.id)
            )
            self._interventions[case.id] = {one.number: one for one in found}
        return self._interventions[case.id]

    def preload(self, cases: Iterable[Case]) -> None:
        """Read the interventions of many cases in one query."""
        missing = [case.id for case in cases if case.id not in self._interventions]
        self._interventions.update({case_id: {} for case_id in missing})
        found = self.session.scalars(select(Intervention).where(Intervention.case_id.in_(missing)))
        for one in found:
            self._interventions[one.case_id][one.number] = one

    def open(self, student_id: int, event: Event) -> Case:
        """Make a case by its first event, whose kind is `opened`."""
        case = Case(student_id=student_id, version=0)
        apply(case, {}, event)
        self.session.add(case)
        self.session.flush()
        self._interventions[case.id] = {}
        self._store(case, event)
        return case

    def append(
        self,
        case: Case,
        kind: EventKind,
        payload: dict[str, Any] | None = None,
        *,
        actor: int | None = None,
        at: datetime | None = None,
    ) -> int:
        """Append an event and bring the rows up to date.

        Returns:
            The case's new version.

        Raises:
            NotAllowedError: The state of the case or intervention does not allow it.
        """
        event = Event(kind, at or utc_now(), actor, payload or {})
        interventions = self.interventions(case)
        before = len(interventions)
        apply(case, interventions, event)
        if len(interventions) > before:
            self.session.add(interventions[event.payload["number"]])
        return self._store(case, event)

    def _store(self, case: Case, event: Event) -> int:
        case.version += 1
        self.session.add(
            CaseEvent(
                case_id=case.id,
                student_id=case.student_id,
                seq=case.version,
                at=event.at,
                actor_id=event.actor,
                kind=event.kind,
                sealed=self.ring.seal(case.student_id, event.payload),
            )
        )
        return case.version


def open_case(session: Session, student_id: int, concern: str) -> Case | None:
    """Return the open case of a student and concern and lock it; there is one at most."""
    return session.scalars(
        select(Case)
        .where(
            Case.student_id == student_id,
            Case.concern == concern,
            Case.state != CaseState.CLOSED,
        )
        .with_for_update()
    ).one_or_none()


def opened(ring: KeyRing, row: CaseEvent) -> Event:
    """Open the payload of an event's row."""
    payload = ring.open(row.student_id, row.sealed) or {}
    return Event(EventKind(row.kind), row.at, row.actor_id, payload)


def apply(case: Case, interventions: dict[int, Intervention], event: Event) -> None:
    """Change a case and its interventions by one event; what is stored is what this derives.

    Raises:
        NotAllowedError: The state does not allow the event.
    """
    kind, payload = event.kind, event.payload
    if kind is EventKind.OPENED:
        _open(case, event)
        return
    state = CaseState(case.state)
    after = next_state(kind, state)
    if after is None:
        possible = ", ".join(allowed_events(state))
        raise NotAllowedError(f"A case in state '{state}' takes no '{kind}'; it takes: {possible}.")
    if kind is EventKind.SUGGESTED:
        interventions[payload["number"]] = _suggested(case, event)
    elif kind in INTERVENTION_TRANSITIONS:
        _change(interventions[payload["number"]], event)
    if after is not state:
        case.state, case.state_since = after, event.at
    _change_case(case, event)


def _open(case: Case, event: Event) -> None:
    payload = event.payload
    case.enrolment_id = payload["enrolment_id"]
    case.concern = payload["concern"]
    case.origin = payload["origin"]
    case.topic = payload["topic"]
    case.state = CaseState.NEW
    case.raised_by = event.actor if payload["origin"] == "person" else None
    case.owner_id = payload.get("owner_id")
    case.tier = payload.get("tier")
    case.rank = payload.get("rank", -1)
    case.opened_at = case.state_since = case.waiting_since = event.at
    case.change = 0.0
    case.attempts = 0
    case.due = _day(payload.get("due"))


def _change_case(case: Case, event: Event) -> None:  # noqa: C901 - one branch a kind
    payload = event.payload
    match event.kind:
        case EventKind.TIER_CHANGED:
            case.tier, case.rank = payload["tier"], payload["rank"]
        case EventKind.JOINED:
            if payload.get("raised_by") is not None and case.raised_by is None:
                case.raised_by = payload["raised_by"]
            case.snoozed_until = None
        case EventKind.ASSIGNED:
            case.owner_id = payload["to"]
        case EventKind.CONTACT:
            on = _day(payload.get("on"))
            moment = event.at if on is None else datetime.combine(on, time(12), UTC)
            moment = min(moment, event.at)
            case.first_contact_at = min(case.first_contact_at or moment, moment)
            case.last_contact_at = max(case.last_contact_at or moment, moment)
            case.waiting_since = case.last_contact_at
            case.attempts = 0 if payload["answered"] else case.attempts + 1
        case EventKind.STEP_PLANNED | EventKind.ESCALATED:
            case.next_step, case.due = payload["next_step"], _day(payload["due"])
        case EventKind.WAITING | EventKind.SNOOZED:
            case.snoozed_until = _day(payload["until"])
        case EventKind.RESUMED | EventKind.SNOOZE_ENDED:
            case.snoozed_until = None
        case EventKind.CLOSED:
            case.closed_at = event.at
            case.close_reason, case.outcome = payload["reason"], payload.get("outcome")
            case.closed_period = payload.get("period")
            case.duplicate_of = payload.get("duplicate_of")
            case.next_step = case.due = case.snoozed_until = None
        case EventKind.REOPENED:
            case.closed_at = case.close_reason = case.outcome = None
            case.closed_period = case.duplicate_of = None
        case _:
            pass


def _suggested(case: Case, event: Event) -> Intervention:
    payload = event.payload
    return Intervention(
        case_id=case.id,
        student_id=case.student_id,
        number=payload["number"],
        rule=payload.get("rule"),
        action=payload["action"],
        owner_role=payload.get("owner_role"),
        state=InterventionState.SUGGESTED,
        due=_day(payload.get("due")),
        suggested_at=event.at,
        suggested_period=payload.get("period"),
        decision_id=payload.get("decision_id"),
        risk_before=payload.get("risk"),
    )


def _change(one: Intervention, event: Event) -> None:
    state, payload = InterventionState(one.state), event.payload
    after = INTERVENTION_TRANSITIONS[event.kind].get(state)
    if after is None:
        raise NotAllowedError(f"An intervention in state '{state}' takes no '{event.kind}'.")
    one.state = after
    match event.kind:
        case EventKind.PLANNED:
            one.owner_id, one.due = payload["owner"], _day(payload["due"])
            one.action = payload.get("action") or one.action
        case EventKind.STARTED:
            one.started_at, one.started_period = event.at, payload.get("period")
            if payload.get("risk") is not None:
                one.risk_before = payload["risk"]
        case EventKind.FINISHED:
            one.ended_at, one.dose = event.at, payload.get("dose")
            one.answered = payload.get("answered")
            if one.started_at is None:
                one.started_at, one.started_period = event.at, payload.get("period")
                one.risk_before = payload.get("risk", one.risk_before)
        case EventKind.DISMISSED:
            one.ended_at, one.dismiss_reason = event.at, payload["reason"]
        case _:
            one.result, one.review = payload["result"], payload["figures"]


def _day(written: str | None) -> date | None:
    return None if written is None else date.fromisoformat(written)
