"""Advise few students: the plan of `scoring.rule_arrays`, followed with plain numbers.

For one student the hundred array operations of `scoring.rules.Findings` take three times as long
as the arithmetic that they do. Here the same plan is followed rule by rule, in the same order of
operations, so that what comes out is the same to the last bit
(`tests/scoring/test_few_rows.py` proves it for any policy and student).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf, isnan
from typing import NamedTuple

import numpy as np

from records.cohort import Floats
from records.reference import Reference
from scoring.rule_arrays import RuleArrays


class Advised(NamedTuple):
    """One recommendation; fields as in `scoring.table.AdviceTable`, not rounded."""

    rule: int
    measured: float
    expected: float
    spreads: float
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class _Rule:
    """One rule of `RuleArrays`, as plain values."""

    place: int
    history: int
    series: int
    window: int
    sign: float
    limit: float
    margin: float
    expected: float
    far: tuple[float, ...]
    trend: bool
    cohort: bool
    levels: tuple[bool, ...] | None
    counted: tuple[int, ...] | None
    priority: int
    topic: int


@dataclass(frozen=True, slots=True)
class _Found:
    """What one rule found in one student."""

    rule: _Rule
    badness: float
    first: int
    last: int
    used: int


class FewRows:
    """Chooses one student's recommendations after another.

    Args:
        rules: The plan.
        reference: The cohort to compare with.
        priority: Of each rule; the lowest speaks first.
        topics: Of each rule; of one topic only the first is kept.
        most: How many recommendations at most.
    """

    def __init__(
        self,
        rules: RuleArrays,
        reference: Reference,
        priority: Sequence[int],
        topics: Sequence[int],
        most: int,
    ) -> None:
        self._reference, self._most = reference, most
        self._features: list[int] = rules.features.tolist()
        allowed = rules.comparable
        self._comparable: list[list[bool] | None] = [
            None if allowed is None or allowed[at].all() else allowed[at].tolist()
            for at in range(len(self._features))
        ]
        # The newest values that any rule on a history uses.
        self._depths = [0] * len(self._features)
        for history, window in zip(rules.history.tolist(), rules.windows.tolist(), strict=True):
            self._depths[history] = max(self._depths[history], window)
        self._compared: list[int] = rules.compared.tolist()
        self._usual: list[list[float]] = reference.scales()[0].tolist()
        self._rules = _plain(rules, priority, topics)

    def advise(self, values: Floats, length: int, speaking: Iterable[int]) -> list[Advised]:
        """Choose what is advised to one student, the worst first.

        Args:
            values: (periods, features) float32, raw units, NaN for missing.
            length: Periods observed.
            speaking: Positions of the rules that speak in the student's tier.
        """
        periods, series = self._histories(values[:length])
        chosen: list[Advised] = []
        taken: set[int] = set()
        for one in sorted(self._decided(periods, series, length, speaking), key=_order):
            if len(chosen) == self._most:
                break
            if one.rule.topic not in taken:
                taken.add(one.rule.topic)
                chosen.append(self._grounds(one, periods, series, length))
        return chosen

    def severities(self, values: Floats, length: int, speaking: Iterable[int]) -> dict[int, float]:
        """Return how severe the finding of every rule that applies is; arguments as `advise`."""
        periods, series = self._histories(values[:length])
        found = self._decided(periods, series, length, speaking)
        return {one.rule.place: _severity(one) for one in found}

    def _decided(
        self,
        periods: list[list[int]],
        series: list[list[float]],
        length: int,
        speaking: Iterable[int],
    ) -> list[_Found]:
        decided = (_decide(self._rules[at], periods, series, length) for at in speaking)
        return [one for one in decided if one is not None]

    def _histories(self, values: Floats) -> tuple[list[list[int]], list[list[float]]]:
        """Return the newest periods of each history, and the values of each series there."""
        table, length = values.tolist(), len(values)
        periods: list[list[int]] = []
        series: list[list[float]] = []
        for feature, allowed, depth in zip(
            self._features, self._comparable, self._depths, strict=True
        ):
            at: list[int] = []
            known: list[float] = []
            for period in range(length, 0, -1):
                value = table[period - 1][feature]
                if value == value and (allowed is None or allowed[period - 1]):  # noqa: PLR0124
                    at.append(period)
                    known.append(value)
                    if len(at) == depth:
                        break
            periods.append(at)
            series.append(known)
        if self._compared:
            mean, scale = self._reference.scales()
            spreads = ((values - mean[1 : length + 1]) / scale[1 : length + 1]).tolist()
            for history in self._compared:
                feature = self._features[history]
                series.append([spreads[period - 1][feature] for period in periods[history]])
        return periods, series

    def _grounds(
        self,
        one: _Found,
        periods: list[list[int]],
        series: list[list[float]],
        length: int,
    ) -> Advised:
        rule, badness = one.rule, one.badness
        if rule.counted is not None:
            first, last = (one.last + 1, length) if badness > 0 else (0, 0)
            return Advised(rule.place, badness, rule.expected, np.nan, first, last)
        if not rule.cohort:
            measured = rule.sign * badness
            return Advised(rule.place, measured, rule.expected, np.nan, one.first, one.last)
        at = periods[rule.history][: one.used]
        feature = self._features[rule.history]
        usual = [self._usual[period][feature] for period in at]
        measured, expected = (
            _measure(rule.trend, numbers, at)
            for numbers in (series[rule.history][: one.used], usual)
        )
        return Advised(rule.place, measured, expected, badness, one.first, one.last)


def _decide(
    rule: _Rule, periods: list[list[int]], series: list[list[float]], length: int
) -> _Found | None:
    """Return what a rule found, or None where it does not apply."""
    at = periods[rule.history]
    last = at[0] if at else 0
    if rule.counted is not None:
        badness = float(rule.counted[length] - rule.counted[last])
        applies = badness - rule.limit > rule.margin
        return _Found(rule, badness, last, last, 1) if applies else None
    used = min(len(at), rule.window)
    if not used or (rule.trend and used < rule.window):
        return None
    badness = rule.sign * _measure(rule.trend, series[rule.series][:used], at[:used])
    if rule.levels is not None:
        applies = rule.levels[int(badness)]
    else:
        applies = badness - rule.limit > rule.margin
    return _Found(rule, badness, at[used - 1], last, used) if applies else None


def _measure(trend: bool, values: Sequence[float], periods: Sequence[int]) -> float:
    """Compute a level or a slope; see `scoring.measures`, whose order of additions this is."""
    count = len(values)
    total = values[0]
    for value in values[1:]:
        total += value
    level = total / count
    if not trend:
        return level
    middle = sum(periods) / count
    rise = run = 0.0
    for period, value in zip(periods, values, strict=True):
        step = period - middle
        rise += step * (value - level)
        run += step * step
    return rise / run


def _severity(one: _Found) -> float:
    """See `scoring.rules.Evaluation.severity`."""
    rule = one.rule
    if rule.levels is not None:
        return 0.5
    stretch = one.last - one.first if rule.trend else 1
    beyond = max((one.badness - rule.limit) * (stretch / rule.far[one.last]), 0.0)
    return beyond / (1 + beyond)


def _order(found: _Found) -> tuple[int, float, int]:
    severity = _severity(found)
    # What has no number comes last.
    worst = inf if isnan(severity) else -severity
    return found.rule.priority, worst, found.rule.place


def _plain(rules: RuleArrays, priority: Sequence[int], topics: Sequence[int]) -> list[_Rule]:
    listed = dict(zip(rules.listed.tolist(), map(tuple, rules.levels.tolist()), strict=True))
    counted = dict(zip(rules.gaps.tolist(), map(tuple, rules.counted.tolist()), strict=True))
    columns = (
        *(rules.history, rules.series, rules.windows, rules.sign, rules.limit, rules.margin),
        *(rules.expected, rules.far.T, rules.trend, rules.cohort),
    )
    return [
        _Rule(
            *(place, history, series, window, sign, limit, margin, expected),
            tuple(far),
            trend,
            cohort,
            listed.get(place),
            counted.get(place),
            priority[place],
            topics[place],
        )
        for place, (
            *(history, series, window, sign, limit, margin, expected),
            far,
            trend,
            cohort,
        ) in enumerate(zip(*(column.tolist() for column in columns), strict=True))
    ]
