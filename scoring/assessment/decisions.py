"""Decide what is said of students before anything is advised: risks, tiers, forecasts."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from records.arrays import Bools, Doubles, Floats, Ints, Positions
from records.intervals import Intervals
from scoring.policy.model import Minimum
from scoring.policy.tiers import Tiers
from scoring.results import NO_TIER, STATUS_BY_FACTS
from scoring.rounding import DECIMALS, round_risk
from scoring.runtime.scorer import Scores

_STATUS = np.array(STATUS_BY_FACTS, np.int8)


class Decisions(NamedTuple):
    """What is decided of students, one row each; see `AssessmentTable`."""

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
    """What decisions rest on, whoever the student is.

    Attributes:
        tiers: Decides tiers.
        minimum: How much must be known.
        intervals: Lie around forecasts; None where there are none.
        possible: (periods,) how many values can be known by the end of each period.
    """

    tiers: Tiers
    minimum: Minimum
    intervals: Intervals | None
    possible: Positions

    @cached_property
    def until(self) -> Floats:
        """(periods, periods) float32, 1 where a row's period is not after a column's."""
        return np.triu(np.ones((len(self.possible),) * 2, np.float32))


def decide(inputs: DecisionInputs, seen: Floats, lengths: Ints, scores: Scores) -> Decisions:
    """Decide of many students.

    Args:
        inputs: What to decide by.
        seen: (rows, periods) float32, values known in each period, of those that count.
        lengths: (rows,) periods observed; what lies beyond is not looked at.
        scores: Of the same rows and periods, at least one.
    """
    rows, periods = seen.shape
    clock = np.arange(1, periods + 1, dtype=np.int32)
    within = clock <= lengths[:, None]
    # Where each row's last period stands in a flat array; without any period the last column,
    # where nothing is observed either.
    last = np.arange(0, rows * periods, periods) + (lengths - 1) % periods
    seen = seen * within
    # Sums over a short axis take several times as long as products; both are exact here.
    until = inputs.until[:periods, :periods]
    observed, share = (
        (seen > 0).astype(np.float32) @ until,
        seen @ until / inputs.possible[:periods],
    )
    enough = within & (observed >= inputs.minimum.periods) & (share >= inputs.minimum.share)
    risk = round_risk(np.where(enough, scores.risk, np.nan))
    by_period = inputs.tiers.decide_rounded(risk)
    tier = by_period.ravel().take(last)
    assessed = tier != NO_TIER
    since = _since(by_period, tier, within, clock) * assessed
    if not assessed.all():
        risk[~assessed] = np.nan
    forecast = _forecast(_at(scores.score, last), assessed)
    low, high = _interval(inputs.intervals, forecast, lengths)
    return Decisions(
        status=_STATUS.take(enough.ravel().take(last) + 2 * assessed),
        period=lengths,
        risk=risk.ravel().take(last),
        tier=tier,
        since=since,
        trajectory=risk,  # NaN is where there is no tier
        forecast=forecast,
        low=low,
        high=high,
        observed_periods=observed.ravel().take(last).astype(np.intp),
        observed_share=share.ravel().take(last).round(DECIMALS),
    )


def _at(scores: Floats, last: Positions) -> Floats:
    """Return (rows, subjects) scores at flat positions of row and period."""
    rows, periods, subjects = scores.shape
    return scores.reshape(rows * periods, subjects).take(last, axis=0)


def _forecast(scores: Floats, assessed: Bools) -> Doubles:
    known = np.where(assessed[:, None] & np.isfinite(scores), scores, np.nan)
    return np.asarray(known.astype(np.float64).round(DECIMALS))


def _interval(intervals: Intervals | None, forecast: Doubles, lengths: Ints) -> Doubles:
    """Return (2, rows, subjects) lower and upper ends, rounded."""
    if intervals is None:
        return np.full((2, *forecast.shape), np.nan)
    return intervals.around(forecast, lengths).round(DECIMALS)


def _since(
    tiers: NDArray[np.int8], present: NDArray[np.int8], within: Bools, clock: Ints
) -> Positions:
    """Find the period since which each row has had its present tier without a break."""
    # Periods first: NumPy finds the largest of long rows, several at a time.
    other = (within & (tiers != present[:, None])).T
    return np.asarray((other * clock[:, None]).max(axis=0) + 1, np.intp)
