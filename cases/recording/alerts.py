"""What an assessment does to cases: open, change, suggest, praise. The rules of issue and policy.

A case opens where the policy's tiers are reached (`cases.recording.standing.opens_case`), at most
one for an enrolment. An open case changes only when the shown tier does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from cases.casework.decisions import draw
from cases.casework.events import Casebook, Event
from cases.casework.interventions import suggest_in
from cases.casework.states import OPEN_INTERVENTIONS, EventKind
from cases.recording.standing import Point, TierRules, opens_case
from cases.tables.events import Case, Decision
from cases.tables.people import Enrolment
from cases.tables.records import Assessment
from scoring.policy.model import Policy

_DUE_DAYS = 7


@dataclass(frozen=True, slots=True)
class Situation:
    """What is decided on for one enrolment.

    Attributes:
        points: Estimates by period, up to the assessment's.
        rank: Shown rank after them.
        change: Latest probability minus that of the period before; 0 without both.
        case: The open case of the enrolment's contract; None where there is none.
        closed_period: Last assessed period when the newest such case was closed.
        is_overridden: Whether a person set a tier that opens no case.
        owner_id: Who looks after the student.
        drawn: Choice -> rule that was drawn for the student before: it stays.
        capacity_rank: Position by risk in the batch, from 1.
    """

    enrolment: Enrolment
    assessment: Assessment
    points: Sequence[Point]
    rank: int
    change: float
    case: Case | None
    closed_period: int | None
    is_overridden: bool
    owner_id: int | None
    drawn: dict[str, str]
    capacity_rank: int


@dataclass(frozen=True, slots=True)
class Alerts:
    """Changes cases after assessments.

    Attributes:
        policy: In force.
        rules: Of the policy.
        at: Moment of the change.
    """

    policy: Policy
    rules: TierRules
    at: datetime

    def react(self, book: Casebook, now: Situation) -> None:
        """Open or change the case of an enrolment, as its new assessment asks for."""
        if now.case is None:
            since = now.closed_period or 0
            points = [point for point in now.points if point.period > since]
            if opens_case(points, self.rules) and not now.is_overridden:
                case = self._open(book, now)
                self._suggest(book, case, now)
            return
        case, before = now.case, now.case.rank
        if now.rank != before:
            book.append(case, EventKind.TIER_CHANGED, self._estimate(now), at=self.at)
        if now.rank > before:
            if case.snoozed_until is not None:
                book.append(case, EventKind.SNOOZE_ENDED, {"why": "tier_rose"}, at=self.at)
            self._suggest(book, case, now)
        elif before in self.rules.opens and now.rank not in self.rules.opens:
            self._praise(book, case, now)
        elif not any(one.state in OPEN_INTERVENTIONS for one in book.interventions(case).values()):
            self._suggest(book, case, now)

    def _open(self, book: Casebook, now: Situation) -> Case:
        days = [int(one["due_days"]) for one in now.assessment.recommendations]
        payload = {
            "enrolment_id": now.enrolment.id,
            "concern": concern_of(now.enrolment.id),
            "origin": "assessment",
            "topic": now.enrolment.contract,
            "owner_id": now.owner_id,
            "due": self._due(min(days, default=_DUE_DAYS)).isoformat(),
            **self._estimate(now),
        }
        event = Event(EventKind.OPENED, self.at, None, payload)
        case = book.open(now.enrolment.student_id, event)
        case.change = now.change
        return case

    def _suggest(self, book: Casebook, case: Case, now: Situation) -> None:
        """Suggest what the policy recommends and the case has not had yet; log each decision."""
        had = {one.rule for one in book.interventions(case).values()}
        decisions: list[tuple[Decision, dict[str, Any]]] = []
        for position, shown in enumerate(now.assessment.recommendations, start=1):
            choice = next(
                (one.choice for one in self.policy.rules if one.id == shown["rule"]), None
            )
            equals = [one.id for one in self.policy.rules if choice and one.choice == choice]
            if had & {shown["rule"], *equals}:
                continue
            # A student stays with what was drawn first; only that draw was by chance.
            before = now.drawn.get(choice) if choice else None
            drawing = draw([before]) if before else draw(equals or [shown["rule"]])
            if choice:
                now.drawn[choice] = drawing.chosen
            had.add(drawing.chosen)
            decision = self._decision(case, now, position)
            decision.choice = choice
            decision.candidates = list(drawing.candidates)
            decision.propensities = list(drawing.propensities)
            decision.chosen, decision.chosen_by = drawing.chosen, drawing.by
            decision.seed = drawing.seed
            decisions.append((decision, self._action(drawing.chosen, shown)))
        book.session.add_all(decision for decision, _ in decisions)
        book.session.flush()
        for decision, action in decisions:
            payload = {
                **action,
                "rule": decision.chosen,
                "decision_id": decision.id,
                "period": now.assessment.period,
                "risk": now.assessment.probability,
            }
            suggest_in(book, case, payload, actor=None, at=self.at)

    def _action(self, chosen: str, shown: dict[str, Any]) -> dict[str, Any]:
        rule = next((one for one in self.policy.rules if one.id == chosen), None)
        if rule is None:
            action, owner, days = shown["recommendation"], shown["owner"], int(shown["due_days"])
        else:
            action, owner, days = rule.recommendation, rule.owner, rule.due_days
        return {"action": action, "owner_role": owner, "due": self._due(days).isoformat()}

    def _praise(self, book: Casebook, case: Case, now: Situation) -> None:
        praise = self.policy.praise
        if praise is None:
            return
        payload = {
            "action": praise.recommendation,
            "owner_role": praise.owner,
            "due": self._due(praise.due_days).isoformat(),
            "rule": None,
            "period": now.assessment.period,
            "risk": now.assessment.probability,
        }
        suggest_in(book, case, payload, actor=None, at=self.at)

    def _decision(self, case: Case, now: Situation, position: int) -> Decision:
        made = now.assessment
        risk = float(made.probability or 0.0)
        bounds = (self.rules.bounds or ())[1:]
        return Decision(
            student_id=now.enrolment.student_id,
            enrolment_id=now.enrolment.id,
            case_id=case.id,
            assessment_id=made.id,
            period=made.period,
            at=self.at,
            position=position,
            model_version=made.model_version,
            policy=made.policy,
            policy_version=made.policy_version,
            probability=risk,
            tier=made.tier,
            threshold_distance=min((risk - bound for bound in bounds), key=abs, default=None),
            capacity_rank=now.capacity_rank,
        )

    def _estimate(self, now: Situation) -> dict[str, Any]:
        return {
            "tier": self.rules.names[now.rank],
            "rank": now.rank,
            "risk": now.assessment.probability,
            "period": now.assessment.period,
            "assessment_id": now.assessment.id,
        }

    def _due(self, days: int) -> date:
        return (self.at + timedelta(days=days)).date()


def concern_of(enrolment_id: int) -> str:
    """Return the concern of an enrolment's assessments."""
    return f"contract:{enrolment_id}"
