"""Compile a policy's rules into arrays with one element a rule, for one contract and reference."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from records.arrays import Bools, Doubles, Floats, Positions
from records.contract import Better, Contract, Feature, Kind
from records.learnt.reference import Reference
from scoring.policy.model import Measure, Rule

# Values arrive as float32: 0.7 is 0.69999999 there, and must not count as worse than 0.7. Relative
# to the size of the values, which is the contract's range where it has one.
TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class RuleArrays:
    """Rules in the order of the policy, laid out to be applied to (periods, rules, rows).

    Attributes:
        feature: (rules,) position of the feature in the contract.
        window: (rules, 1) float32, number of the last observed values that the rule uses.
        required: (rules, 1) float32, fewest values that it needs.
        mean: (periods, rules, 1) float32, subtracted from values: the cohort's mean of the period
            for rules against the cohort, NaN where there is none; 0 for the others.
        scale: (periods, rules, 1) float32, divides values: the cohort's standard deviation of the
            period, NaN where there is none or it is zero; 1 for rules with a fixed target.
        sign: (rules, 1) +1 where a higher value is worse, -1 where a lower one is.
        limit: (rules, 1) largest deviation to the worse side that is still allowed; for gaps, the
            number of missing periods from which the rule applies.
        margin: (rules, 1) by how much the deviation must exceed the limit: just above 0 for 'worse
            than', just below 0 for 'at least'.
        expected: (rules,) the target that is shown; NaN for rules against the cohort.
        unit_distance: (rules, periods + 1) excess over the limit that counts as 1 in the severity,
            by the last period used: the cohort's standard deviation; 1 for rules that count in
            standard deviations already; the limit for gaps.
        trends: Positions of the rules over trends.
        gaps: Positions of the rules over gaps.
        counted: (gaps, periods + 1) of how many of the first p periods each gap counts.
        level_rules: Positions of the rules over levels.
        levels: (level rules, codes) codes of levels that each of them applies to.
        is_trend: (rules,)
        is_gap: (rules,)
        is_cohort: (rules,) whether the rule compares with the cohort.
        is_level_rule: (rules,)
        periods: (periods, 1, 1) float64, 1, 2, …
        later: (periods, periods) float32, 1 where the column is not before the row.
    """

    feature: Positions
    window: Floats
    required: Floats
    mean: Floats
    scale: Floats
    sign: Doubles
    limit: Doubles
    margin: Doubles
    expected: Doubles
    unit_distance: Doubles
    trends: Positions
    gaps: Positions
    counted: Positions
    level_rules: Positions
    levels: Bools
    is_trend: Bools
    is_gap: Bools
    is_cohort: Bools
    is_level_rule: Bools
    periods: Doubles
    later: Floats

    @classmethod
    def from_rules(cls, rules: Sequence[Rule], contract: Contract, reference: Reference) -> Self:
        """Compile rules, at least one."""
        features = [contract.feature(rule.feature) for rule in rules]
        pairs = list(zip(rules, features, strict=True))
        column = np.array([contract.feature_names.index(rule.feature) for rule in rules], np.intp)
        is_trend, is_gap = (
            np.array([rule.measure is measure for rule in rules], np.bool_)
            for measure in (Measure.TREND, Measure.GAP)
        )
        is_cohort = np.array([rule.standard_deviations is not None for rule in rules], np.bool_)
        is_level_rule = np.array([rule.is_any is not None for rule in rules], np.bool_)
        window = np.where(is_gap, 1, [rule.depth for rule in rules])
        sign = np.array([_sign(rule, feature) for rule, feature in pairs])
        limit = np.array([_limit(rule, feature) for rule, feature in pairs], np.float64)
        sizes = [_size(rule, feature) for rule, feature in pairs]
        tolerance = TOLERANCE * np.maximum(sizes, np.abs(limit))
        is_strict = np.array([rule.worse_than is not None for rule in rules], np.bool_)
        mean, scale = (part[1:-1, column] for part in reference.scales())
        gaps = np.flatnonzero(is_gap)
        return cls(
            feature=column,
            window=_column(window.astype(np.float32)),
            required=_column(np.where(is_trend, window, 1).astype(np.float32)),
            mean=np.where(is_cohort, mean, np.float32(0))[:, :, None],
            scale=np.where(is_cohort, scale, np.float32(1))[:, :, None],
            sign=_column(sign),
            limit=_column(limit),
            margin=_column(np.where(is_strict, tolerance, -tolerance)),
            expected=np.where(is_cohort, np.nan, sign * limit),
            unit_distance=_unit_distance(reference, column, limit, is_cohort, is_gap),
            trends=np.flatnonzero(is_trend),
            gaps=gaps,
            counted=_counted([rules[at] for at in gaps.tolist()], column[gaps], reference),
            level_rules=np.flatnonzero(is_level_rule),
            levels=_levels(pairs),
            is_trend=is_trend,
            is_gap=is_gap,
            is_cohort=is_cohort,
            is_level_rule=is_level_rule,
            periods=np.arange(1.0, contract.periods.maximum + 1)[:, None, None],
            later=np.triu(np.ones((contract.periods.maximum,) * 2, np.float32)),
        )


def _column(values: np.ndarray) -> np.ndarray:
    return values[:, None]


def _counted(rules: Sequence[Rule], features: Positions, reference: Reference) -> Positions:
    count = np.array(reference.count, np.float64)
    # How many of the cohort were still there is not recorded; its best observed feature tells.
    present = np.maximum(count.max(axis=1, keepdims=True), 1)
    shares = (count / present)[:, features]
    counts = shares >= [rule.usual_share or 0.0 for rule in rules]
    return np.vstack([np.zeros((1, len(rules)), np.intp), np.cumsum(counts, axis=0)]).T.copy()


def _unit_distance(
    reference: Reference, features: Positions, limit: Doubles, is_cohort: Bools, is_gap: Bools
) -> Doubles:
    deviation = reference.arrays()[1][:, features]
    # Where the cohort does not vary, the limit itself is the unit.
    distance = np.where(deviation > 0, deviation, np.where(limit == 0, 1, np.abs(limit)))
    distance = np.vstack([np.ones((1, len(features))), np.where(is_cohort, 1, distance)])
    return np.where(is_gap, limit, distance).T.copy()


def _levels(pairs: Sequence[tuple[Rule, Feature]]) -> Bools:
    over_levels = [(rule, feature) for rule, feature in pairs if rule.is_any is not None]
    codes = max([2, *(len(feature.levels) for _, feature in over_levels)])
    levels = np.zeros((len(over_levels), codes), np.bool_)
    for row, (rule, feature) in enumerate(over_levels):
        levels[row, [_code(value, feature) for value in rule.is_any or ()]] = True
    return levels


def _sign(rule: Rule, feature: Feature) -> float:
    higher_is_worse = feature.better is not Better.HIGHER or rule.is_any is not None
    return 1.0 if higher_is_worse or rule.measure is Measure.GAP else -1.0


def _size(rule: Rule, feature: Feature) -> float:
    if rule.standard_deviations is not None:
        return 1.0
    bounds = (feature.lower_bound, feature.upper_bound)
    return max([1.0, *(abs(bound) for bound in bounds if math.isfinite(bound))])


def _limit(rule: Rule, feature: Feature) -> float:
    if rule.worse_than is not None:
        target = rule.worse_than
        ordinal = feature.kind is Kind.ORDINAL
        return _sign(rule, feature) * (_code(str(target), feature) if ordinal else float(target))
    return rule.standard_deviations or rule.worsens_by or rule.at_least or 0.0


def _code(value: bool | str, feature: Feature) -> int:
    return int(value) if isinstance(value, bool) else feature.levels.index(value)
