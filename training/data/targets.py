"""What the networks learn from the steps of a cohort that count (`evaluation.known`)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation.known import known_risk, known_score, last_known, usable
from records.arrays import Bools, Floats
from records.cohort import Cohort

__all__ = [
    "Examples",
    "known_risk",
    "known_score",
    "last_known",
    "risk_examples",
    "score_examples",
    "score_spread",
    "usable",
]


@dataclass(frozen=True, eq=False)
class Examples:
    """Inputs, targets and weights of one network; every period is a target.

    Attributes:
        values: (records, periods, features) float32, raw units, NaN for missing.
        target: float32 in the shape of the network's output; 0 where the weight is 0.
        weight: float32 in the same shape; 0 where the step does not count, else one number chosen
            so that the mean over everything is 1: Keras' mean over all steps is then the mean
            over those that count.
    """

    values: Floats
    target: Floats
    weight: Floats


def risk_examples(cohort: Cohort, periods: int) -> Examples:
    """Make the risk network's examples from the first `periods` periods."""
    return _examples(cohort, cohort.risk, known_risk(cohort), periods)


def score_examples(cohort: Cohort, periods: int) -> Examples:
    """Make the score network's examples from the first `periods` periods."""
    return _examples(cohort, cohort.score, known_score(cohort), periods)


def _examples(cohort: Cohort, target: Floats, known: Bools, periods: int) -> Examples:
    used = np.flatnonzero(known[:, :periods].reshape(len(cohort), -1).any(axis=1))
    known = known[used, :periods]
    target = np.where(known, target[used, :periods], np.float32(0))
    weight = known.astype(np.float32) * np.float32(known.size / max(int(known.sum()), 1))
    return Examples(values=cohort.values[used, :periods], target=target, weight=weight)


def score_spread(cohort: Cohort) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and standard deviation of each subject's known next scores.

    The spread is 1 for a subject that does not vary, so that a network can be scaled by it.
    """
    known = known_score(cohort)
    mean, spread = [], []
    for subject in range(known.shape[2]):
        scores = cohort.score[:, :, subject][known[:, :, subject]].astype(np.float64)
        mean.append(scores.mean() if scores.size else 0.0)
        spread.append(scores.std() if scores.size and scores.std() > 0 else 1.0)
    return np.array(mean), np.array(spread)
