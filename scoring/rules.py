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
from scoring.measures import Doubles, Positions, at_periods, level_and_slope, newest_observed
from scoring.policy import Measure, Policy
from scoring.rule_arrays import GapRules, WindowedRules

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
        self._usual, self._spread = reference.arrays()
        numbered = list(enumerate(policy.rules))
        gaps = [(i, rule) for i, rule in numbered if rule.measure is Measure.GAP]
        windowed = [(i, rule) for i, rule in numbered if rule.measure is not Measure.GAP]
        self._windowed = WindowedRules.of(windowed, contract) if windowed else None
        self._gaps = GapRules.of(gaps, contract, reference) if gaps else None

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
        found = Evaluation.blank(len(values), self._count)
        if not self._count:
            return found
        if not values.shape[1]:
            values = np.full((len(values), 1, values.shape[2]), np.nan, np.float32)
        values = values[:, : max(1, int(lengths.max()))]
        within = np.arange(values.shape[1]) < lengths[:, None]
        observed = within[:, :, None] & ~np.isnan(values)
        if self._windowed:
            self._evaluate_windowed(self._windowed, values, observed, found)
        if self._gaps:
            _evaluate_gaps(self._gaps, lengths, observed, found)
        return found

    def _evaluate_windowed(
        self, group: WindowedRules, values: Floats, observed: Bools, found: Evaluation
    ) -> None:
        rules, targets, count = group.rules, group.targets, len(group.rules)
        table = values
        if targets < count:
            table, observed = self._beside_cohort(values, observed)
        deciding = newest_observed(observed, group.columns[:count], group.windows)
        periods = np.take(deciding, group.measured, axis=1)
        level, slope = level_and_slope(at_periods(table, periods, group.columns), periods)
        full = (periods > 0).sum(axis=-1) == group.windows[group.measured]
        measured = np.where(group.trend[group.measured], np.where(full, slope, np.nan), level)
        badness = group.sign * measured[:, :count]
        found.measured[:, rules[:targets]] = measured[:, :targets]
        found.expected[:, rules] = group.sign * group.limit
        if targets < count:
            usual = 2 * count - targets
            found.measured[:, rules[targets:]] = measured[:, count:usual]
            found.expected[:, rules[targets:]] = measured[:, usual:]
            found.spreads[:, rules[targets:]] = badness[:, targets:]
        last = deciding.max(axis=-1)
        first = np.where(deciding > 0, deciding, last[..., None]).min(axis=-1)
        found.first[:, rules], found.last[:, rules] = first, last
        spread = self._spread[last - 1, group.features]
        # Where the cohort does not vary, the limit itself is the measure of what is far.
        far = np.where(spread > 0, spread, np.where(group.limit == 0, 1, np.abs(group.limit)))
        far[:, targets:] = 1
        _decide(group, badness, np.where(group.trend, last - first, 1) / far, found)

    def _beside_cohort(self, values: Floats, observed: Bools) -> tuple[Floats, Bools]:
        """Return the table that `WindowedRules` reads, and where its values are comparable."""
        rows, length, features = values.shape
        clock = np.tile(np.arange(1, length + 1, dtype=np.int32), rows)
        flat = values.reshape(rows * length, features)
        spreads = spreads_from_reference(flat, clock, self._reference).reshape(values.shape)
        usual = np.broadcast_to(self._usual[:length], values.shape)
        # A value without a reference cannot be compared: the window reaches past it.
        comparable = observed & ~np.isnan(spreads)
        return (
            np.concatenate((values, spreads, usual), axis=2),
            np.concatenate((observed, comparable), axis=2),
        )


def _decide(group: WindowedRules, badness: Doubles, weight: Doubles, found: Evaluation) -> None:
    """Compare how bad (rows, rules) measures are with the limits; `weight` makes it severity."""
    excess = badness - group.limit
    hits = excess > group.margin
    severity = _severity(excess * weight)
    if group.over_levels.any():
        known = group.over_levels & ~np.isnan(badness)
        code = np.where(known, badness, 0).astype(np.intp)
        listed = group.levels[np.arange(len(group.rules)), code]
        hits = np.where(group.over_levels, known & listed, hits)
        severity = np.where(group.over_levels, 0.5, severity)
    found.hits[:, group.rules] = hits
    found.severity[:, group.rules] = severity


def _severity(excess: Doubles) -> Doubles:
    """Map how far beyond the limit to [0, 1)."""
    beyond = np.maximum(excess, 0)
    return np.asarray(beyond / (1 + beyond), np.float64)


def _evaluate_gaps(group: GapRules, lengths: Ints, observed: Bools, found: Evaluation) -> None:
    clock = np.arange(1, observed.shape[1] + 1)
    last_seen = (observed[:, :, group.columns] * clock[:, None]).max(axis=1)
    missing = group.counted[lengths] - group.counted[last_seen, np.arange(len(group.rules))]
    found.hits[:, group.rules] = missing >= group.limit
    found.severity[:, group.rules] = _severity((missing - group.limit) / group.limit)
    found.measured[:, group.rules] = missing
    found.expected[:, group.rules] = group.limit
    found.first[:, group.rules] = np.where(missing > 0, last_seen + 1, 0)
    found.last[:, group.rules] = np.where(missing > 0, lengths[:, None], 0)
