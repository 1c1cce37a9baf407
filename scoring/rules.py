"""Evaluate a policy's rules over many students at once: arrays in, arrays out.

Against the cohort, level and trend (`scoring.measures`) are taken of the values in spreads from
their own periods' reference (`records.reference`), so that a hard examination alarms nobody.
"""

from dataclasses import dataclass, fields
from typing import Self

import numpy as np

from records.cohort import Bools, Floats, Ints
from records.contract import Contract
from records.reference import Reference, spreads_from_reference
from scoring.measures import Doubles, Positions, at_periods, level, newest_observed, slope
from scoring.policy import Measure, Policy
from scoring.rule_arrays import GapRules, WindowedRules

# Position of `expected` among the four numbers of an evaluation.
_EXPECTED = 2
# Bounds the memory of one pass; larger batches go through in pieces.
ROWS_A_PASS = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """What each rule found in each row; every array is (rows, rules).

    Attributes:
        hits: bool, whether the rule applies.
        severity: float64, 0 (just at the limit) towards 1 (far beyond it). For level and trend,
            e / (1 + e), where e counts the cohort's spreads beyond the limit, for a trend over the
            whole stretch measured; for a gap e counts further gaps as long as the limit; 0.5 for
            rules over levels, which have no distance.
        measured: float64, level in raw units (or position), slope in raw units per period, or
            number of missing periods; NaN where there is too little to measure.
        expected: float64, what `measured` was compared with, in the same unit: the rule's target,
            or the reference's own level or slope over the same periods.
        spreads: float64, for rules against the cohort, how many spreads (a period, for a trend)
            the row lies on the worse side; NaN for the others.
        first: int, first period that the measure used, 0 where it used none.
        last: int, last period that the measure used.
    """

    hits: Bools
    severity: Doubles
    measured: Doubles
    expected: Doubles
    spreads: Doubles
    first: Positions
    last: Positions

    @classmethod
    def blank(cls, rows: int, rules: int) -> Self:
        """Return an evaluation in which nothing was found."""
        shape = (rows, rules)
        numbers = [np.full(shape, np.nan) for _ in range(4)]
        periods = [np.zeros(shape, np.intp) for _ in range(2)]
        return cls(np.zeros(shape, np.bool_), *numbers, *periods)


class CompiledRules:
    """A policy's rules for one contract and reference, ready for batches.

    Args:
        policy: Checked against `contract` (`scoring.policy.load_policy`).
        contract: Order and meaning of the features.
        reference: The cohort to compare with; its features are the contract's.
    """

    def __init__(self, policy: Policy, contract: Contract, reference: Reference) -> None:
        self._count = len(policy.rules)
        self._reference = reference
        numbered = list(enumerate(policy.rules))
        gaps = [(i, rule) for i, rule in numbered if rule.measure is Measure.GAP]
        windowed = [(i, rule) for i, rule in numbered if rule.measure is not Measure.GAP]
        self._windowed = WindowedRules.of(windowed, contract, reference) if windowed else None
        self._gaps = GapRules.of(gaps, contract, reference) if gaps else None
        self._depth = len(self._windowed.slots) if self._windowed else 1
        self._cohort = any(rule.spreads is not None for rule in policy.rules)
        # Findings are gathered group by group, the windowed rules first, and put in the policy's
        # order at the end.
        groups = [group for group in (self._windowed, self._gaps) if group]
        numbers = np.full((4, 1, self._count), np.nan)
        if groups:
            self._order = np.argsort(np.concatenate([group.rules for group in groups]))
            numbers[_EXPECTED] = np.concatenate([group.expected for group in groups])
        self._numbers = numbers

    def evaluate(self, values: Floats, lengths: Ints) -> Evaluation:
        """Evaluate every rule on every row.

        Args:
            values: (rows, periods, features) float32, raw units, NaN for missing.
            lengths: (rows,) periods observed so far; what lies beyond is not looked at.

        Returns:
            One cell a row and rule; a row's cells do not depend on the other rows.
        """
        passes = [
            self._evaluate(
                values[start : start + ROWS_A_PASS], lengths[start : start + ROWS_A_PASS]
            )
            for start in range(0, len(values), ROWS_A_PASS)
        ]
        if len(passes) == 1:
            return passes[0]
        if not passes:
            return Evaluation.blank(0, self._count)
        names = [field.name for field in fields(Evaluation)]
        return Evaluation(
            *(np.concatenate([getattr(part, name) for part in passes]) for name in names)
        )

    def _evaluate(self, values: Floats, lengths: Ints) -> Evaluation:
        rows = len(values)
        if not self._count:
            return Evaluation.blank(rows, 0)
        if not values.shape[1]:
            values = np.full((rows, 1, values.shape[2]), np.nan, np.float32)
        values = values[:, : max(1, int(lengths.max()))]
        clock = np.arange(1, values.shape[1] + 1, dtype=np.int32)
        within = clock <= lengths[:, None]
        table = self._beside_cohort(values, clock) if self._cohort else values
        # A value without a reference cannot be compared: the window reaches past it.
        observed = ~np.isnan(table[:, :, : 2 * values.shape[2]]) & within[:, :, None]
        newest = newest_observed(observed, self._depth)
        numbers = np.repeat(self._numbers, rows, axis=1)
        periods = np.zeros((2, rows, self._count), np.intp)
        found = Evaluation(np.zeros((rows, self._count), np.bool_), *numbers, *periods)
        if self._windowed:
            _evaluate_windowed(self._windowed, table, newest, found)
        if self._gaps:
            _evaluate_gaps(self._gaps, lengths, newest, found)
        beyond = np.maximum(found.severity, 0)
        np.divide(beyond, 1 + beyond, out=found.severity)
        return Evaluation(
            found.hits.take(self._order, axis=1),
            *numbers.take(self._order, axis=2),
            *periods.take(self._order, axis=2),
        )

    def _beside_cohort(self, values: Floats, clock: Ints) -> Floats:
        """Return the table that `WindowedRules` reads."""
        rows, length, features = values.shape
        table = np.empty((rows, length, 3 * features), np.float32)
        table[:, :, :features] = values
        table[:, :, features:-features] = spreads_from_reference(values, clock, self._reference)
        table[:, :, -features:] = self._reference.arrays()[0][:length]
        return table


# The functions below leave in `severity` how far a row lies beyond the limit.


def _evaluate_windowed(
    group: WindowedRules, table: Floats, newest: Positions, found: Evaluation
) -> None:
    targets, count = group.targets, len(group.rules)
    deciding = newest.take(group.columns[:count], axis=2) * group.slots[: len(newest)]
    periods = deciding.take(group.measured, axis=2)
    picked = at_periods(table, periods, group.columns)
    measured = level(picked, periods)
    if (trends := group.trends).size:
        measured[:, trends] = slope(
            picked.take(trends, axis=2),
            periods.take(trends, axis=2),
            measured.take(trends, axis=1),
            group.trend_windows,
        )
    badness = group.sign * measured[:, :count]
    usual = 2 * count - targets
    found.measured[:, :targets] = measured[:, :targets]
    found.measured[:, targets:count] = measured[:, count:usual]
    found.expected[:, targets:count] = measured[:, usual:]
    found.spreads[:, targets:count] = badness[:, targets:]
    last = deciding[0]
    first = np.where(deciding > 0, deciding, last).min(axis=0)
    found.first[:, :count], found.last[:, :count] = first, last
    stretch = np.where(group.trend, last - first, 1)
    excess = badness - group.limit
    found.hits[:, :count] = excess > group.margin
    found.severity[:, :count] = excess * (stretch / group.far.take(last * count + group.every))
    if group.any_over_levels:
        _decide_over_levels(group, badness, found)


def _decide_over_levels(group: WindowedRules, badness: Doubles, found: Evaluation) -> None:
    count = len(group.rules)
    known = group.over_levels & ~np.isnan(badness)
    code = np.where(known, badness, 0).astype(np.intp)
    listed = group.levels[group.every, code]
    found.hits[:, :count] = np.where(group.over_levels, known & listed, found.hits[:, :count])
    found.severity[:, :count][:, group.over_levels] = 1


def _evaluate_gaps(group: GapRules, lengths: Ints, newest: Positions, found: Evaluation) -> None:
    count = len(group.rules)
    last_seen = newest[0].take(group.columns, axis=1)
    missing = group.counted[lengths] - group.counted[last_seen, np.arange(count)]
    gone = missing > 0
    found.hits[:, -count:] = missing >= group.expected
    found.severity[:, -count:] = (missing - group.expected) / group.expected
    found.measured[:, -count:] = missing
    found.first[:, -count:] = (last_seen + 1) * gone
    found.last[:, -count:] = lengths[:, None] * gone
