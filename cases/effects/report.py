"""The effects of a term, from what the desk has recorded: process, discontinuities, draws.

Each student counts once in each estimate: with the assessment of one period at a tier's bound, with
the first draw of a choice. Comparisons of students whom advisers chose are left out: the worse
get more help, so such a difference says nothing about the help.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cases.effects.discontinuity import Discontinuity, discontinuity
from cases.effects.figures import detectable_effect
from cases.effects.process import ProcessFigures, process_figures
from cases.effects.randomised import Comparison, Drawn, compare
from cases.scope import Scope
from cases.tables.events import Case, Decision
from cases.tables.people import Enrolment
from cases.tables.records import Assessment, Outcome
from scoring.policy.model import Policy


@dataclass(frozen=True, slots=True)
class TierEffect:
    """What reaching a tier changes, for students close to its bound.

    Attributes:
        estimate: None where too few students lie close to the bound.
    """

    tier: str
    period: int
    estimate: Discontinuity | None


@dataclass(frozen=True, slots=True)
class ChoiceEffect:
    """Two recommendations of a choice beside each other.

    Attributes:
        drawn: Students who were drawn each.
        estimate: Outcome of the first minus that of the second; None with too few students.
        detectable: Smallest difference that so many students would show four times in five.
    """

    choice: str
    first: str
    second: str
    drawn: tuple[int, int]
    estimate: Comparison | None
    detectable: float


@dataclass(frozen=True, slots=True)
class EffectsReport:
    """What is known of the effects of a term.

    Attributes:
        outcome: Definition of the outcome.
        students: With a known outcome.
        rate: Mean outcome.
    """

    outcome: str
    students: int
    rate: float | None
    process: ProcessFigures
    tiers: list[TierEffect]
    choices: list[ChoiceEffect]


def effects_report(
    session: Session,
    scope: Scope,
    policy: Policy,
    *,
    outcome: str = "risk",
    period: int | None = None,
) -> EffectsReport:
    """Estimate the effects of a term.

    Args:
        session: The caller's transaction.
        scope: Students that the caller may see.
        policy: In force during the term: its tiers and choices.
        outcome: Definition of the outcome, fixed before the term.
        period: Whose assessments lie beside the bounds; the one with the most decisions unless
            given.
    """
    outcomes = {
        row[0]: row[1]
        for row in session.execute(
            select(Outcome.enrolment_id, Outcome.value)
            .join(Enrolment, Enrolment.id == Outcome.enrolment_id)
            .where(
                Enrolment.contract == policy.contract,
                scope.covers(Enrolment.student_id),
                Outcome.definition == outcome,
                Outcome.period == 0,
            )
        )
    }
    values = list(outcomes.values())
    rate = float(np.mean(values)) if values else None
    return EffectsReport(
        outcome=outcome,
        students=len(values),
        rate=rate,
        process=process_figures(session, scope, contract=policy.contract),
        tiers=_tiers(session, scope, policy, outcomes, period),
        choices=_choices(session, scope, policy, outcomes, rate),
    )


def _tiers(
    session: Session,
    scope: Scope,
    policy: Policy,
    outcomes: dict[int, float],
    period: int | None,
) -> list[TierEffect]:
    if policy.capacity is not None:
        return []
    if period is None:
        period = _period_of_decisions(session, policy)
    if period is None:
        return []
    newest = (
        select(func.max(Assessment.id))
        .join(Enrolment, Enrolment.id == Assessment.enrolment_id)
        .where(
            Enrolment.contract == policy.contract,
            scope.covers(Enrolment.student_id),
            Assessment.period == period,
            Assessment.probability.is_not(None),
        )
        .group_by(Assessment.enrolment_id)
    )
    rows = session.execute(
        select(Assessment.enrolment_id, Assessment.probability).where(Assessment.id.in_(newest))
    ).all()
    reached = set(
        session.scalars(
            select(Case.enrolment_id).where(
                Case.enrolment_id.is_not(None), Case.first_contact_at.is_not(None)
            )
        )
    )
    risk = np.array([row.probability for row in rows], np.float64)
    result = np.array([outcomes.get(row.enrolment_id, np.nan) for row in rows], np.float64)
    contacted = np.array([float(row.enrolment_id in reached) for row in rows])
    return [
        TierEffect(tier.name, period, discontinuity(risk, result, tier.from_, contacted=contacted))
        for tier in policy.tiers[1:]
    ]


def _period_of_decisions(session: Session, policy: Policy) -> int | None:
    found = session.execute(
        select(Decision.period, func.count())
        .where(Decision.policy == policy.name)
        .group_by(Decision.period)
        .order_by(func.count().desc(), Decision.period)
        .limit(1)
    ).first()
    return None if found is None else int(found[0])


def _choices(
    session: Session,
    scope: Scope,
    policy: Policy,
    outcomes: dict[int, float],
    rate: float | None,
) -> list[ChoiceEffect]:
    rows = session.scalars(
        select(Decision)
        .where(
            Decision.choice.is_not(None),
            Decision.chosen_by != "rule",
            Decision.policy == policy.name,
            scope.covers(Decision.student_id),
        )
        .order_by(Decision.id)
    )
    by_choice: dict[str, dict[int, Decision]] = {}
    for row in rows:
        by_choice.setdefault(str(row.choice), {}).setdefault(row.student_id, row)
    found = []
    for choice, firsts in sorted(by_choice.items()):
        names = [one.id for one in policy.rules if one.choice == choice]
        pairs = [(a, b) for at, a in enumerate(names) for b in names[at + 1 :]]
        for first, second in pairs:
            chosen = [
                one
                for one in firsts.values()
                if one.chosen in {first, second} and one.enrolment_id in outcomes
            ]
            found.append(_pair(choice, (first, second), chosen, outcomes, rate))
    return found


def _pair(
    choice: str,
    names: tuple[str, str],
    decisions: list[Decision],
    outcomes: dict[int, float],
    rate: float | None,
) -> ChoiceEffect:
    shares = []
    for one in decisions:
        probabilities = dict(zip(one.candidates, one.propensities, strict=True))
        both = probabilities[names[0]] + probabilities[names[1]]
        # Given that one of the two was drawn.
        shares.append(probabilities[names[0]] / both)
    drawn = Drawn(
        is_first=np.array([one.chosen == names[0] for one in decisions], np.bool_),
        propensity=np.array(shares, np.float64),
        outcome=np.array([outcomes[one.enrolment_id] for one in decisions], np.float64),
        covariates=np.array([[one.probability, one.period] for one in decisions], np.float64),
    )
    number = Counter(one.chosen for one in decisions)
    arms = number[names[0]], number[names[1]]
    is_share = rate is not None and 0 < rate < 1
    return ChoiceEffect(
        choice=choice,
        first=names[0],
        second=names[1],
        drawn=arms,
        estimate=compare(drawn) if len(decisions) else None,
        detectable=detectable_effect(arms[0], rate=rate or 0.5, other_arm=max(arms[1], 1))
        if is_share
        else float("inf"),
    )
