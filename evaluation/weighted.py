"""Figures over weighted steps: one formula for the point estimate and for every resample.

Each function takes `Judged`, what does not depend on the weights, and weights (resamples, n), and
returns (resamples,) float64, NaN where the figure is undefined, such as the AUC of one class. With
weights of one the result is the ordinary figure; the tests hold it against scikit-learn.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from records.arrays import Doubles

# Probability from which a record counts as warned.
THRESHOLD = 0.5
# Bins of equal mass for the expected calibration error.
BINS = 10
# Shares of the students that an advising office can see.
CAPACITIES = (0.10, 0.20)


@dataclass(frozen=True, eq=False)
class Judged:
    """What happened, and what was predicted of it.

    Attributes:
        actual: (n,) float64: outcomes 0 or 1, or scores.
        predicted: (n,) float64: probabilities, or forecasts in the unit of the score.
    """

    actual: Doubles
    predicted: Doubles

    @cached_property
    def truth(self) -> Doubles:
        """(n,) 1 where the outcome is to be warned of, else 0."""
        return (self.actual > 0.5).astype(np.float64)

    @cached_property
    def warned(self) -> Doubles:
        """(n,) 1 where the probability reaches the threshold, else 0."""
        return (self.predicted >= THRESHOLD).astype(np.float64)

    @cached_property
    def order(self) -> NDArray[np.intp]:
        """(n,) positions, the highest prediction first."""
        return np.argsort(-self.predicted, kind="stable")

    @cached_property
    def starts(self) -> NDArray[np.intp]:
        """(groups,) where in `order` each group of equal predictions begins."""
        ranked = self.predicted[self.order]
        return np.asarray(np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]]), np.intp)

    @cached_property
    def bins(self) -> NDArray[np.intp]:
        """(n,) bin of equal mass; equal predictions share a bin, so bins can be fewer."""
        _, group, sizes = np.unique(self.predicted, return_inverse=True, return_counts=True)
        middle = (sizes.cumsum() - sizes / 2) / len(self.predicted)
        return np.asarray((middle * BINS).astype(np.intp)[group])

    def ranked(self, weights: Doubles) -> tuple[Doubles, Doubles]:
        """Return the weight of positives and of all in each group of equal predictions.

        Both are (resamples, groups), the highest prediction first.
        """
        sorted_weights = weights[:, self.order]
        positives = sorted_weights * self.truth[self.order]
        return (
            np.add.reduceat(positives, self.starts, axis=1),
            np.add.reduceat(sorted_weights, self.starts, axis=1),
        )


Figure = Callable[[Judged, Doubles], Doubles]


def ones(judged: Judged) -> Doubles:
    """Return the weights that make every figure the ordinary one, (1, n)."""
    return np.ones((1, len(judged.actual)))


def base_rate(judged: Judged, weights: Doubles) -> Doubles:
    """Share at risk."""
    return _ratio(weights @ judged.truth, weights.sum(axis=1))


def accuracy(judged: Judged, weights: Doubles) -> Doubles:
    """Share judged rightly at the threshold."""
    right = (judged.truth == judged.warned).astype(np.float64)
    return _ratio(weights @ right, weights.sum(axis=1))


def precision(judged: Judged, weights: Doubles) -> Doubles:
    """Share of the warned that was at risk."""
    return _ratio(weights @ (judged.truth * judged.warned), weights @ judged.warned)


def recall(judged: Judged, weights: Doubles) -> Doubles:
    """Share of those at risk that was warned."""
    return _ratio(weights @ (judged.truth * judged.warned), weights @ judged.truth)


def false_negative_rate(judged: Judged, weights: Doubles) -> Doubles:
    """Share of those at risk that was not warned: whom the model overlooks."""
    return 1 - recall(judged, weights)


def false_positive_rate(judged: Judged, weights: Doubles) -> Doubles:
    """Share of those not at risk that was warned."""
    well = 1 - judged.truth
    return _ratio(weights @ (well * judged.warned), weights @ well)


def f1(judged: Judged, weights: Doubles) -> Doubles:
    """Harmonic mean of precision and recall."""
    hits = 2 * (weights @ (judged.truth * judged.warned))
    return _ratio(hits, weights @ judged.truth + weights @ judged.warned)


def auc(judged: Judged, weights: Doubles) -> Doubles:
    """Area under the ROC curve: share of the pairs ranked rightly, ties counting half."""
    if not len(judged.actual):
        return np.full(len(weights), np.nan)
    positives, records = judged.ranked(weights)
    negatives = records - positives
    above = positives.cumsum(axis=1) - positives / 2
    pairs = positives.sum(axis=1) * negatives.sum(axis=1)
    return _ratio((negatives * above).sum(axis=1), pairs)


def pr_auc(judged: Judged, weights: Doubles) -> Doubles:
    """Area under the precision-recall curve, as average precision."""
    if not len(judged.actual):
        return np.full(len(weights), np.nan)
    positives, records = judged.ranked(weights)
    reached = records.cumsum(axis=1)
    exact = positives.cumsum(axis=1) / np.where(reached > 0, reached, 1)
    return _ratio((positives * exact).sum(axis=1), positives.sum(axis=1))


def brier(judged: Judged, weights: Doubles) -> Doubles:
    """Mean squared difference of probability and outcome."""
    return _ratio(weights @ (judged.predicted - judged.truth) ** 2, weights.sum(axis=1))


def expected_calibration_error(judged: Judged, weights: Doubles) -> Doubles:
    """Mean distance of probability and outcome over ten bins of equal mass.

    Bins by rank rather than by value: where nearly all probabilities are small, bins of equal
    width hold nearly all records in one (Nixon et al. 2019, *Measuring Calibration in Deep
    Learning*). In a resample the bins stay those of the sample.
    """
    difference = judged.predicted - judged.truth
    distance = np.zeros(len(weights))
    for number in np.unique(judged.bins):
        here = judged.bins == number
        distance += np.abs(weights[:, here] @ difference[here])
    return _ratio(distance, weights.sum(axis=1))


def calibration_bias(judged: Judged, weights: Doubles) -> Doubles:
    """Mean probability less base rate: above 0 where risk is overstated."""
    return _ratio(weights @ (judged.predicted - judged.truth), weights.sum(axis=1))


def caught_at(share: float) -> Figure:
    """Count those at risk among the `share` of highest probability, as weight.

    Where the border falls among equal probabilities, they count with the share of them that fits:
    what drawing lots among them gives on average.
    """

    def caught(judged: Judged, weights: Doubles) -> Doubles:
        if not len(judged.actual):
            return np.zeros(len(weights))
        positives, records = judged.ranked(weights)
        room = share * records.sum(axis=1, keepdims=True)
        taken = np.clip(room - (records.cumsum(axis=1) - records), 0, records)
        return np.asarray((positives * taken / np.where(records > 0, records, 1)).sum(axis=1))

    return caught


def precision_at(share: float) -> Figure:
    """Precision when exactly the `share` of highest probability is warned."""
    caught = caught_at(share)
    return lambda judged, weights: _ratio(caught(judged, weights), share * weights.sum(axis=1))


def recall_at(share: float) -> Figure:
    """Recall when exactly the `share` of highest probability is warned."""
    caught = caught_at(share)
    return lambda judged, weights: _ratio(caught(judged, weights), weights @ judged.truth)


def mae(judged: Judged, weights: Doubles) -> Doubles:
    """Mean absolute error, in the unit of the score."""
    return _ratio(weights @ np.abs(judged.actual - judged.predicted), weights.sum(axis=1))


def rmse(judged: Judged, weights: Doubles) -> Doubles:
    """Root of the mean squared error, in the unit of the score."""
    return np.sqrt(_ratio(weights @ (judged.actual - judged.predicted) ** 2, weights.sum(axis=1)))


def r2(judged: Judged, weights: Doubles) -> Doubles:
    """Coefficient of determination; undefined where the scores do not vary."""
    total = weights.sum(axis=1)
    if not len(judged.actual):
        return np.full(len(weights), np.nan)
    # About the plain mean, so that nearly equal scores do not cancel out.
    centred = judged.actual - judged.actual.mean()
    about = weights @ centred**2
    spread = about - _ratio(weights @ centred, total) ** 2 * total
    error = weights @ (judged.actual - judged.predicted) ** 2
    # What is left of a difference of equal numbers is no variation.
    varies = spread > 1e-12 * np.maximum(np.maximum(weights @ judged.actual**2, about), 1e-300)
    return np.asarray(np.where(varies, 1 - error / np.where(varies, spread, 1), np.nan))


RISK_FIGURES: Mapping[str, Figure] = {
    "false_negative_rate": false_negative_rate,
    "accuracy": accuracy,
    "precision": precision,
    "recall": recall,
    "f1": f1,
    "auc": auc,
    "pr_auc": pr_auc,
    "brier": brier,
    "expected_calibration_error": expected_calibration_error,
    **{f"precision_at_{share:.0%}".replace("%", ""): precision_at(share) for share in CAPACITIES},
    **{f"recall_at_{share:.0%}".replace("%", ""): recall_at(share) for share in CAPACITIES},
}
SCORE_FIGURES: Mapping[str, Figure] = {"mae": mae, "rmse": rmse, "r2": r2}
# Of these less is better.
LESS_IS_BETTER = frozenset(
    {"false_negative_rate", "brier", "expected_calibration_error", "mae", "rmse"}
)


def _ratio(part: Doubles, whole: Doubles) -> Doubles:
    return np.asarray(np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0))
