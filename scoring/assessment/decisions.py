"""Decide status, tiers and forecasts of students; recommendations come after."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from records.arrays import Bools, Doubles, Floats, Ints, Positions
from records.learnt.intervals import Intervals
from scoring.policy.parts import Minimum
from scoring.policy.tiers import Tiers
from scoring.results import NO_TIER, STATUS_BY_FACTS
from scoring.rounding import DECIMALS, round_risk
from scoring.runtime.scores import Scores

_STATUS = np.array(STATUS_BY_FACTS, np.int8)


class Decisions(NamedTuple):
    """Decisions on students, one row each; fields as in `scoring.results.AssessmentTable`."""

    status: NDArray[np.int8]
    period: Ints
    risk: Doubles
    tier: NDArray[np.int8]
    since: Positions
    trajectory: Doubles
    forecast: Doubles
    low: Doubles
    high: Doubles
    observed_periods: Positions
    observed_share: Doubles


@dataclass(frozen=True, eq=False)
class DecisionInputs:
    """What decisions rest on, the same for every student.

    Attributes:
        tiers: Decides tiers.
        minimum: How much must be observed.
        intervals: Half-widths around forecasts; None where the bundle has none.
        possible: (periods,) how many values can be observed by the end of each period.
    """

    tiers: Tiers
    minimum: Minimum
    intervals: Intervals | None
    possible: Positions

    @cached_property
    def until(self) -> Floats:
        """(periods, periods) float32, 1 where a row's period is not after a column's."""
        return np.triu(np.ones((len(self.possible),) * 2, np.float32))


def decide(inputs: DecisionInputs, observed: Floats, lengths: Ints, scores: Scores) -> Decisions:
    """Decide on many students.

    Args:
        inputs: What to decide by.
        observed: (rows, periods) float32, number of counted values observed in each period.
        lengths: (rows,) periods observed; what lies beyond is ignored.
        scores: Of the same rows and periods, at least one period.
    """
    rows, periods = observed.shape
    clock = np.arange(1, periods + 1, dtype=np.int32)
    within = clock <= lengths[:, None]
    # Where each row's last period stands in a flat array; without any period the last column,
    # where nothing is observed either.
    last = np.arange(0, rows * periods, periods) + (lengths - 1) % periods
    observed = observed * within
    # Sums over a short axis take several times as long as products; both are exact here.
    until = inputs.until[:periods, :periods]
    observed_periods = (observed > 0).astype(np.float32) @ until
    share = observed @ until / inputs.possible[:periods]
    minimum = inputs.minimum
    is_enough = within & (observed_periods >= minimum.periods) & (share >= minimum.share)
    risk = round_risk(np.where(is_enough, scores.risk, np.nan))
    tiers = inputs.tiers.decide_rounded(risk)
    tier = tiers.ravel().take(last)
    is_assessed = tier != NO_TIER
    if not is_assessed.all():
        risk[~is_assessed] = np.nan
    forecast = _forecast(scores.score, last, is_assessed)
    low, high = _interval(inputs.intervals, forecast, lengths)
    return Decisions(
        status=_STATUS.take(is_enough.ravel().take(last) + 2 * is_assessed),
        period=lengths,
        risk=risk.ravel().take(last),
        tier=tier,
        since=_since(tiers, tier, within, clock) * is_assessed,
        trajectory=risk,  # NaN where there is no tier
        forecast=forecast,
        low=low,
        high=high,
        observed_periods=observed_periods.ravel().take(last).astype(np.intp),
        observed_share=share.ravel().take(last).round(DECIMALS),
    )


def _forecast(scores: Floats, last: Positions, is_assessed: Bools) -> Doubles:
    """Return (rows, subjects) forecasts at flat positions of row and period, rounded."""
    rows, periods, subjects = scores.shape
    latest = scores.reshape(rows * periods, subjects).take(last, axis=0)
    is_estimate = is_assessed[:, None] & np.isfinite(latest)
    return np.asarray(np.where(is_estimate, latest, np.float64(np.nan)).round(DECIMALS))


def _interval(intervals: Intervals | None, forecast: Doubles, lengths: Ints) -> Doubles:
    """Return (2, rows, subjects) lower and upper ends, rounded."""
    if intervals is None:
        return np.full((2, *forecast.shape), np.nan)
    return intervals.around(forecast, lengths).round(DECIMALS)


def _since(
    tiers: NDArray[np.int8], present: NDArray[np.int8], within: Bools, clock: Ints
) -> Positions:
    """Find the period since which each row has had its present tier without a break."""
    # Periods first: NumPy finds the maxima of long rows several at a time.
    is_other = (within & (tiers != present[:, None])).T
    return np.asarray((is_other * clock[:, None]).max(axis=0) + 1, np.intp)
