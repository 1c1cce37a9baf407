"""Turn a policy's rules into arrays, one element a rule, for one contract and reference."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from records.arrays import Bools, Doubles, Positions
from records.contract import Better, Contract, Feature, Kind
from records.reference import Reference
from scoring.policy.measure_plan import MeasurePlan
from scoring.policy.model import Measure, Rule

# Values arrive as float32: 0.7 is 0.69999999 there, and must not count as worse than 0.7. Relative
# to the size of the values, which is the contract's range where it has one.
TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class RuleArrays:
    """Rules in the order of the policy; arrays are (rules,) unless said otherwise.

    Attributes:
        plan: What is measured.
        history: The history that decides.
        windows: How many values each uses.
        sign: +1 where a higher value is worse, -1 where a lower one is.
        limit: How bad, on the worse side, the measure may be; for a gap, the missing periods from
            which the rule applies.
        margin: How far beyond `limit` it must lie: just above 0 for 'worse than', just below for
            'at least'.
        expected: What is told as expected; NaN for those against the cohort.
        far: (rules, periods + 1) how far beyond the limit counts as one, by the last period used:
            the cohort's spread; 1 for rules that count in standard deviations already, the limit for gaps.
        trend: Whether the slope counts, not the level.
        cohort: Whether it compares with the cohort, not with a fixed target.
        over_levels: Whether it is a rule over levels.
        levels: (rules over levels, levels) which codes each of them applies to.
        gap: Whether missing periods count.
        gaps: Positions of the rules over gaps.
        listed: Positions of the rules over levels.
        any_cohort: Whether there is a rule against the cohort at all.
    """

    plan: MeasurePlan
    history: Positions
    windows: Positions
    sign: Doubles
    limit: Doubles
    margin: Doubles
    expected: Doubles
    far: Doubles
    trend: Bools
    cohort: Bools
    over_levels: Bools
    levels: Bools
    gap: Bools
    gaps: Positions
    listed: Positions
    any_cohort: bool

    @classmethod
    def of(cls, rules: Sequence[Rule], contract: Contract, reference: Reference) -> Self:
        """Compile rules, at least one."""
        features = [contract.feature(rule.feature) for rule in rules]
        pairs = list(zip(rules, features, strict=True))
        own = _columns(rules, contract)
        trend = np.array([rule.measure is Measure.TREND for rule in rules], np.bool_)
        gap = np.array([rule.measure is Measure.GAP for rule in rules], np.bool_)
        cohort = np.array([rule.standard_deviations is not None for rule in rules], np.bool_)
        windows = np.array([1 if rule.measure is Measure.GAP else rule.depth for rule in rules])
        sign = np.array([_worse(rule, feature) for rule, feature in pairs])
        limit = np.array([_limit(rule, feature) for rule, feature in pairs], np.float64)
        gaps = [rule for rule in rules if rule.measure is Measure.GAP]
        sizes = [_size(rule, feature) for rule, feature in pairs]
        tolerance = TOLERANCE * np.maximum(sizes, np.abs(limit))
        over_levels = np.array([rule.is_any is not None for rule in rules], np.bool_)
        listed = np.flatnonzero(over_levels)
        levels = np.zeros((len(listed), max(2, *(len(f.levels) for f in features))), np.bool_)
        for row, place in enumerate(listed.tolist()):
            rule, feature = pairs[place]
            levels[row, [_code(value, feature) for value in rule.is_any or ()]] = True
        plan = MeasurePlan.of(rules, _counted(gaps, contract, reference), contract, reference)
        return cls(
            plan=plan,
            history=plan.histories.of_rule,
            windows=windows,
            sign=sign,
            limit=limit,
            margin=np.where([r.worse_than is not None for r in rules], tolerance, -tolerance),
            expected=np.where(cohort, np.nan, sign * limit),
            far=_far(reference, own, limit, cohort, gap),
            trend=trend,
            cohort=cohort,
            over_levels=over_levels,
            levels=levels,
            gap=gap,
            gaps=np.flatnonzero(gap),
            listed=listed,
            any_cohort=bool(cohort.any()),
        )


def _counted(rules: Sequence[Rule], contract: Contract, reference: Reference) -> Positions:
    count = np.array(reference.count, np.float64)
    # How many of the cohort were still there is not recorded; its best observed feature tells.
    present = np.maximum(count.max(axis=1, keepdims=True), 1)
    shares = (count / present)[:, _columns(rules, contract)]
    counts = shares >= [rule.usual_share or 0.0 for rule in rules]
    return np.vstack([np.zeros((1, len(rules)), np.intp), np.cumsum(counts, axis=0)]).T.copy()


def _columns(rules: Sequence[Rule], contract: Contract) -> Positions:
    names = contract.feature_names
    return np.array([names.index(rule.feature) for rule in rules], np.intp)


def _far(
    reference: Reference, features: Positions, limits: Doubles, cohort: Bools, gap: Bools
) -> Doubles:
    spread = reference.arrays()[1][:, features]
    # Where the cohort does not vary, the limit itself is the measure of what is far.
    far = np.where(spread > 0, spread, np.where(limits == 0, 1, np.abs(limits)))
    far = np.vstack([np.ones((1, len(features))), np.where(cohort, 1, far)])
    return np.where(gap, limits, far).T.copy()


def _worse(rule: Rule, feature: Feature) -> float:
    higher_is_worse = feature.better is not Better.HIGHER or rule.is_any is not None
    return 1.0 if higher_is_worse or rule.measure is Measure.GAP else -1.0


def _size(rule: Rule, feature: Feature) -> float:
    bounds = (feature.lower_bound, feature.upper_bound)
    known = (
        [] if rule.standard_deviations is not None else [abs(b) for b in bounds if math.isfinite(b)]
    )
    return max([1.0, *known])


def _limit(rule: Rule, feature: Feature) -> float:
    if rule.worse_than is not None:
        target = rule.worse_than
        ordinal = feature.kind is Kind.ORDINAL
        return _worse(rule, feature) * (_code(str(target), feature) if ordinal else float(target))
    return rule.standard_deviations or rule.worsens_by or rule.at_least or 0.0


def _code(value: bool | str, feature: Feature) -> int:
    return int(value) if isinstance(value, bool) else feature.levels.index(value)
