"""Learn how wide the intervals around score forecasts must be: split conformal prediction.

Residuals of records that the weights never saw, by period and subject (Mondrian: Vovk, Gammerman,
Shafer 2005, ch. 4); where one cell holds few scores it is pooled with the periods around it. For
exchangeable records the interval around the forecast of n + 1 holds its score with a probability of
at least the coverage and at most 1 / (n + 1) more (Lei et al. 2018, theorem 2.2).
"""

import numpy as np
from mapie.regression import SplitConformalRegressor
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, RegressorMixin

from records.arrays import Bools, Doubles, Floats
from records.cohort import Cohort
from records.learnt.intervals import Intervals
from training.data.targets import known_score
from training.fitting.calibration_data import HeldOutPredictions

COVERAGE = 0.9
# With 100 scores the coverage that one calibration set gives has a standard deviation of 3 points.
_FEWEST = 100


class _AsForecast(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Give back the forecast it is given: MAPIE wants an estimator, and ours is a network."""

    n_features_in_ = 1  # how MAPIE knows a fitted estimator

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def fit(self, *_: Doubles) -> "_AsForecast":
        """Return itself: the network was fitted elsewhere."""
        return self

    def predict(self, forecast: Doubles) -> Doubles:
        """Return the only column of `forecast`."""
        return forecast[:, 0]


def learn_intervals(held_out: HeldOutPredictions, *, coverage: float = COVERAGE) -> Intervals:
    """Learn the half-widths of each period and subject.

    Args:
        held_out: A network's predictions for records that its weights never saw: (records, periods,
            subjects), raw units.
        coverage: Share of scores to hold.
    """
    forecast, cohort = held_out.predicted, held_out.cohort
    known = known_score(cohort) & np.isfinite(forecast)
    score = cohort.contract.targets.score
    _, periods, subjects = forecast.shape
    width = np.empty((periods, subjects))
    for subject in range(subjects):
        for period in range(periods):
            steps = _around(known[:, :, subject], period)
            width[period, subject] = half_width(
                forecast[:, steps, subject][known[:, steps, subject]],
                cohort.score[:, steps, subject][known[:, steps, subject]],
                coverage=coverage,
                otherwise=score.maximum - score.minimum,
            )
    return Intervals(
        coverage=coverage,
        learnt_on=held_out.name,
        subjects=score.subjects,
        minimum=score.minimum,
        maximum=score.maximum,
        scores=tuple(map(tuple, known.sum(axis=0).tolist())),
        half_width=tuple(map(tuple, (np.ceil(width * 1e4) / 1e4).tolist())),
    )


def half_width(
    forecast: NDArray[np.floating],
    actual: NDArray[np.floating],
    *,
    coverage: float,
    otherwise: float,
) -> float:
    """Return the conformal half-width: the ⌈(n + 1) x coverage⌉-th smallest absolute residual.

    Args:
        forecast: (n,).
        actual: (n,).
        coverage: Share to hold.
        otherwise: Returned where n is too small for that share: nothing can be promised.
    """
    # Where the theorem's rank is above n, and a little earlier, where MAPIE refuses.
    if len(actual) <= max(1 / coverage, 1 / (1 - coverage)):
        return otherwise
    conformal = SplitConformalRegressor(_AsForecast(), confidence_level=coverage, prefit=True)
    middle = np.asarray(forecast, np.float64)[:, None]
    conformal.conformalize(middle, np.asarray(actual, np.float64))
    _, ends = conformal.predict_interval(np.zeros((1, 1)))
    return float(ends[0, 1, 0] - ends[0, 0, 0]) / 2


def with_coverage(intervals: Intervals, forecast: Floats, cohort: Cohort) -> Intervals:
    """Return `intervals` with the coverage that they have on a cohort, the test part.

    Args:
        intervals: Learnt on other records.
        forecast: (records, periods, subjects), raw units.
        cohort: The records.
    """
    known = known_score(cohort) & np.isfinite(forecast)
    width = np.array(intervals.half_width)
    held = (np.abs(cohort.score.astype(np.float64) - forecast) <= width) & known
    count, within = known.sum(axis=(0, 2)), held.sum(axis=(0, 2))
    return intervals.model_copy(
        update={
            "measured": {
                period + 1: round(float(within[period] / count[period]), 4)
                for period in np.flatnonzero(count).tolist()
            },
            "measured_overall": round(float(within.sum() / count.sum()), 4)
            if count.any()
            else None,
        }
    )


def mean_widths(intervals: Intervals, forecast: Floats, cohort: Cohort) -> dict[int, float]:
    """Return how wide the intervals around the forecasts of known scores are, as they are served.

    Args:
        intervals: Learnt on other records.
        forecast: (records, periods, subjects), raw units.
        cohort: The records.

    Returns:
        Period, counted from 1 -> mean width in raw units, of what lies within the score's range.
    """
    known = known_score(cohort) & np.isfinite(forecast)
    record, period = np.nonzero(known.any(axis=2))
    low, high = intervals.around(forecast[record, period], period + 1)
    width = np.where(known[record, period], high - low, 0).sum(axis=1)
    periods = known.shape[1]
    total, count = np.bincount(period, width, periods), known.sum(axis=(0, 2))
    return {at + 1: float(total[at] / count[at]) for at in np.flatnonzero(count).tolist()}


def _around(known: Bools, period: int) -> slice:
    """Return the fewest periods around `period` that hold enough scores, or all."""
    counts = known.sum(axis=0)
    for reach in range(len(counts)):
        steps = slice(max(0, period - reach), period + reach + 1)
        if counts[steps].sum() >= _FEWEST:
            return steps
    return slice(0, len(counts))
