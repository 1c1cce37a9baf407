"""Assess few students with plain numbers: what `scoring.assessment.tabulator` does with arrays.

For one student some fifty array operations take many times as long as the arithmetic that they do.
What comes out is the same to the last bit (`tests/scoring/assessment/test_few_assessed.py`).
"""

from collections.abc import Sequence
from math import isfinite, isnan, nan
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from records.cohort import Bools, Floats, Ints
from records.fences import Fences
from records.intervals import Intervals
from scoring.assessment.decisions import Bases
from scoring.policy.few_rows import Advised
from scoring.policy.model import rounded
from scoring.policy.recommender import Recommender
from scoring.results import (
    BUNDLE,
    NO_TIER,
    STATUS_BY_FACTS,
    AdviceTable,
    AssessmentTable,
    OutlyingCells,
)
from scoring.rounding import rounded_number
from scoring.runtime.scorer import Scores

# Up to so many students plain numbers are quicker than arrays.
FEW = 6


def is_few(values: Floats) -> bool:
    """Tell whether these students, (rows, periods, features), go by plain numbers."""
    return 0 < len(values) <= FEW and values.shape[1] > 0


class PlainForecast(NamedTuple):
    """One subject's forecast and the interval around it, rounded; NaN where there is none."""

    value: float
    low: float
    high: float


class _Standing(NamedTuple):
    """The first fields of a `PlainAssessment`."""

    status: int
    risk: float
    tier: int
    since: int
    trajectory: list[float]
    observed_periods: int
    observed_share: float


class PlainAssessment(NamedTuple):
    """One row of an `AssessmentTable`; fields as there, told alike.

    Attributes:
        trajectory: The risk after every period of the arrays.
        forecast: One a subject.
        outlying: Period, counted from 1, and position of the feature, in order.
        advice: The worst first.
        reference: Position in `ORIGINS`.
    """

    status: int
    risk: float
    tier: int
    since: int
    trajectory: list[float]
    observed_periods: int
    observed_share: float
    period: int
    forecast: list[PlainForecast]
    outlying: list[tuple[int, int]]
    advice: list[Advised]
    reference: int


class FewAssessed:
    """Assesses one student after another.

    Args:
        bases: What to decide by.
        counted: (features,) 1 for those whose values count as known, 0 for the others.
        fences: Flag outlying values.
        features: Names of the features.
        recommender: Advises.
    """

    def __init__(
        self,
        bases: Bases,
        counted: NDArray[np.intp],
        fences: Fences,
        features: tuple[str, ...],
        recommender: Recommender,
    ) -> None:
        self._tiers = bases.tiers
        self._periods, self._share = bases.minimum.periods, bases.minimum.share
        self._intervals = bases.intervals
        self._possible: list[int] = bases.possible.tolist()
        self._counted = counted
        self._fences, self._features = fences, features
        self._recommender = recommender

    def assess(
        self,
        values: Floats,
        lengths: Ints,
        scores: Scores,
        *,
        recommendations: bool | Bools = True,
        reference: NDArray[np.int8] | None = None,
    ) -> list[PlainAssessment]:
        """Assess students of at least one period; arguments as `Tabulator.tabulate`."""
        seen = ((~np.isnan(values)) @ self._counted).tolist()
        risks = rounded(scores.risk).tolist()
        outlying = self._outlying(values)
        students = []
        for row, end in enumerate(lengths.tolist()):
            standing = self._standing(seen[row][:end], risks[row])
            advised = recommendations if isinstance(recommendations, bool) else recommendations[row]
            students.append(
                PlainAssessment(
                    *standing,
                    end,
                    self._forecast(scores.score[row, end - 1].tolist(), end, standing.tier),
                    [cell for cell in outlying[row] if cell[0] <= end],
                    self._recommender.advise_one(values[row], end, standing.tier)
                    if advised
                    else [],
                    BUNDLE if reference is None else int(reference[row]),
                )
            )
        return students

    def _standing(self, seen: Sequence[int], risks: Sequence[float]) -> _Standing:
        """Decide where a student stands who has as many periods as `seen`."""
        observed = total = 0
        share, enough = 0.0, False
        shown: list[float] = []
        for number, possible, risk in zip(seen, self._possible, risks, strict=False):
            observed += number > 0
            total += number
            share = total / possible
            enough = observed >= self._periods and share >= self._share
            shown.append(risk if enough else nan)
        share = rounded_number(share)
        tiers = self._tiers.of_student(shown)
        tier = tiers[-1] if tiers else NO_TIER
        status = STATUS_BY_FACTS[enough + 2 * (tier != NO_TIER)]
        if tier == NO_TIER:
            return _Standing(status, nan, tier, 0, [nan] * len(risks), observed, share)
        since = len(tiers)
        while since > 1 and tiers[since - 2] == tier:
            since -= 1
        trajectory = shown + [nan] * (len(risks) - len(shown))
        return _Standing(status, shown[-1], tier, since, trajectory, observed, share)

    def _forecast(self, scores: Sequence[float], end: int, tier: int) -> list[PlainForecast]:
        intervals = self._intervals
        widths: Sequence[float] = [nan] * len(scores)
        if intervals is not None:
            widths = intervals.half_width[max(end, 1) - 1]
        forecasts = []
        for score, width in zip(scores, widths, strict=True):
            value = rounded_number(score) if tier != NO_TIER and isfinite(score) else nan
            low, high = value - width, value + width
            if intervals is not None and not isnan(value):
                low, high = _within(low, intervals), _within(high, intervals)
            forecasts.append(PlainForecast(value, low, high))
        return forecasts

    def _outlying(self, values: Floats) -> list[list[tuple[int, int]]]:
        """Return period and feature of each row's flags, those beyond its length as well."""
        found: list[list[tuple[int, int]]] = [[] for _ in values]
        flags = self._fences.outlying(values, self._features)
        _, periods, features = flags.shape
        for cell in flags.ravel().nonzero()[0].tolist():
            at, feature = divmod(cell, features)
            row, period = divmod(at, periods)
            found[row].append((period + 1, feature))
        return found


def _within(end: float, intervals: Intervals) -> float:
    """Keep an end of an interval within the range of the score."""
    # The bounds first: of zeros that differ in sign numpy, too, takes the bound's.
    return rounded_number(min(intervals.maximum, max(intervals.minimum, end)))


def table_of(
    students: Sequence[PlainAssessment], reference: NDArray[np.int8] | None
) -> AssessmentTable:
    """Write assessments, at least one, as a table.

    Args:
        students: The rows.
        reference: As `AssessmentTable.reference`.
    """
    forecast, low, high = np.array([one.forecast for one in students]).transpose(2, 0, 1)
    flags = [(row, *cell) for row, one in enumerate(students) for cell in one.outlying]
    advice = [(row, *told) for row, one in enumerate(students) for told in one.advice]
    return AssessmentTable(
        status=np.array([one.status for one in students], np.int8),
        period=np.array([one.period for one in students], np.int32),
        risk=np.array([one.risk for one in students]),
        tier=np.array([one.tier for one in students], np.int8),
        since=np.array([one.since for one in students], np.intp),
        trajectory=np.array([one.trajectory for one in students]),
        forecast=forecast,
        low=low,
        high=high,
        observed_periods=np.array([one.observed_periods for one in students], np.intp),
        observed_share=np.array([one.observed_share for one in students]),
        outlying=OutlyingCells(*np.array(flags, np.intp).T) if flags else OutlyingCells.none(),
        advice=_advice_table(advice) if advice else AdviceTable.none(),
        reference=reference,
    )


def _advice_table(advice: Sequence[tuple[float, ...]]) -> AdviceTable:
    row, rule, measured, expected, spreads, first, last = zip(*advice, strict=True)
    whole, numbers = (
        np.array((row, rule, first, last), np.intp),
        np.array((measured, expected, spreads)),
    )
    return AdviceTable(whole[0], whole[1], numbers[0], numbers[1], numbers[2], whole[2], whole[3])
