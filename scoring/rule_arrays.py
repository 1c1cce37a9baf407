"""Turn a policy's rules into arrays, one element a rule, for one contract and reference."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from records.cohort import Bools
from records.contract import Better, Contract, Feature, Kind
from records.reference import Reference
from scoring.measures import Doubles, Positions
from scoring.policy import Measure, Rule

# Values arrive as float32: 0.7 is 0.69999999 there, and must not count as worse than 0.7. Relative
# to the size of the values, which is the contract's range where it has one.
TOLERANCE = 1e-6
Numbered = Sequence[tuple[int, Rule]]


@dataclass(frozen=True, slots=True, eq=False)
class WindowedRules:
    """Rules over level and trend, those against the cohort last.

    They read a table whose columns are all features' values, then the same values in spreads from
    the reference, then the reference's means. Arrays are (rules,) unless said otherwise.

    Attributes:
        rules: Positions in the policy.
        targets: How many of them compare with a fixed target; the others with the cohort.
        trend: Whether the slope counts, not the level.
        sign: +1 where a higher value is worse, -1 where a lower one is.
        expected: What is told as expected by those with a fixed target, NaN for the others.
        limit: How bad, on the worse side, the measure may be.
        margin: How far beyond `limit` it must lie: just above 0 for 'worse than', just below for
            'at least'.
        levels: (rules, levels) which codes a rule over levels applies to.
        over_levels: Whether it is a rule over levels.
        far: (periods + 1, rules) how far beyond the limit counts as one, by the last period used:
            the cohort's spread; 1 for rules that count in spreads already.
        measured: (measures,) the rule that each measure belongs to: one measure a rule to decide
            by, then for those against the cohort the student's own and the reference's.
        columns: (measures,) columns of the table.
        slots: (largest window, 1, rules) whether a rule's window reaches that far back.
        trends: Which measures are slopes.
        trend_windows: (slopes,) the windows of their rules.
        every: 0, 1, … up to the last rule.
        any_over_levels: Whether there is a rule over levels at all.
    """

    rules: Positions
    targets: int
    trend: Bools
    sign: Doubles
    expected: Doubles
    limit: Doubles
    margin: Doubles
    levels: Bools
    over_levels: Bools
    far: Doubles
    measured: Positions
    columns: Positions
    slots: Bools
    trends: Positions
    trend_windows: Positions
    every: Positions
    any_over_levels: bool

    @classmethod
    def of(cls, numbered: Numbered, contract: Contract, reference: Reference) -> Self:
        """Compile rules, each with its position in the policy."""
        ordered = sorted(numbered, key=lambda pair: pair[1].spreads is not None)
        rules = [rule for _, rule in ordered]
        features = [contract.feature(rule.feature) for rule in rules]
        limits = np.array([_limit(r, f) for r, f in zip(rules, features, strict=True)], np.float64)
        sizes = [_size(rule, f) for rule, f in zip(rules, features, strict=True)]
        tolerance = TOLERANCE * np.maximum(sizes, np.abs(limits))
        levels = np.zeros((len(rules), max((2, *(len(f.levels) for f in features)))), np.bool_)
        for row, (rule, feature) in enumerate(zip(rules, features, strict=True)):
            levels[row, [_code(value, feature) for value in rule.is_any or ()]] = True
        targets = sum(rule.spreads is None for rule in rules)
        every, cohort = np.arange(len(rules)), np.arange(targets, len(rules))
        positions, width = _columns(rules, contract), len(contract.features)
        deciding = positions + width * (every >= targets)
        measured = np.concatenate((every, cohort, cohort))
        windows = np.array([rule.depth for rule in rules], np.intp)
        trend = np.array([rule.measure is Measure.TREND for rule in rules], np.bool_)
        sign = np.array([_worse(r, f) for r, f in zip(rules, features, strict=True)])
        return cls(
            rules=np.array([index for index, _ in ordered], np.intp),
            targets=targets,
            trend=trend,
            sign=sign,
            expected=np.where(every < targets, sign * limits, np.nan),
            limit=limits,
            margin=np.where([r.worse_than is not None for r in rules], tolerance, -tolerance),
            levels=levels,
            over_levels=np.array([rule.is_any is not None for rule in rules], np.bool_),
            far=_far(reference, positions, limits, targets),
            measured=measured,
            columns=np.concatenate((deciding, positions[cohort], positions[cohort] + 2 * width)),
            slots=np.arange(windows.max())[:, None, None] < windows,
            trends=np.flatnonzero(trend[measured]),
            trend_windows=windows[measured][trend[measured]],
            every=every,
            any_over_levels=any(rule.is_any is not None for rule in rules),
        )


@dataclass(frozen=True, slots=True, eq=False)
class GapRules:
    """Rules over gaps.

    Attributes:
        rules: (rules,) positions in the policy.
        columns: (rules,) positions of their features.
        expected: (rules,) missing periods from which they apply.
        counted: (periods + 1, rules) how many of the first p periods count.
    """

    rules: Positions
    columns: Positions
    expected: Doubles
    counted: Positions

    @classmethod
    def of(cls, numbered: Numbered, contract: Contract, reference: Reference) -> Self:
        """Compile rules, each with its position in the policy."""
        rules = [rule for _, rule in numbered]
        columns = _columns(rules, contract)
        count = np.array(reference.count, np.float64)
        # How many of the cohort were still there is not recorded; its best observed feature tells.
        present = np.maximum(count.max(axis=1, keepdims=True), 1)
        counts = (count / present)[:, columns] >= [rule.usual_share or 0.0 for rule in rules]
        return cls(
            rules=np.array([index for index, _ in numbered], np.intp),
            columns=columns,
            expected=np.array([rule.at_least for rule in rules], np.float64),
            counted=np.vstack([np.zeros((1, len(rules)), np.intp), np.cumsum(counts, axis=0)]),
        )


def _columns(rules: Sequence[Rule], contract: Contract) -> Positions:
    return np.array([contract.feature_names.index(rule.feature) for rule in rules], np.intp)


def _far(reference: Reference, features: Positions, limits: Doubles, targets: int) -> Doubles:
    spread = reference.arrays()[1][:, features]
    # Where the cohort does not vary, the limit itself is the measure of what is far.
    far = np.where(spread > 0, spread, np.where(limits == 0, 1, np.abs(limits)))
    far[:, targets:] = 1
    return np.vstack([np.ones((1, len(features))), far])


def _worse(rule: Rule, feature: Feature) -> float:
    return -1.0 if feature.better is Better.HIGHER and rule.is_any is None else 1.0


def _size(rule: Rule, feature: Feature) -> float:
    bounds = (feature.lower_bound, feature.upper_bound)
    known = [] if rule.spreads is not None else [abs(b) for b in bounds if math.isfinite(b)]
    return max([1.0, *known])


def _limit(rule: Rule, feature: Feature) -> float:
    if rule.worse_than is not None:
        target = rule.worse_than
        ordinal = feature.kind is Kind.ORDINAL
        return _worse(rule, feature) * (_code(str(target), feature) if ordinal else float(target))
    return rule.spreads or rule.worsens_by or 0.0


def _code(value: bool | str, feature: Feature) -> int:
    return int(value) if isinstance(value, bool) else feature.levels.index(value)
