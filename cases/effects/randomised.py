"""Effects of recommendations that were drawn among equals, from the logged probabilities.

Difference of means, inverse propensity scoring (IPS), its self-normalised form (SNIPS), and the
cross-fitted doubly robust estimator (Chernozhukov et al. 2018, doi:10.1111/ectj.12097). All intend
to treat: what was drawn counts, whether or not it was done.
"""

from dataclasses import dataclass

import numpy as np

from cases.effects.figures import Estimate, interval
from records.arrays import Bools, Doubles

_FOLDS = 5
_RIDGE = 1e-3


@dataclass(frozen=True, slots=True)
class Drawn:
    """Draws of one choice, one a student.

    Attributes:
        is_first: (students,) whether the first of the two recommendations was drawn.
        propensity: (students,) logged probability with which the first was drawn.
        outcome: (students,) later outcome.
        covariates: (students, covariates) known before the draw, such as the risk.
    """

    is_first: Bools
    propensity: Doubles
    outcome: Doubles
    covariates: Doubles

    def __len__(self) -> int:
        return len(self.outcome)


@dataclass(frozen=True, slots=True)
class Comparison:
    """The first recommendation's outcome minus the second's, by four estimators.

    Attributes:
        doubly_robust: The headline: uses the covariates, and is right where either the logged
            probabilities or the fitted outcomes are.
    """

    difference: Estimate
    ips: Estimate
    snips: Estimate
    doubly_robust: Estimate


def compare(drawn: Drawn, *, seed: int = 0) -> Comparison | None:
    """Compare two recommendations.

    Args:
        drawn: Of students with a known outcome.
        seed: Of the folds.

    Returns:
        None with fewer than ten students in an arm: too few for any of the errors.
    """
    first = int(drawn.is_first.sum())
    if min(first, len(drawn) - first) < 10:
        return None
    return Comparison(
        difference=_difference(drawn),
        ips=_mean(_weighted(drawn, drawn.outcome)),
        snips=_self_normalised(drawn),
        doubly_robust=_doubly_robust(drawn, seed),
    )


def value_of(
    outcome: Doubles, matches: Bools, propensity: Doubles, target: Doubles | float = 1.0
) -> Estimate:
    """Estimate the mean outcome had another rule chosen, by self-normalised weights.

    Args:
        outcome: (students,) of what was really chosen.
        matches: (students,) whether the other rule would have chosen the same.
        propensity: (students,) logged probability of what was chosen.
        target: Probability with which the other rule chooses it.
    """
    weights = matches * target / propensity
    total = weights.sum()
    if total == 0:
        return Estimate(float("nan"), float("inf"), float("-inf"), float("inf"), 0)
    mean = float((weights * outcome).sum() / total)
    residuals = weights * (outcome - mean) * len(outcome) / total
    error = float(np.sqrt((residuals**2).sum()) / len(outcome))
    return interval(mean, error, int(matches.sum()))


def _difference(drawn: Drawn) -> Estimate:
    first, second = drawn.outcome[drawn.is_first], drawn.outcome[~drawn.is_first]
    variance = first.var(ddof=1) / len(first) + second.var(ddof=1) / len(second)
    return interval(float(first.mean() - second.mean()), float(np.sqrt(variance)), len(drawn))


def _weighted(drawn: Drawn, values: Doubles) -> Doubles:
    share = drawn.propensity
    return np.where(drawn.is_first, values / share, -values / (1 - share))


def _self_normalised(drawn: Drawn) -> Estimate:
    first = value_of(drawn.outcome, drawn.is_first, drawn.propensity)
    second = value_of(drawn.outcome, ~drawn.is_first, 1 - drawn.propensity)
    error = float(np.hypot(first.error, second.error))
    return interval(first.value - second.value, error, len(drawn))


def _doubly_robust(drawn: Drawn, seed: int) -> Estimate:
    """Fit outcomes by arm on the other folds, correct by the weighted residuals of this one."""
    folds = np.random.default_rng(seed).permutation(len(drawn)) % _FOLDS
    design = _design(drawn.covariates)
    expected = np.empty((2, len(drawn)))
    for fold in range(_FOLDS):
        held = folds == fold
        for arm, chosen in enumerate((drawn.is_first, ~drawn.is_first)):
            use = chosen & ~held
            expected[arm, held] = design[held] @ _ridge(design[use], drawn.outcome[use])
    residual = drawn.outcome - np.where(drawn.is_first, expected[0], expected[1])
    return _mean(expected[0] - expected[1] + _weighted(drawn, residual))


def _design(covariates: Doubles) -> Doubles:
    spread = covariates.std(axis=0)
    scaled = (covariates - covariates.mean(axis=0)) / np.where(spread > 0, spread, 1)
    return np.concatenate([np.ones((len(covariates), 1)), scaled], axis=1)


def _ridge(design: Doubles, outcome: Doubles) -> Doubles:
    penalty = _RIDGE * len(design) * np.eye(design.shape[1])
    penalty[0, 0] = 0
    gram = design.T @ design + penalty
    return np.asarray(np.linalg.pinv(gram) @ (design.T @ outcome))


def _mean(scores: Doubles) -> Estimate:
    error = float(scores.std(ddof=1) / np.sqrt(len(scores)))
    return interval(float(scores.mean()), error, len(scores))
