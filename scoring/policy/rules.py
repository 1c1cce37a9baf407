"""Evaluate a policy's rules over many students at once: arrays in, arrays out.

Against the cohort, level and trend (`scoring.policy.measures`) are taken of the values in standard deviations from
their own periods' reference (`records.reference`), so that a hard examination alarms nobody.

Every rule decides on every row; how severe a finding is, and what it rests on, is computed only of
the cells that somebody asks for.
"""

from dataclasses import dataclass, fields
from typing import Self

import numpy as np

from records.arrays import Bools, Doubles, Floats, Ints, Positions
from records.contract import Contract
from records.reference import Reference
from scoring.policy.compiled_rules import RuleArrays
from scoring.policy.measures import newest_values, slope, taken, totals
from scoring.policy.model import Policy

# Larger batches go through in pieces, whose arrays stay in the processor's cache.
ROWS_A_PASS = 1024


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """What each rule found in each row; every array is (rows, rules).

    Attributes:
        hits: bool, whether the rule applies.
        severity: float64, 0 (just at the limit) towards 1 (far beyond it). For level and trend,
            e / (1 + e), where e counts the cohort's standard deviations beyond the limit, for a trend over the
            whole stretch measured; for a gap e counts further gaps as long as the limit; 0.5 for
            rules over levels, which have no distance.
        measured: float64, level in raw units (or position), slope in raw units per period, or
            number of missing periods; NaN where there is too little to measure.
        expected: float64, what `measured` was compared with, in the same unit: the rule's target,
            or the reference's own level or slope over the same periods.
        standard_deviations: float64, for rules against the cohort, how many standard deviations (a period, for a trend)
            the row lies on the worse side; NaN for the others.
        first: int, first period that the measure used, 0 where it used none.
        last: int, last period that the measure used.
    """

    hits: Bools
    severity: Doubles
    measured: Doubles
    expected: Doubles
    standard_deviations: Doubles
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
    standard_deviations: Doubles
    first: Positions
    last: Positions


class CompiledRules:
    """A policy's rules for one contract and reference, ready for batches.

    Args:
        policy: Checked against `contract` (`scoring.policy.model.load_policy`).
        contract: Order and meaning of the features.
        reference: The cohort to compare with; its features are the contract's.

    Attributes:
        rules: The rules as arrays; None where there is no rule.
    """

    def __init__(self, policy: Policy, contract: Contract, reference: Reference) -> None:
        self.rules = RuleArrays.of(policy.rules, contract, reference) if policy.rules else None

    def find(self, values: Floats, lengths: Ints) -> "Findings | None":
        """Decide every rule on every row; more than `ROWS_A_PASS` rows take much memory.

        Args:
            values: (rows, periods, features) float32, raw units, NaN for missing.
            lengths: (rows,) periods observed so far; what lies beyond is not looked at.

        Returns:
            None where there is no rule.
        """
        if self.rules is None:
            return None
        if not values.shape[1]:
            values = np.full((len(values), 1, values.shape[2]), np.nan, np.float32)
        longest = max(1, int(lengths.max(initial=0)))
        return Findings(self.rules, values[:, :longest], lengths)

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
            standard_deviations=grounds.standard_deviations.reshape(shape),
            first=grounds.first.reshape(shape),
            last=grounds.last.reshape(shape),
        )


class Findings:
    """What the rules found in some rows.

    Everything is laid out with the rows last, so that few calls do long stretches of work.

    Args:
        rules: The rules.
        values: (rows, periods, features) float32, at least one period.
        lengths: (rows,) periods observed.

    Attributes:
        hits: (rules, rows) whether the rule applies.
    """

    def __init__(self, rules: RuleArrays, values: Floats, lengths: Ints) -> None:
        self._rules, self._lengths = rules, lengths
        histories = rules.plan.histories
        values = np.ascontiguousarray(values.transpose(2, 0, 1)[histories.features])
        observed = ~np.isnan(values)
        observed &= np.arange(values.shape[2]) < lengths[:, None]
        if histories.comparable is not None:
            observed &= histories.comparable[:, None, : values.shape[2]]
        self._count, self._periods, picked = newest_values(values, observed, rules.plan.depth)
        self._measured = self._measure(picked)
        self._badness = self._measured.take(rules.plan.of_rule, axis=0)
        self._badness *= rules.sign[:, None]
        self._excess = self._badness - rules.limit[:, None]
        self.hits = self._worse()

    def _measure(self, picked: Floats) -> Doubles:
        """Measure what is planned, (measures, rows), of the values at the last periods."""
        plan, rows = self._rules.plan, picked.shape[2]
        series, trends = self._series(picked), plan.trends
        means = np.empty((len(plan.total), rows))
        # Of each series the totals of its last 1, 2, … values, one below the other.
        added = totals(series).reshape(plan.depth * plan.series, rows)
        added.take(plan.total, axis=0, out=means, mode="clip")
        means /= taken(plan.sizes, self._count.take(plan.means, axis=0))
        measured = means[: len(means) - trends]
        if trends:
            moved = series.take(plan.moving, axis=1)
            moved -= means[-2 * trends :]
            moved[plan.beyond] = 0
            measured[-trends:] = slope(moved[:, :trends], moved[:, trends:])
        if not plan.gaps.size:
            return measured
        before = taken(plan.counted, self._periods[0].take(plan.gaps, axis=0))
        missing = plan.counted.take(self._lengths, axis=1) - before
        return np.concatenate((measured, missing))

    def _series(self, picked: Floats) -> Doubles:
        """Return the values of every series, (slots, series, rows), 0 where there is none."""
        plan, histories = self._rules.plan, self._rules.plan.histories
        compared, (slots, raw, rows) = histories.compared, picked.shape
        series = np.empty((slots, plan.series, rows))
        series[:, :raw] = picked
        if compared:
            periods = self._periods[:, -compared:]
            usual = taken(histories.mean, periods)
            series[:, raw + compared : raw + 2 * compared] = usual
            beside = picked[:, -compared:] - usual
            beside /= taken(histories.scale, periods)
            series[:, raw : raw + compared] = beside
        if plan.trends:
            series[:, -plan.trends :] = self._periods.take(plan.means[-plan.trends :], axis=1)
        return series

    def _worse(self) -> Bools:
        rules = self._rules
        hits = np.asarray(self._excess > rules.margin[:, None])
        if (listed := rules.listed).size:
            codes = self._badness[listed]
            known = ~np.isnan(codes)
            code = np.where(known, codes, 0).astype(np.intp)
            hits[listed] = known & rules.levels[np.arange(len(listed))[:, None], code]
        return hits

    def severity(self, row: Positions, rule: Positions) -> Doubles:
        """Tell how severe findings are; see `Evaluation`.

        Args:
            row: (cells,).
            rule: (cells,).

        Returns:
            (cells,) float64.
        """
        rules, (histories, rows) = self._rules, self._count.shape
        history = rules.history.take(rule) * rows + row
        periods = self._periods.ravel()
        last = periods.take(history)
        # Of trends, which need all of their window, the first period used.
        first = periods.take((rules.windows - 1).take(rule) * (histories * rows) + history)
        stretch = np.where(rules.trend.take(rule), last - first, 1)
        far = rules.far.ravel().take(rule * rules.far.shape[1] + last)
        beyond = self._excess.ravel().take(rule * rows + row)
        beyond *= stretch / far
        np.maximum(beyond, 0, out=beyond)
        if rules.listed.size:
            beyond[rules.over_levels.take(rule)] = 1
        return np.asarray(beyond / (1 + beyond))

    def grounds(self, row: Positions, rule: Positions) -> Grounds:
        """Tell what findings rest on; arguments as `severity`."""
        rules, (histories, rows) = self._rules, self._count.shape
        measures, badness = self._measured.ravel(), self._badness.ravel().take(rule * rows + row)
        measured = measures.take(rules.plan.told.take(rule) * rows + row)
        expected, standard_deviations = rules.expected.take(rule), np.full(len(row), np.nan)
        if rules.any_cohort:
            cohort = rules.cohort.take(rule)
            usual = measures.take(rules.plan.usual.take(rule) * rows + row)
            expected = np.where(cohort, usual, expected)
            standard_deviations = np.where(cohort, badness, np.nan)
        # The first and the last period that rules decided by, 0 for none.
        history, periods = rules.history.take(rule) * rows + row, self._periods.ravel()
        used = np.minimum(self._count.ravel().take(history), rules.windows.take(rule))
        first = periods.take(np.maximum(used - 1, 0) * (histories * rows) + history)
        last = periods.take(history)
        if rules.gaps.size and (cells := rules.gap.take(rule).nonzero()[0]).size:
            gone = badness[cells] > 0
            first[cells] = (last[cells] + 1) * gone
            last[cells] = self._lengths[row[cells]] * gone
        return Grounds(measured, expected, standard_deviations, first, last)
