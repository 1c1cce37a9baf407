"""Advise few students: the plan of `scoring.policy.compiled_rules`, followed with plain numbers.

For one student the many array operations of `scoring.policy.rules.Findings` take many times as long
as the arithmetic that they do. Here the same plan is followed rule by rule, in the same order of
operations, so that what comes out is the same to the last bit
(`tests/scoring/policy/test_few_rows.py` proves it for any policy and student).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import inf, isnan, nan
from typing import NamedTuple

import numpy as np

from records.cohort import Floats
from records.reference import Reference
from scoring.policy.compiled_rules import RuleArrays
from scoring.rounding import told_number


class Advised(NamedTuple):
    """One recommendation; fields as in `scoring.results.AdviceTable`."""

    rule: int
    measured: float
    expected: float
    spreads: float
    first: int
    last: int


@dataclass(slots=True, eq=False)
class _Rule:
    """One rule of `RuleArrays`, as plain values."""

    place: int
    history: int
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


class _History(NamedTuple):
    """The newest periods in which there is something to go by, newest first, and the values."""

    periods: list[int]
    raw: list[float]
    spreads: list[float]


class _Found(NamedTuple):
    """What one rule found in one student."""

    order: tuple[float, int]
    rule: _Rule
    badness: float
    used: int


# The rules that speak in a tier: those of one priority together, the first to speak first.
Speaking = Sequence[Sequence[_Rule]]


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
        self._most = most
        # Contracts can have many features that no rule looks at.
        histories = rules.plan.histories
        self._columns = np.unique(histories.features)
        self._features: list[int] = self._columns.searchsorted(histories.features).tolist()
        self._mean, self._scale = (part.take(self._columns, axis=1) for part in reference.scales())
        allowed = histories.comparable
        self._comparable: list[list[bool] | None] = [
            None if allowed is None or allowed[at].all() else allowed[at].tolist()
            for at in range(len(self._features))
        ]
        # The newest values that any rule on a history uses.
        self._depths = [0] * len(self._features)
        for history, window in zip(rules.history.tolist(), rules.windows.tolist(), strict=True):
            self._depths[history] = max(self._depths[history], window)
        self._compared = range(len(self._features))[len(self._features) - histories.compared :]
        self._usual: list[list[float]] = self._mean.tolist()
        self._rules = _plain(rules, priority, topics)

    def speaking(self, rules: Iterable[int]) -> Speaking:
        """Return the rules at these positions as `advise` goes through them."""
        ordered = sorted((self._rules[at] for at in rules), key=lambda rule: rule.priority)
        return [list(equal) for _, equal in groupby(ordered, key=lambda rule: rule.priority)]

    def advise(self, values: Floats, length: int, speaking: Speaking) -> list[Advised]:
        """Choose what is advised to one student, the worst first.

        Args:
            values: (periods, features) float32, raw units, NaN for missing.
            length: Periods observed.
            speaking: The rules that speak in the student's tier.
        """
        histories = self._histories(values[:length])
        chosen: list[Advised] = []
        taken: set[int] = set()
        for equal in speaking:
            # What an earlier priority has spoken of need not be decided again.
            left = [rule for rule in equal if rule.topic not in taken] if taken else equal
            for one in sorted(_found(left, histories, length)):
                if one.rule.topic in taken:
                    continue
                taken.add(one.rule.topic)
                chosen.append(self._grounds(one, histories[one.rule.history], length))
                if len(chosen) == self._most:
                    return chosen
        return chosen

    def severities(self, values: Floats, length: int) -> dict[int, float]:
        """Return how severe the finding of every rule that applies is; arguments as `advise`."""
        histories = self._histories(values[:length])
        return {
            one.rule.place: _severity(one.rule, one.badness, one.used, histories)
            for one in _found(self._rules, histories, length)
        }

    def _histories(self, values: Floats) -> list[_History]:
        """Return the newest values of each history; `values` ends with the last period."""
        length = len(values)
        values = values.take(self._columns, axis=1)
        newest: list[list[float]] = values[::-1].tolist()
        spreads: list[list[float]] = []
        if self._compared:
            beside = (values - self._mean[1 : length + 1]) / self._scale[1 : length + 1]
            spreads = beside[::-1].tolist()
        histories = []
        for history, feature in enumerate(self._features):
            allowed, depth = self._comparable[history], self._depths[history]
            periods: list[int] = []
            known: list[float] = []
            period = length
            for row in newest:
                value = row[feature]
                # Only NaN differs from itself.
                if value == value and (allowed is None or allowed[period - 1]):  # noqa: PLR0124
                    periods.append(period)
                    known.append(value)
                    if len(known) == depth:
                        break
                period -= 1
            compared = history in self._compared
            histories.append(
                _History(
                    periods,
                    known,
                    [spreads[length - at][feature] for at in periods] if compared else known,
                )
            )
        return histories

    def _grounds(self, one: _Found, history: _History, length: int) -> Advised:
        _, rule, badness, used = one
        periods, place, expected = history.periods, rule.place, told_number(rule.expected)
        last = periods[0] if periods else 0
        if rule.counted is not None:
            within = (last + 1, length) if badness > 0 else (0, 0)
            return Advised(place, told_number(badness), expected, nan, *within)
        first = periods[used - 1]
        if not rule.cohort:
            return Advised(place, told_number(rule.sign * badness), expected, nan, first, last)
        feature = self._features[rule.history]
        usual = [self._usual[period][feature] for period in periods[:used]]
        measured, compared = (
            told_number(_measure(rule.trend, numbers, periods, used))
            for numbers in (history.raw, usual)
        )
        return Advised(place, measured, compared, told_number(badness), first, last)


def _found(rules: Iterable[_Rule], histories: Sequence[_History], length: int) -> list[_Found]:
    """Return what applies."""
    found = []
    for rule in rules:
        history = histories[rule.history]
        periods = history.periods
        used = 0
        if rule.counted is not None:
            last = periods[0] if periods else 0
            badness = float(rule.counted[length] - rule.counted[last])
            applies = badness - rule.limit > rule.margin
        else:
            used = min(len(periods), rule.window)
            if not used or (rule.trend and used < rule.window):
                continue
            series = history.spreads if rule.cohort else history.raw
            badness = rule.sign * _measure(rule.trend, series, periods, used)
            applies = (
                rule.levels[int(badness)]
                if rule.levels is not None
                else badness - rule.limit > rule.margin
            )
        if applies:
            severity = _severity(rule, badness, used, histories)
            # What has no number comes last.
            order = (inf if isnan(severity) else -severity, rule.place)
            found.append(_Found(order, rule, badness, used))
    return found


# By number of values: how far each period lies from the middle of periods without a gap, newest
# first, and their sum of squares. Halves, so these are exact wherever the periods lie.
_EVEN: dict[int, tuple[list[float], float]] = {}


def _measure(trend: bool, values: Sequence[float], periods: Sequence[int], used: int) -> float:
    """Compute a level or a slope of the first `used` values, newest first.

    See `scoring.policy.measures`, whose order of additions this is; `sum` has another one.
    """
    total = values[0]
    for at in range(1, used):
        total += values[at]
    level = total / used
    if not trend:
        return level
    if periods[0] - periods[used - 1] < used:
        steps, run = _EVEN.get(used) or _EVEN.setdefault(used, _steps(range(used, 0, -1)))
    else:
        steps, run = _steps(periods[:used])
    rise = 0.0
    for step, value in zip(steps, values, strict=False):
        rise += step * (value - level)
    return rise / run


def _steps(periods: Sequence[int]) -> tuple[list[float], float]:
    middle = sum(periods) / len(periods)
    steps = [period - middle for period in periods]
    run = 0.0
    for step in steps:
        run += step * step
    return steps, run


def _severity(rule: _Rule, badness: float, used: int, histories: Sequence[_History]) -> float:
    """See `scoring.policy.rules.Evaluation.severity`."""
    if rule.levels is not None:
        return 0.5
    periods = histories[rule.history].periods
    last = periods[0] if periods else 0
    stretch = last - periods[used - 1] if rule.trend else 1
    beyond = max((badness - rule.limit) * (stretch / rule.far[last]), 0.0)
    return beyond / (1 + beyond)


def _plain(rules: RuleArrays, priority: Sequence[int], topics: Sequence[int]) -> list[_Rule]:
    listed = dict(zip(rules.listed.tolist(), map(tuple, rules.levels.tolist()), strict=True))
    counted = dict(zip(rules.gaps.tolist(), map(tuple, rules.plan.counted.tolist()), strict=True))
    columns = (
        *(rules.history, rules.windows, rules.sign, rules.limit, rules.margin),
        *(rules.expected, rules.far, rules.trend, rules.cohort),
    )
    return [
        _Rule(
            *(place, history, window, sign, limit, margin, expected),
            tuple(far),
            trend,
            cohort,
            listed.get(place),
            counted.get(place),
            priority[place],
            topics[place],
        )
        for place, (
            *(history, window, sign, limit, margin, expected),
            far,
            trend,
            cohort,
        ) in enumerate(zip(*(column.tolist() for column in columns), strict=True))
    ]
