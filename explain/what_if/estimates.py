"""Estimates beside recommendations: what the model would give if their feature reached its target."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan
from typing import Annotated, Final

from pydantic import Field

from explain.questions import Question
from explain.what_if.futures import Futures
from explain.what_if.levers import Lever
from explain.words import Shown, shown
from records.arrays import Floats
from scoring.policy.model import Policy
from scoring.policy.parts import Rule
from scoring.rounding import round_risk

# Periods that the feature stays at its target.
PERIODS: Final = 2


@dataclass(frozen=True, slots=True)
class RecommendationEstimate:
    """What the model would estimate if a recommendation's feature reached the policy's target.

    An estimate for a future that somebody chose: no promise, and no statement of causes.
    """

    rule: Annotated[str, Field(description="Rule of the recommendation.", examples=["quiz-low"])]
    feature: Annotated[str, Field(description="Its feature.", examples=["quiz"])]
    to: Annotated[Shown, Field(description="The target.", examples=[60])]
    periods: Annotated[int, Field(description="For how many periods.", examples=[2])]
    risk: Annotated[float, Field(description="The estimate after them.", examples=[0.613])]
    change: Annotated[
        float,
        Field(description="Against going on as in the last three periods.", examples=[-0.121]),
    ]


def estimate_recommendations(
    futures: Futures,
    policy: Policy,
    history: Floats,
    recommended: Sequence[tuple[int, float]],
    hidden: Sequence[str],
) -> Question[tuple[RecommendationEstimate, ...]]:
    """Ask what the model would estimate if each recommendation's feature reached its target.

    Args:
        futures: Makes futures.
        policy: Whose rules were applied.
        history: (observed periods, features), relative features filled in.
        recommended: Position of each rule in the policy, and what was expected; NaN for none.
        hidden: Features that are not offered.

    Returns:
        The largest reduction first. Rules whose feature cannot be changed, or is at the target
        already, have none; no student has any after the contract's last period.
    """
    contract = futures.contract
    periods = min(PERIODS, contract.periods.maximum - len(history))
    if not periods or not recommended:
        return ()
    outlook = futures.outlook(history, periods, hidden)
    levers = {lever.feature.name: lever for lever in outlook.levers}
    targets: list[tuple[Rule, Lever, float]] = []
    for position, expected in recommended:
        rule = policy.rules[position]
        lever = levers.get(rule.feature)
        if lever is None:
            continue
        target = _target(rule, lever, expected)
        now = float(outlook.course[0, lever.column])
        if not isnan(target) and (isnan(now) or (target - now) * lever.sign > 0):
            targets.append((rule, lever, target))
    if not targets:
        return ()
    changes = [outlook.changed({lever.column: target}) for _, lever, target in targets]
    risks = round_risk((yield futures.histories(outlook, [{}, *changes]))[:, -1]).tolist()
    found = [
        RecommendationEstimate(
            rule=rule.id,
            feature=rule.feature,
            to=shown(lever.feature, target),
            periods=periods,
            risk=risk,
            change=round(risk - risks[0], 6) + 0.0,
        )
        for (rule, lever, target), risk in zip(targets, risks[1:], strict=True)
    ]
    return tuple(sorted(found, key=lambda one: one.change))


def _target(rule: Rule, lever: Lever, expected: float) -> float:
    """Return the policy's own target; the typical value where a rule names none."""
    if isinstance(rule.worse_than, str):
        return float(lever.feature.levels.index(rule.worse_than))
    if rule.measure == "level" and not isnan(expected):
        return expected
    return lever.typical
