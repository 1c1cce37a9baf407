"""Regression discontinuity at a tier's bound: students just above beside students just below.

Local linear regression on both sides with a triangular kernel. The standard error is the
heteroscedasticity-robust nearest-neighbour one and the bandwidth is swept, since one bandwidth is a
choice (Imbens and Lemieux 2008, doi:10.1016/j.jeconom.2007.05.001; Calonico, Cattaneo and Titiunik
2014, doi:10.3982/ECTA11757). Robust bias correction: the bias is estimated by a quadratic fit with
the same bandwidth, which is the same as reporting that fit's estimate and error.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cases.effects.figures import Estimate, interval
from records.arrays import Bools, Doubles

_FEWEST = 30
_NEIGHBOURS = 3


@dataclass(frozen=True, slots=True)
class Density:
    """Whether as many students lie just below the bound as just above it.

    Attributes:
        below, above: Students within the window.
        p_value: Exact binomial test of a fair split, two-sided; a small one is a warning that
            something moved students over the bound.
    """

    below: int
    above: int
    p_value: float


@dataclass(frozen=True, slots=True)
class Discontinuity:
    """What lies between the two sides of a bound.

    Attributes:
        bound: Probability at which the tier begins.
        bandwidth: Of the headline estimate.
        effect: Outcome just above minus just below.
        sensitivity: The same with half, three quarters, one and a half and twice the bandwidth.
        first_stage: How much more often students just above were contacted; None where unknown.
        density: Check of the split.
    """

    bound: float
    bandwidth: float
    effect: Estimate
    sensitivity: tuple[tuple[float, Estimate], ...]
    first_stage: Estimate | None
    density: Density


def discontinuity(
    risk: Doubles,
    outcome: Doubles,
    bound: float,
    *,
    contacted: Doubles | None = None,
    bandwidth: float | None = None,
) -> Discontinuity | None:
    """Estimate what being just above a bound changes in an outcome.

    Args:
        risk: (students,) probabilities on which the tier was decided.
        outcome: (students,) later outcome; NaN where it is unknown.
        bound: Smallest probability of the tier.
        contacted: (students,) 1 where contact was made; for the first stage.
        bandwidth: Distance from the bound up to which students count; chosen from the spread of
            the risks unless given.

    Returns:
        None where fewer than 30 students lie on a side.
    """
    is_known = ~np.isnan(outcome) & ~np.isnan(risk)
    if is_known.sum() < 2 * _FEWEST:
        return None
    distance = risk[is_known] - bound
    values = outcome[is_known]
    width = bandwidth or _default_bandwidth(distance)
    effect = _jump(distance, values, width)
    if effect is None:
        return None
    swept = [(factor * width) for factor in (0.5, 0.75, 1.5, 2.0)]
    sensitivity = [(one, _jump(distance, values, one)) for one in swept]
    first = None
    if contacted is not None:
        first = _jump(distance, contacted[is_known], width)
    return Discontinuity(
        bound=bound,
        bandwidth=width,
        effect=effect,
        sensitivity=tuple((one, found) for one, found in sensitivity if found is not None),
        first_stage=first,
        density=_density(distance, width / 4),
    )


def _default_bandwidth(distance: Doubles) -> float:
    """Return 2.5 times Silverman's width, at least 0.05: wide enough for the quadratic fit."""
    return max(0.05, float(2.65 * np.std(distance) * len(distance) ** -0.2))


def _jump(distance: Doubles, outcome: Doubles, width: float) -> Estimate | None:
    is_above = distance >= 0
    sides = []
    for side in (is_above, ~is_above):
        near = side & (np.abs(distance) < width)
        if near.sum() < _FEWEST:
            return None
        sides.append(_at_bound(distance[near], outcome[near], width))
    (above, variance_above), (below, variance_below) = sides
    number = int((np.abs(distance) < width).sum())
    return interval(above - below, math.sqrt(variance_above + variance_below), number)


def _at_bound(distance: Doubles, outcome: Doubles, width: float) -> tuple[float, float]:
    """Return value and variance of a local quadratic fit at the bound."""
    weights = 1 - np.abs(distance) / width
    design = np.stack([np.ones_like(distance), distance, distance**2], axis=1)
    weighted = design * weights[:, None]
    bread = np.linalg.pinv(weighted.T @ design)
    loadings = (bread @ weighted.T)[0]
    return float(loadings @ outcome), float((loadings**2) @ _variances(distance, outcome))


def _variances(distance: Doubles, outcome: Doubles) -> Doubles:
    """Return each student's variance, estimated from their nearest neighbours on the same side."""
    order = np.argsort(distance, kind="stable")
    sorted_ = outcome[order]
    number = len(sorted_)
    shifts = [shift for shift in range(-_NEIGHBOURS, _NEIGHBOURS + 1) if shift]
    positions = np.clip(np.arange(number)[:, None] + np.array(shifts), 0, number - 1)
    others = sorted_[positions].mean(axis=1)
    count = len(shifts)
    found = np.empty(number)
    found[order] = count / (count + 1) * (sorted_ - others) ** 2
    return found


def _density(distance: Doubles, width: float) -> Density:
    near: Bools = np.abs(distance) < width
    above = int((near & (distance >= 0)).sum())
    total = int(near.sum())
    return Density(total - above, above, _binomial(above, total))


def _binomial(successes: int, trials: int) -> float:
    """Return the two-sided p value of a fair coin."""
    if trials == 0:
        return 1.0
    low = min(successes, trials - successes)
    logs: Sequence[float] = [
        math.lgamma(trials + 1)
        - math.lgamma(k + 1)
        - math.lgamma(trials - k + 1)
        - trials * math.log(2)
        for k in range(low + 1)
    ]
    return min(1.0, 2 * sum(map(math.exp, logs)))
