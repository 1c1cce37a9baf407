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
from records.reference import Reference, spreads_from_reference
from scoring.measures import (
    Doubles,
    Periods,
    Positions,
    at_periods,
    level,
    newest_observed,
    slope,
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
    """

    def __init__(self, policy: Policy, contract: Contract, reference: Reference) -> None:
        self._reference = reference
        self._count = len(policy.rules)
        self._arrays = RuleArrays.of(policy.rules, contract, reference) if policy.rules else None

    def find(self, values: Floats, lengths: Ints) -> "Findings | None":
        """Decide every rule on every row; more than `ROWS_A_PASS` rows take much memory.

        Args:
            values: (rows, periods, features) float32, raw units, NaN for missing.
            lengths: (rows,) periods observed so far; what lies beyond is not looked at.

        Returns:
            None where there is no rule.
        """
        rules = self._arrays
        if rules is None:
            return None
        rows = len(values)
        if not values.shape[1]:
            values = np.full((rows, 1, values.shape[2]), np.nan, np.float32)
        values = values[:, : max(1, int(lengths.max(initial=0)))]
        clock = np.arange(1, values.shape[1] + 1, dtype=np.int32)
        within = clock <= lengths[:, None]
        table = self._beside_cohort(values, clock) if rules.any_cohort else values
        # A value without a reference cannot be compared: the window reaches past it.
        observed = ~np.isnan(table[:, :, : 2 * values.shape[2]]) & within[:, :, None]
        newest = newest_observed(observed, len(rules.slots))
        return Findings(rules, table, lengths, newest)

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
        shape = found.hits.shape
        row, rule = (axis.ravel() for axis in np.indices(shape))
        grounds = found.grounds(row, rule)
        return Evaluation(
            hits=found.hits,
            severity=found.severity(row, rule).reshape(shape),
            measured=grounds.measured.reshape(shape),
            expected=grounds.expected.reshape(shape),
            spreads=grounds.spreads.reshape(shape),
            first=grounds.first.reshape(shape),
            last=grounds.last.reshape(shape),
        )

    def _beside_cohort(self, values: Floats, clock: Ints) -> Floats:
        """Return the table that `RuleArrays` reads."""
        rows, length, features = values.shape
        table = np.empty((rows, length, 3 * features), np.float32)
        table[:, :, :features] = values
        table[:, :, features:-features] = spreads_from_reference(values, clock, self._reference)
        table[:, :, -features:] = self._reference.arrays()[0][:length]
        return table


class Findings:
    """What the rules found in some rows.

    Args:
        rules: The rules.
        table: What they read.
        lengths: (rows,) periods observed.
        newest: (slots, rows, columns) last observed periods.

    Attributes:
        hits: (rows, rules) whether the rule applies.
    """

    def __init__(self, rules: RuleArrays, table: Floats, lengths: Ints, newest: Periods) -> None:
        self._rules, self._table, self._lengths, self._newest = rules, table, lengths, newest
        self._badness = _badness(rules, table, lengths, newest)
        self.hits = _worse(rules, self._badness)

    def severity(self, row: Positions, rule: Positions) -> Doubles:
        """Tell how severe findings are; see `Evaluation`.

        Args:
            row: (cells,).
            rule: (cells,).

        Returns:
            (cells,) float64.
        """
        rules, periods = self._rules, self._periods(row, rule)
        last = periods[0]
        stretch = np.where(rules.trend[rule], last - _first(periods), 1)
        excess = self._badness[row, rule] - rules.limit[rule]
        beyond = np.maximum(excess * (stretch / rules.far[last, rule]), 0)
        if rules.any_over_levels:
            beyond[rules.over_levels[rule]] = 1
        return np.asarray(beyond / (1 + beyond))

    def grounds(self, row: Positions, rule: Positions) -> Grounds:
        """Tell what findings rest on; arguments as `severity`."""
        rules, periods = self._rules, self._periods(row, rule)
        badness = self._badness[row, rule]
        measured, expected = rules.sign[rule] * badness, rules.expected[rule]
        spreads = np.full(len(row), np.nan)
        first, last = _first(periods).astype(np.intp), periods[0].astype(np.intp)
        if rules.any_cohort and (cells := rules.cohort[rule].nonzero()[0]).size:
            of, at = rule[cells], row[cells]
            columns = np.stack([rules.own[of], rules.usual[of]])
            measured[cells], expected[cells] = self._measure(
                of, at, columns, periods[:, None, cells]
            )
            spreads[cells] = badness[cells]
        if rules.gaps.size and (cells := rules.gap[rule].nonzero()[0]).size:
            gone = badness[cells] > 0
            first[cells] = (last[cells] + 1) * gone
            last[cells] = self._lengths[row[cells]] * gone
        return Grounds(measured, expected, spreads, first, last)

    def _periods(self, row: Positions, rule: Positions) -> Periods:
        """Return the periods that rules decided by, (slots, cells), newest first."""
        newest = self._newest[:, row, self._rules.columns[rule]]
        return np.asarray(newest * self._rules.slots[: len(newest), 0, rule], np.int32)

    def _measure(
        self, rule: Positions, row: Positions, columns: Positions, periods: Periods
    ) -> Doubles:
        """Measure several columns of each cell, (columns, cells); periods (slots, 1, cells)."""
        picked = at_periods(self._table, periods, columns, row)
        measured = level(picked, periods)
        if (trends := self._rules.trend[rule].nonzero()[0]).size:
            measured[:, trends] = slope(
                picked[:, :, trends],
                periods[:, :, trends],
                measured[:, trends],
                self._rules.windows[rule[trends]],
            )
        return measured


def _badness(rules: RuleArrays, table: Floats, lengths: Ints, newest: Periods) -> Doubles:
    """Measure how bad every row stands under every rule: the higher the worse."""
    periods = newest.take(rules.columns, axis=2) * rules.slots[: len(newest)]
    picked = at_periods(table, periods, rules.columns, np.arange(len(table))[:, None])
    measured = level(picked, periods)
    if (trends := rules.trends).size:
        measured[:, trends] = slope(
            picked.take(trends, axis=2),
            periods.take(trends, axis=2),
            measured.take(trends, axis=1),
            rules.windows[trends],
        )
    badness = np.asarray(rules.sign * measured)
    if (gaps := rules.gaps).size:
        before = rules.counted[periods[0].take(gaps, axis=1), np.arange(len(gaps))]
        badness[:, gaps] = rules.counted[lengths] - before
    return badness


def _worse(rules: RuleArrays, badness: Doubles) -> Bools:
    hits = badness - rules.limit > rules.margin
    if not rules.any_over_levels:
        return np.asarray(hits)
    known = rules.over_levels & ~np.isnan(badness)
    code = np.where(known, badness, 0).astype(np.intp)
    return np.where(rules.over_levels, known & rules.levels[rules.every, code], hits)


def _first(periods: Periods) -> Periods:
    return np.asarray(np.where(periods > 0, periods, periods[0]).min(axis=0), np.int32)
