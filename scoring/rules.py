"""Evaluate a policy's rules over many students at once: arrays in, arrays out.

Against the cohort, level and trend (`scoring.measures`) are taken of the values in spreads from
their own periods' reference (`records.reference`), so that a hard examination alarms nobody.

Every rule decides on every row; how severe a finding is, and what it rests on, is computed only of
the cells that somebody asks for.
"""

from dataclasses import dataclass, fields
from typing import Self

import numpy as np

from records.cohort import Bools, Floats, Ints
from records.contract import Contract
from records.reference import Reference
from scoring.measures import (
    Doubles,
    Periods,
    Positions,
    at_periods,
    level,
    newest_observed,
    slope,
    totals,
)
from scoring.policy import Policy
from scoring.rule_arrays import RuleArrays

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


@dataclass(frozen=True, slots=True, eq=False)
class Grounds:
    """What findings rest on: (cells,) arrays, fields as in `Evaluation`."""

    measured: Doubles
    expected: Doubles
    spreads: Doubles
    first: Positions
    last: Positions


class CompiledRules:
    """A policy's rules for one contract and reference, ready for batches.

    Args:
        policy: Checked against `contract` (`scoring.policy.load_policy`).
        contract: Order and meaning of the features.
        reference: The cohort to compare with; its features are the contract's.

    Attributes:
        plan: The rules as arrays; None where there is no rule.
    """

    def __init__(self, policy: Policy, contract: Contract, reference: Reference) -> None:
        self._reference = reference
        self.plan = RuleArrays.of(policy.rules, contract, reference) if policy.rules else None

    def find(self, values: Floats, lengths: Ints) -> "Findings | None":
        """Decide every rule on every row; more than `ROWS_A_PASS` rows take much memory.

        Args:
            values: (rows, periods, features) float32, raw units, NaN for missing.
            lengths: (rows,) periods observed so far; what lies beyond is not looked at.

        Returns:
            None where there is no rule.
        """
        if self.plan is None:
            return None
        if not values.shape[1]:
            values = np.full((len(values), 1, values.shape[2]), np.nan, np.float32)
        longest = max(1, int(lengths.max(initial=0)))
        return Findings(self.plan, self._reference, values[:, :longest], lengths)

    def evaluate(self, values: Floats, lengths: Ints) -> Evaluation:
        """Evaluate every rule on every row, in the order of the policy; arguments as `find`.

        Returns:
            One cell a row and rule; a row's cells do not depend on the other rows.
        """
        passes = [
            self._evaluate(
                values[start : start + ROWS_A_PASS], lengths[start : start + ROWS_A_PASS]
            )
            for start in range(0, max(1, len(values)), ROWS_A_PASS)
        ]
        names = [field.name for field in fields(Evaluation)]
        return Evaluation(
            *(np.concatenate([getattr(part, name) for part in passes]) for name in names)
        )

    def _evaluate(self, values: Floats, lengths: Ints) -> Evaluation:
        found = self.find(values, lengths)
        if found is None:
            return Evaluation.blank(len(values), 0)
        shape = found.hits.T.shape
        row, rule = (axis.ravel() for axis in np.indices(shape))
        grounds = found.grounds(row, rule)
        return Evaluation(
            hits=found.hits.T,
            severity=found.severity(row, rule).reshape(shape),
            measured=grounds.measured.reshape(shape),
            expected=grounds.expected.reshape(shape),
            spreads=grounds.spreads.reshape(shape),
            first=grounds.first.reshape(shape),
            last=grounds.last.reshape(shape),
        )


class Findings:
    """What the rules found in some rows.

    Everything is laid out with the rows last, so that few calls do long stretches of work.

    Args:
        rules: The rules.
        reference: The cohort to compare with.
        values: (rows, periods, features) float32, at least one period.
        lengths: (rows,) periods observed.

    Attributes:
        hits: (rules, rows) whether the rule applies.
    """

    def __init__(
        self, rules: RuleArrays, reference: Reference, values: Floats, lengths: Ints
    ) -> None:
        self._rules, self._reference, self._lengths = rules, reference, lengths
        values = np.ascontiguousarray(values)
        self._count, self._periods = newest_observed(_observed(rules, values, lengths), rules.depth)
        self._values = at_periods(
            values, self._periods, rules.features[:, None], np.arange(len(values))
        )
        self._badness = self._measure()
        self.hits = self._worse()

    def severity(self, row: Positions, rule: Positions) -> Doubles:
        """Tell how severe findings are; see `Evaluation`.

        Args:
            row: (cells,).
            rule: (cells,).

        Returns:
            (cells,) float64.
        """
        rules = self._rules
        first, last = self._stretch(row, rule)
        stretch = np.where(rules.trend[rule], last - first, 1)
        excess = self._badness[rule, row] - rules.limit[rule]
        beyond = np.maximum(excess * (stretch / rules.far[last, rule]), 0)
        if rules.listed.size:
            beyond[rules.over_levels[rule]] = 1
        return np.asarray(beyond / (1 + beyond))

    def grounds(self, row: Positions, rule: Positions) -> Grounds:
        """Tell what findings rest on; arguments as `severity`."""
        rules = self._rules
        badness = self._badness[rule, row]
        measured, expected = rules.sign[rule] * badness, rules.expected[rule]
        spreads = np.full(len(row), np.nan)
        first, last = self._stretch(row, rule)
        if rules.any_cohort and (cells := rules.cohort[rule].nonzero()[0]).size:
            measured[cells], expected[cells] = self._beside_cohort(row[cells], rule[cells])
            spreads[cells] = badness[cells]
        if rules.gaps.size and (cells := rules.gap[rule].nonzero()[0]).size:
            gone = badness[cells] > 0
            first[cells] = (last[cells] + 1) * gone
            last[cells] = self._lengths[row[cells]] * gone
        return Grounds(measured, expected, spreads, first, last)

    def _measure(self) -> Doubles:
        """Measure how bad every row stands under every rule: the higher the worse."""
        rules, slots = self._rules, len(self._periods)
        series = self._series()
        # Of each series the totals of its last 1, 2, … values, one below the other.
        added = totals(series).reshape(slots * series.shape[1], series.shape[2])
        reach = np.minimum(rules.windows, slots) - 1
        used = np.minimum(self._count.take(rules.history, axis=0), rules.windows[:, None])
        measured = added.take(reach * series.shape[1] + rules.series, axis=0)
        measured /= np.where(used > 0, used, np.nan)
        if (trends := rules.trends).size:
            windows = rules.windows[trends][:, None]
            periods = self._periods.take(rules.history[trends], axis=1)
            measured[trends] = slope(
                series.take(rules.series[trends], axis=1),
                periods * (np.arange(slots)[:, None, None] < windows),
                measured[trends],
                windows,
            )
        measured *= rules.sign[:, None]
        if (gaps := rules.gaps).size:
            last = self._periods[0].take(rules.history[gaps], axis=0)
            before = rules.counted[np.arange(len(gaps))[:, None], last]
            measured[gaps] = rules.counted.take(self._lengths, axis=1) - before
        return np.asarray(measured)

    def _series(self) -> Doubles:
        """Return the values at the last periods, (slots, series, rows), 0 where there is none."""
        compared, histories = self._rules.compared, self._values.shape[1]
        slots, _, rows = self._values.shape
        series = np.empty((slots, histories + len(compared), rows))
        series[:, :histories] = self._values
        if compared.size:
            mean, scale = self._reference.scales()
            periods = self._periods.take(compared, axis=1)
            at = periods * mean.shape[1] + self._rules.features[compared][:, None]
            spreads = self._values.take(compared, axis=1) - mean.ravel().take(at)
            spreads /= scale.ravel().take(at)
            series[:, histories:] = np.where(periods > 0, spreads, np.float32(0))
        return series

    def _worse(self) -> Bools:
        rules = self._rules
        hits = np.asarray(self._badness - rules.limit[:, None] > rules.margin[:, None])
        if (listed := rules.listed).size:
            codes = self._badness[listed]
            known = ~np.isnan(codes)
            code = np.where(known, codes, 0).astype(np.intp)
            hits[listed] = known & rules.levels[np.arange(len(listed))[:, None], code]
        return hits

    def _stretch(self, row: Positions, rule: Positions) -> tuple[Periods, Periods]:
        """Return the first and the last period that rules decided by, 0 for none."""
        histories, rows = self._count.shape
        cell = self._rules.history[rule] * rows + row
        used = np.minimum(self._count.ravel().take(cell), self._rules.windows[rule])
        periods = self._periods.ravel()
        return periods.take(np.maximum(used - 1, 0) * (histories * rows) + cell), periods.take(cell)

    def _beside_cohort(self, row: Positions, rule: Positions) -> Doubles:
        """Measure each cell's feature and the reference's mean of it, (2, cells)."""
        rules, history = self._rules, self._rules.history[rule]
        windows = rules.windows[rule]
        reached = np.arange(len(self._periods))[:, None] < windows
        periods = self._periods[:, history, row] * reached
        mean = self._reference.scales()[0][periods, rules.features[history]]
        picked = np.stack((self._values[:, history, row], mean), axis=1)
        picked = np.where(periods[:, None] > 0, picked, np.float64(0))
        measured = level(picked, periods[:, None])
        if (trends := rules.trend[rule].nonzero()[0]).size:
            measured[:, trends] = slope(
                picked[:, :, trends],
                periods[:, None, trends],
                measured[:, trends],
                windows[trends],
            )
        return measured


def _observed(rules: RuleArrays, values: Floats, lengths: Ints) -> Bools:
    """Tell in which periods there is something to go by, (histories, rows, periods)."""
    periods = values.shape[1]
    known = np.ascontiguousarray((~np.isnan(values)).transpose(2, 0, 1))
    known &= np.arange(periods) < lengths[:, None]
    observed = known.take(rules.features, axis=0)
    if rules.comparable is not None:
        observed &= rules.comparable[:, None, :periods]
    return observed
