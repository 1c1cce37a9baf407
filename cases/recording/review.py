"""Review interventions when a new period arrives: did the risk move, and against what.

The risk before is that of the period in which the intervention started. It is compared with the
trajectory's own expectation (its trend up to then, continued) and with students of about the same
risk at that period who had no intervention. None of this is an effect: advisers choose whom to help.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cases.casework.events import Casebook
from cases.casework.states import EventKind, ReviewResult
from cases.tables.events import Case, Intervention
from cases.tables.people import Enrolment
from cases.tables.records import Assessment, Standing

_CLEARLY = 0.05
_ALIKE = 0.05
_FEWEST = 10
_TREND = 3


@dataclass(frozen=True, slots=True)
class _Due:
    intervention: Intervention
    case: Case
    latest: Assessment
    started: int


def review_interventions(session: Session, contract: str, at: datetime) -> int:
    """Review what is under way or was done, where a later period was assessed since.

    Args:
        session: The caller's transaction.
        contract: Whose enrolments.
        at: Moment of the reviews.

    Returns:
        Interventions reviewed; a second call in the same period reviews none.
    """
    due = _due(session, contract)
    book = Casebook(session)
    book.ring.load(one.case.student_id for one in due)
    book.preload(one.case for one in due)
    cohorts: dict[tuple[int, int], list[tuple[float, float]]] = {}
    for one in due:
        span = one.started, one.latest.period
        if span not in cohorts:
            cohorts[span] = _untreated(session, contract, *span)
        figures = _figures(one, cohorts[span])
        payload = {
            "number": one.intervention.number,
            "result": _result(figures),
            "figures": figures,
        }
        book.append(one.case, EventKind.REVIEWED, payload, at=at)
    return len(due)


def _due(session: Session, contract: str) -> list[_Due]:
    rows = session.execute(
        select(Intervention, Case, Assessment)
        .join(Case, Case.id == Intervention.case_id)
        .join(Enrolment, Enrolment.id == Case.enrolment_id)
        .join(Standing, Standing.enrolment_id == Enrolment.id)
        .join(Assessment, Assessment.id == Standing.latest_id)
        .where(
            Enrolment.contract == contract,
            Intervention.started_period.is_not(None),
            Intervention.risk_before.is_not(None),
            Assessment.period > Intervention.started_period,
            Assessment.probability.is_not(None),
        )
        .order_by(Case.id, Intervention.number)
        .with_for_update(of=Case)
    )
    return [
        _Due(intervention, case, latest, intervention.started_period)
        for intervention, case, latest in rows
        if intervention.started_period is not None
        and (intervention.review is None or intervention.review["period"] < latest.period)
    ]


def _untreated(
    session: Session, contract: str, started: int, now: int
) -> list[tuple[float, float]]:
    """Return the risk at two periods of enrolments whose cases never had an intervention."""
    treated = (
        select(Case.enrolment_id)
        .join(Intervention, Intervention.case_id == Case.id)
        .where(Intervention.started_at.is_not(None), Case.enrolment_id.is_not(None))
    )
    newest = (
        select(func.max(Assessment.id))
        .join(Enrolment, Enrolment.id == Assessment.enrolment_id)
        .where(
            Enrolment.contract == contract,
            Assessment.period.in_((started, now)),
            Assessment.enrolment_id.not_in(treated),
            Assessment.probability.is_not(None),
        )
        .group_by(Assessment.enrolment_id, Assessment.period)
    )
    risks: dict[int, dict[int, float]] = {}
    for enrolment_id, period, probability in session.execute(
        select(Assessment.enrolment_id, Assessment.period, Assessment.probability).where(
            Assessment.id.in_(newest)
        )
    ):
        risks.setdefault(enrolment_id, {})[period] = float(probability or 0)
    return [(both[started], both[now]) for both in risks.values() if len(both) == 2]


def _figures(one: _Due, untreated: Sequence[tuple[float, float]]) -> dict[str, Any]:
    before = float(one.intervention.risk_before or 0)
    after = float(one.latest.probability or 0)
    alike = [later - risk for risk, later in untreated if abs(risk - before) <= _ALIKE]
    return {
        "period": one.latest.period,
        "before": before,
        "after": after,
        "expected": _expected(one.latest.trajectory, one.started, one.latest.period),
        "comparable": len(alike),
        "comparable_change": round(median(alike), 6) if len(alike) >= _FEWEST else None,
    }


def _expected(trajectory: Sequence[dict[str, Any]], started: int, now: int) -> float | None:
    """Continue the trend of the last three points up to the start, in logits."""
    points = [
        (int(point["period"]), _logit(float(point["risk"])))
        for point in trajectory
        if point["risk"] is not None and point["period"] <= started
    ][-_TREND:]
    if len(points) < 2:
        return None
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / spread
    return round(1 / (1 + math.exp(-(points[-1][1] + slope * (now - started)))), 6)


def _result(figures: dict[str, Any]) -> ReviewResult:
    """Improved where the risk fell clearly, and by more than it was going to or others' did."""
    change = figures["after"] - figures["before"]
    if change >= _CLEARLY:
        return ReviewResult.WORSE
    if change > -_CLEARLY:
        return ReviewResult.UNCHANGED
    against = [figures["comparable_change"]]
    if figures["expected"] is not None:
        against.append(figures["expected"] - figures["before"])
    known = [one for one in against if one is not None]
    is_more = not known or change < min(known)
    return ReviewResult.IMPROVED if is_more else ReviewResult.UNCHANGED


def _logit(risk: float) -> float:
    clipped = min(max(risk, 1e-6), 1 - 1e-6)
    return math.log(clipped / (1 - clipped))
