"""ABROCA: the area between two groups' ROC curves.

Gardner, Brooks and Baker 2019, *Evaluating the Fairness of Predictive Student Models Through
Slicing Analysis* (LAK '19): the integral over the false-positive rate of the absolute difference of
the curves. Unlike a difference of AUCs it sees curves that cross.
"""

import numpy as np

from evaluation.weighted import Judged, ones
from records.arrays import Doubles

# Where resampled curves are compared: an area is off by a thousandth at most, a small part of any
# interval's width. A prime, so that hardly a curve jumps there.
_POINTS = 1009


def abroca(first: Judged, second: Judged) -> float | None:
    """Integrate the absolute difference of two ROC curves exactly; 0 … 1.

    Returns:
        None where one of the groups lacks an outcome, so that it has no curve.
    """
    curves = [_roc(judged) for judged in (first, second)]
    if any(curve is None for curve in curves):
        return None
    (x1, y1), (x2, y2) = (curve for curve in curves if curve is not None)
    grid = np.union1d(x1, x2)
    left, right = grid[:-1], grid[1:]
    begin = _after(x1, y1, left) - _after(x2, y2, left)
    end = _before(x1, y1, right) - _before(x2, y2, right)
    # Within a step of the grid both curves are straight: a trapezium, or two triangles.
    size = np.abs(begin) + np.abs(end)
    crossing = (begin**2 + end**2) / np.where(size > 0, size, 1)
    area = np.where(begin * end < 0, crossing, size) * (right - left) / 2
    return float(area.sum())


def roc_heights(judged: Judged, weights: Doubles) -> Doubles:
    """Read the ROC curve of each resample at equally spaced false-positive rates.

    The mean absolute difference of two groups' heights is their ABROCA, nearly: exact areas of
    thousands of resamples would take too long.

    Args:
        judged: Of one group.
        weights: (resamples, n).

    Returns:
        (resamples, points) true-positive rate; NaN where a resample lacks an outcome.
    """
    at = (np.arange(_POINTS) + 0.5) / _POINTS
    heights = np.full((len(weights), _POINTS), np.nan)
    if not len(judged.actual):
        return heights
    positives, records = judged.ranked(weights)
    x, y = (records - positives).cumsum(axis=1), positives.cumsum(axis=1)
    for row in np.flatnonzero((x[:, -1] > 0) & (y[:, -1] > 0)).tolist():
        rate = np.interp(at * x[row, -1], np.r_[0, x[row]], np.r_[0, y[row]])
        heights[row] = rate / y[row, -1]
    return heights


def _roc(judged: Judged) -> tuple[Doubles, Doubles] | None:
    """Return false- and true-positive rate from (0, 0) to (1, 1)."""
    if not 0 < judged.truth.sum() < len(judged.truth):
        return None
    positives, records = (of[0] for of in judged.ranked(ones(judged)))
    negatives = records - positives
    return (
        np.r_[0, negatives.cumsum()] / negatives.sum(),
        np.r_[0, positives.cumsum()] / positives.sum(),
    )


def _after(x: Doubles, y: Doubles, at: Doubles) -> Doubles:
    """Read a curve just right of `at`, where it may jump."""
    begin = np.searchsorted(x, at, side="right") - 1
    return _line(x, y, at, begin)


def _before(x: Doubles, y: Doubles, at: Doubles) -> Doubles:
    """Read a curve just left of `at`."""
    return _line(x, y, at, np.searchsorted(x, at, side="left") - 1)


def _line(x: Doubles, y: Doubles, at: Doubles, begin: np.ndarray) -> Doubles:
    slope = (y[begin + 1] - y[begin]) / (x[begin + 1] - x[begin])
    return np.asarray(y[begin] + slope * (at - x[begin]))
