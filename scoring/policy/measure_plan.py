"""Plan what is measured of students: each thing once, however many rules go by it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from records.arrays import Bools, Doubles, Positions
from records.contract import Contract
from records.reference import Reference
from scoring.policy.model import Measure, Rule

_KINDS = range(3)
_MEASURES = (Measure.LEVEL, Measure.TREND, Measure.GAP)
# Series of a history: as it is, in standard deviations from the reference, the reference's own.
_RAW, _SPREADS, _USUAL = range(3)


@dataclass(frozen=True, slots=True, eq=False)
class Histories:
    """What rules read: the last observed periods of features.

    Where the cohort cannot be compared with in every period, what is compared has a history of its
    own, of the periods in which it can be. Histories that something is compared of come last.

    Attributes:
        features: (histories,) which feature each history is of.
        comparable: (histories, periods) in which periods there is something to go by, if there is
            a value; None where there is in all.
        compared: How many histories something is compared of.
        mean: (compared, periods + 1) the reference's mean by period, 0 at period 0.
        scale: (compared, periods + 1) the reference's spread by period, 1 at period 0.
        of_rule: (rules,) the history that each rule reads.
    """

    features: Positions
    comparable: Bools | None
    compared: int
    mean: NDArray[np.float32]
    scale: NDArray[np.float32]
    of_rule: Positions

    @classmethod
    def of(cls, rules: Sequence[Rule], contract: Contract, reference: Reference) -> Self:
        """Find what some rules, at least one, read."""
        mean, scale = (part[:-1].T for part in reference.scales())
        comparable = ~np.isnan(mean + scale)[:, 1:]
        names, broken = contract.feature_names, (~comparable.all(axis=1)).tolist()
        keys = []
        for rule in rules:
            feature, cohort = names.index(rule.feature), rule.standard_deviations is not None
            # A value without a reference cannot be compared: the window reaches past it.
            keys.append((feature, cohort and broken[feature], cohort))
        compared = {(feature, apart) for feature, apart, cohort in keys if cohort}
        read = {(feature, apart) for feature, apart, _ in keys}
        ordered = [*sorted(read - compared), *sorted(compared)]
        features = np.array([feature for feature, _ in ordered], np.intp)
        apart = np.array([apart for _, apart in ordered], np.bool_)
        beside = features[len(read) - len(compared) :]
        return cls(
            features=features,
            comparable=comparable[features] | ~apart[:, None] if apart.any() else None,
            compared=len(compared),
            mean=_from_period_0(mean[beside], 0),
            scale=_from_period_0(scale[beside], 1),
            of_rule=np.array([ordered.index(key[:2]) for key in keys], np.intp),
        )


class _Key(NamedTuple):
    """One measure; in this order they are planned.

    Attributes:
        kind: One of `_KINDS`.
        gap: The rule's place, from 1, where it counts missing periods of its own; else 0.
        history: What is read.
        series: Which series of it; see `MeasurePlan`.
        window: How many values it uses at most.
    """

    kind: int
    gap: int
    history: int
    series: int
    window: int


@dataclass(frozen=True, slots=True, eq=False)
class MeasurePlan:
    """What is measured of histories: levels first, then trends, then gaps.

    Each history has a series of raw values. After those of all histories the ones that something
    is compared of have two more, the values in standard deviations from the reference and the reference's own
    means of the same periods; and each trend has one of the periods themselves.

    Attributes:
        histories: What is read.
        depth: The largest window.
        series: How many series there are.
        trends: How many trends there are.
        means: (means,) history of each mean: the levels, then the means of each trend's values,
            then of their periods.
        sizes: (means, periods + 1) how many values each uses where there are 0, 1, …; NaN where
            there are fewer than it needs.
        total: (means,) where the sum of its values stands, window by window and within a window
            series by series.
        moving: (2 · trends,) the series of each trend's values, then of their periods.
        beyond: (slots, 2 · trends) which of the last values a trend does not use.
        gaps: (gaps,) the history that each is of.
        counted: (gaps, periods + 1) of how many of the first p periods each gap counts.
        of_rule: (rules,) the measure that decides.
        told: (rules,) the measure that is told, in raw units.
        usual: (rules,) the reference's own; of rules that do not compare with it, as `told`.
    """

    histories: Histories
    depth: int
    series: int
    trends: int
    means: Positions
    sizes: Doubles
    total: Positions
    moving: Positions
    beyond: Bools
    gaps: Positions
    counted: Positions
    of_rule: Positions
    told: Positions
    usual: Positions

    @classmethod
    def of(
        cls, rules: Sequence[Rule], counted: Positions, contract: Contract, reference: Reference
    ) -> Self:
        """Plan what some rules, at least one, go by.

        Args:
            rules: The rules.
            counted: Of each that goes by gaps, in order; as the attribute.
            contract: Order and meaning of the features.
            reference: The cohort to compare with.
        """
        histories = Histories.of(rules, contract, reference)
        decisive = [_key(rules, at, histories, _SPREADS) for at in range(len(rules))]
        raw = [_key(rules, at, histories, _RAW) for at in range(len(rules))]
        usual = [_key(rules, at, histories, _USUAL) for at in range(len(rules))]
        planned = sorted({*decisive, *raw, *usual})
        levels, trends, gaps = ([key for key in planned if key.kind == one] for one in _KINDS)
        values = len(histories.features) + 2 * histories.compared
        clocks = [key._replace(series=values + at) for at, key in enumerate(trends)]
        means, depth = [*levels, *trends, *clocks], max(key.window for key in planned)
        windows = np.array([key.window for key in means], np.intp)
        series = np.array([key.series for key in means], np.intp)
        count = values + len(trends)
        known = np.arange(contract.periods.maximum + 1)
        needed = np.where(np.arange(len(means)) < len(levels), 1, windows)
        return cls(
            histories=histories,
            depth=depth,
            series=count,
            trends=len(trends),
            means=np.array([key.history for key in means], np.intp),
            sizes=np.where(known >= needed[:, None], np.minimum(known, windows[:, None]), np.nan),
            total=(windows - 1) * count + series,
            moving=series[len(levels) :],
            beyond=np.arange(depth)[:, None] >= windows[len(levels) :],
            gaps=np.array([key.history for key in gaps], np.intp),
            counted=counted,
            of_rule=_places(decisive, planned),
            told=_places(raw, planned),
            usual=_places(usual, planned),
        )


def _key(rules: Sequence[Rule], place: int, histories: Histories, series: int) -> _Key:
    """Return what a rule measures in one of its history's series; raw where it compares nothing."""
    rule, history = rules[place], int(histories.of_rule[place])
    further = histories.compared * series if rule.standard_deviations is not None else 0
    gap = rule.measure is Measure.GAP
    return _Key(
        kind=_MEASURES.index(rule.measure),
        gap=place + 1 if gap else 0,
        history=history,
        series=history + further,
        window=1 if gap else rule.depth,
    )


def _places(keys: Sequence[_Key], planned: Sequence[_Key]) -> Positions:
    return np.array([planned.index(key) for key in keys], np.intp)


def _from_period_0(table: NDArray[np.float32], nothing: float) -> NDArray[np.float32]:
    table = table.copy()
    table[:, 0] = nothing
    return table
