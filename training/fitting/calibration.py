"""Calibrate a risk network: learn, on records its weights never saw, what its logits mean.

Platt scaling (Platt 1999, "Probabilistic outputs for support vector machines") by period: a
logistic regression of the outcome on the logit. Periods borrow from their neighbours by a Gaussian
kernel, and where outcomes are few they are drawn towards the one map over all periods, so that a
week with thirty students does not get a map of its own. Slopes are positive: within a period no
student changes places with another, and the AUC of a period stays what it was.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from records.arrays import Bools, Doubles, Floats
from records.learnt.calibration import Calibration
from training.data.targets import known_risk
from training.fitting.calibration_data import HeldOutPredictions

# Standard deviation of the kernel, in periods: neighbours count 0.61, those after them 0.14.
_KERNEL = 1.0
# Outcomes of the rarer class at which a period's own map weighs as much as the common one.
_PRIOR = 50.0
# Below this many of the rarer class nothing is fitted; two parameters would follow the noise.
_FEWEST = 10.0
# A map is never flatter: it would wipe out what the network tells.
_SMALLEST_SLOPE = 0.01
# Quantiles of fewer records than this say little; the nearest period that has as many stands in.
_FEWEST_RECORDS = 50
# Float32 probabilities nearer to 0 or 1 have lost their logit.
_NEAREST = 1e-6
_SHARES = np.linspace(0, 1, 201)
_SHOWN = 6


def learn_calibration(held_out: Sequence[HeldOutPredictions]) -> Calibration:
    """Learn the map from logits to probabilities, and how the probabilities are spread.

    Every source weighs the same, however many records it has: each is one draw of what a cohort
    can be like.

    Args:
        held_out: Networks' predictions for records that their weights never saw: (records, periods)
            probabilities, uncalibrated. The last is the latest: the spread is that of its records.
    """
    known = [known_risk(one.cohort) & np.isfinite(one.predicted) for one in held_out]
    weight = [np.full(which.shape, 1 / max(int(which.sum()), 1)) for which in known]
    counting = np.concatenate(known)
    share = np.concatenate(weight)
    slope, offset = fit_maps(
        np.concatenate([logit(one.predicted) for one in held_out]),
        counting,
        np.concatenate([one.cohort.risk for one in held_out]),
        share * counting.sum() / max(float(share[counting].sum()), 1e-12),
    )
    cohorts = np.concatenate([one.cohort.cohorts for one in held_out])
    return _calibration(
        held_out[-1],
        slope,
        offset,
        learnt_on="; ".join(one.name for one in held_out),
        cohorts=np.unique(cohorts[counting.any(axis=1)]).tolist(),
        records=counting.sum(axis=0),
    )


def without_calibration(held_out: HeldOutPredictions) -> Calibration:
    """Return the map that changes nothing, with the spread of the network's own probabilities.

    Args:
        held_out: What the network predicted for records that its weights never saw.
    """
    periods = held_out.predicted.shape[1]
    return _calibration(
        held_out,
        np.ones(periods),
        np.zeros(periods),
        learnt_on="nothing: calibration was switched off",
        cohorts=[],
        records=np.zeros(periods, np.int64),
    )


def _calibration(
    latest: HeldOutPredictions,
    slope: Doubles,
    offset: Doubles,
    *,
    learnt_on: str,
    cohorts: list[str],
    records: NDArray[np.int64],
) -> Calibration:
    known = known_risk(latest.cohort) & np.isfinite(latest.predicted)
    spread = np.array(1 / (1 + np.exp(-(logit(latest.predicted) * slope + offset))))
    return Calibration(
        learnt_on=learnt_on,
        cohorts=tuple(cohorts),
        records=tuple(records.tolist()),
        slope=tuple(slope.tolist()),
        offset=tuple(offset.tolist()),
        shares=tuple(_SHARES.tolist()),
        quantiles=tuple(tuple(row.tolist()) for row in _quantiles(spread, known)),
    )


def logit(probability: Floats) -> Doubles:
    """Return the logit of float32 probabilities, in float64 and finite."""
    inside = np.clip(probability.astype(np.float64), _NEAREST, 1 - _NEAREST)
    return np.asarray(np.log(inside / (1 - inside)))


def fit_maps(
    logits: Doubles, known: Bools, outcome: Floats, weight: Doubles
) -> tuple[Doubles, Doubles]:
    """Fit slope and offset for each period.

    Args:
        logits: (records, periods).
        known: (records, periods), which of them count.
        outcome: (records, periods), 0 or 1 where they count.
        weight: (records, periods), 1 on average.

    Returns:
        Slopes, all positive, and offsets, both (periods,).
    """
    periods = logits.shape[1]
    steps = known.nonzero()
    at, x, y, counts = steps[1], logits[steps], outcome[steps] > 0.5, weight[steps]
    common = _map(x, y, counts, (1.0, 0.0))
    slope, offset = np.full(periods, common[0]), np.full(periods, common[1])
    for period in range(periods):
        kernel = np.exp(-0.5 * ((at - period) / _KERNEL) ** 2)
        near = kernel > 0.01
        own_weight = kernel[near] * counts[near]
        rarer = _rarer(y[near], own_weight)
        own = _map(x[near], y[near], own_weight, common)
        trust = rarer / (rarer + _PRIOR)
        slope[period] = trust * own[0] + (1 - trust) * common[0]
        offset[period] = trust * own[1] + (1 - trust) * common[1]
    return slope, offset


def _map(
    x: Doubles, y: Bools, weight: Doubles, otherwise: tuple[float, float]
) -> tuple[float, float]:
    """Fit one logistic map; `otherwise` where outcomes are too few to fit any."""
    if _rarer(y, weight) < _FEWEST:
        return otherwise
    fitted = LogisticRegression(C=np.inf).fit(x[:, None], y, sample_weight=weight)
    slope, offset = float(fitted.coef_[0, 0]), float(fitted.intercept_[0])
    if slope >= _SMALLEST_SLOPE:
        return slope, offset
    # The logits tell nothing here: keep their order, and give the base rate.
    base = float(np.average(y, weights=weight))
    middle = float(np.average(x, weights=weight))
    return _SMALLEST_SLOPE, float(np.log(base / (1 - base))) - _SMALLEST_SLOPE * middle


def _rarer(y: Bools, weight: Doubles) -> float:
    """Return the weight of the rarer outcome."""
    return float(min(weight[y].sum(), weight[~y].sum()))


def _quantiles(probability: Doubles, known: Bools) -> Doubles:
    """Return (periods, shares) quantiles; the nearest period's where records are too few."""
    counts = known.sum(axis=0)
    enough = np.flatnonzero(counts >= min(_FEWEST_RECORDS, counts.max(initial=0)))
    rows = {
        period: np.quantile(probability[known[:, period], period], _SHARES).round(_SHOWN)
        for period in enough.tolist()
        if counts[period]
    }
    if not rows:
        return np.tile(_SHARES.round(_SHOWN), (known.shape[1], 1))
    having = np.array(list(rows))
    return np.array([rows[int(having[np.abs(having - p).argmin()])] for p in range(known.shape[1])])
