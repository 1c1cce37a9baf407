"""Apply a policy's rules to many students at once: arrays in, arrays out.

A rule looks at the last `window` observed values of its feature:

* level: their mean, or the mean of as many as there are;
* trend: the least-squares slope per period through them, all of them needed; periods between them
  count, whether observed or not;
* gap: the periods since the last observed one.

Against the cohort, levels and trends are taken of the distances from the mean of the same period,
in standard deviations (`records.learnt.reference`), so that a hard examination
raises no false alarm.

Every rule is decided for every row. The evidence and the severity are computed only for the cells
that are asked for.
"""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from records.arrays import Bools, Doubles, Floats, Ints, Positions
from scoring.policy.rule_arrays import RuleArrays

Number = TypeVar("Number", bound=np.generic)
_NAN = np.float64(np.nan)


@dataclass(frozen=True, slots=True, eq=False)
class EvidenceColumns:
    """What rules found in cells; every array is (cells,).

    Attributes:
        severity: float64, 0 (just at the limit) towards 1 (far beyond it). For level and trend
            e / (1 + e), where e counts the cohort's standard deviations beyond the limit, for a
            trend over the whole stretch measured; for a gap e counts further gaps as long as the
            limit; 0.5 for rules over levels, which have no distance.
        measured: float64, level in raw units (or position), slope in raw units per period, or
            number of missing periods; NaN where there is too little to measure.
        expected: float64, what `measured` was compared with, in the same unit: the rule's target,
            or the cohort's own level or slope over the same periods.
        standard_deviations: float64, for rules against the cohort, by how many (a period, for a
            trend) the row lies on the worse side; NaN for the others.
        first: First period that was used, 0 for none.
        last: Last period that was used, 0 for none.
    """

    severity: Doubles
    measured: Doubles
    expected: Doubles
    standard_deviations: Doubles
    first: Positions
    last: Positions


class Findings:
    """What rules found in some rows. Arrays are (periods, rules, rows): few operations do it all.

    Args:
        rules: The rules.
        values: (rows, periods, features) float32, raw units, NaN for missing.
        lengths: (rows,) periods observed; what lies beyond is ignored.

    Attributes:
        hits: (rules, rows) whether the rule applies.
    """

    def __init__(self, rules: RuleArrays, values: Floats, lengths: Ints) -> None:
        longest = max(1, int(lengths.max(initial=0)))
        if values.shape[1] < longest:
            values = np.full((len(values), 1, values.shape[2]), np.nan, np.float32)
        self._rules, self._lengths = rules, lengths
        self._periods = rules.periods[:longest]
        self._raw = values[:, :longest].transpose(1, 2, 0).take(rules.feature, axis=1)
        self._mean = rules.mean[:longest]
        series = (self._raw - self._mean) / rules.scale[:longest]
        observed = ~np.isnan(series)
        observed &= self._periods <= lengths
        # How many observed values there are from each period on.
        following = rules.later[:longest, :longest] @ _flat(observed).astype(np.float32)
        following = following.reshape(observed.shape)
        self._used = observed & (following <= rules.window)
        count = following[0]
        self._number = np.where(count >= rules.required, np.minimum(count, rules.window), _NAN)
        measured = _measure(self._used, series, self._number, self._periods, rules.trends)
        if rules.gaps.size:
            last = _last(observed.take(rules.gaps, axis=1))
            measured[rules.gaps] = rules.counted.take(lengths, axis=1) - _pick(rules.counted, last)
        self._deviation = measured * rules.sign
        self._excess = self._deviation - rules.limit
        self.hits = np.asarray(self._excess > rules.margin)
        if rules.level_rules.size:
            self.hits[rules.level_rules] = self._level_hits(measured[rules.level_rules])

    def _level_hits(self, codes: Doubles) -> Bools:
        is_observed = ~np.isnan(codes)
        code = np.where(is_observed, codes, 0).astype(np.intp)
        return is_observed & _pick(self._rules.levels, code)

    def evidence(self, row: Positions, rule: Positions) -> EvidenceColumns:
        """Return what some cells rest on.

        Args:
            row: (cells,).
            rule: (cells,).
        """
        rules, rows = self._rules, len(self._lengths)
        cell = rule * rows + row
        used = _flat(self._used).take(cell, axis=1)
        excess, deviation = self._excess.take(cell), self._deviation.take(cell)
        is_trend, last = rules.is_trend.take(rule), _last(used)
        first = np.minimum(used.argmax(axis=0) + 1, last)
        beyond = excess * np.where(is_trend, last - first, 1)
        beyond /= rules.unit_distance[rule, last]
        np.maximum(beyond, 0, out=beyond)
        beyond[rules.is_level_rule.take(rule)] = 1
        measured, expected = deviation * rules.sign[:, 0].take(rule), rules.expected.take(rule)
        standard_deviations = np.full(len(cell), np.nan)
        if (cohort := rules.is_cohort.take(rule).nonzero()[0]).size:
            # The same measure of the raw values and of the cohort's means.
            raw = _flat(self._raw).take(cell[cohort], axis=1)
            usual = self._mean[:, :, 0].take(rule[cohort], axis=1)
            compared = _measure(
                used[:, cohort, None],
                np.array((raw, usual)).transpose(1, 2, 0),
                self._number.take(cell[cohort])[:, None],
                self._periods,
                is_trend[cohort].nonzero()[0],
            )
            measured[cohort], expected[cohort] = compared[:, 0], compared[:, 1]
            standard_deviations[cohort] = deviation[cohort]
        if (gap := rules.is_gap.take(rule).nonzero()[0]).size:
            is_missing = deviation[gap] > 0
            first[gap] = (last[gap] + 1) * is_missing
            last[gap] = self._lengths[row[gap]] * is_missing
        return EvidenceColumns(
            beyond / (1 + beyond), measured, expected, standard_deviations, first, last
        )


def _flat(table: NDArray[Number]) -> NDArray[Number]:
    """Return (periods, rules, rows) as (periods, cells)."""
    return table.reshape(len(table), -1)


def _last(within: Bools) -> Positions:
    """Return the last period, counted from 1, that (periods, …) holds; 0 for none."""
    return np.asarray((len(within) - within[::-1].argmax(axis=0)) * within.any(axis=0))


def _pick(table: NDArray[Number], column: Positions) -> NDArray[Number]:
    """Return `table[row, column[row, …]]` for each row of (rows, columns)."""
    start = np.arange(0, table.size, table.shape[1])[:, None]
    return table.ravel().take(start + column)


def _measure(
    used: Bools, series: Floats, number: Floats, periods: Doubles, trends: Positions
) -> Doubles:
    """Compute the level of each series, the slope of those in `trends`.

    Sums add period after period, so that a row gets the same bits alone and in any batch.

    Args:
        used: (periods, series, rows) which values count; rows may be 1 for all.
        series: (periods, series, rows) float32; overwritten.
        number: (series, rows) how many values count; NaN where there are too few.
        periods: (periods, 1, 1) their numbers.
        trends: Positions of series.

    Returns:
        (series, rows); NaN where there are too few values.
    """
    np.copyto(series, 0, where=~used)
    total = series.sum(axis=0, dtype=np.float64)
    measured = total / number
    if trends.size:
        number = number.take(trends, axis=0)
        within = used.take(trends, axis=1) * periods
        middle = within.sum(axis=0) / number
        squares = (within * periods).sum(axis=0) - middle * middle * number
        moment = (series.take(trends, axis=1) * periods).sum(axis=0)
        measured[trends] = (moment - middle * total.take(trends, axis=0)) / squares
    return np.asarray(measured)
