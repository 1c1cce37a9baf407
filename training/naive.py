"""Naive baselines: base rate, last score, mean so far."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from records.cohort import Cohort, Floats
from records.contract import Kind
from training.history_features import last_observed, mean_so_far
from training.parts import Baseline, Parts, placed
from training.selection import pearson
from training.targets import known_risk, known_score, score_spread


def risk_base_rate(parts: Parts, _seed: int) -> Baseline:
    """Give everybody the share at risk among the training records of that period."""
    known = known_risk(parts.train)
    at_risk = np.where(known, parts.train.risk, 0).sum(axis=0)
    rate = np.where(
        known.any(axis=0),
        at_risk / np.maximum(known.sum(axis=0), 1),
        at_risk.sum() / max(int(known.sum()), 1),
    )
    steps = known_risk(parts.test)
    return Baseline(placed(steps, np.broadcast_to(rate, steps.shape)[steps]), "the period")


def risk_last_value(parts: Parts, _seed: int) -> Baseline | None:
    """Fit a logistic curve on the latest value of the one feature that tells most by itself."""
    features = parts.train.contract.features
    ordered = [i for i, feature in enumerate(features) if feature.kind is not Kind.CATEGORICAL]
    known = known_risk(parts.train)
    outcome = parts.train.risk[known]
    latest = {i: last_observed(parts.train.values[:, :, i])[known] for i in ordered}

    def strength(column: int) -> float:
        seen = ~np.isnan(latest[column])
        return abs(pearson(latest[column][seen], outcome[seen]) or 0.0) * float(seen.mean())

    best = max(ordered, key=strength, default=None)
    if best is None or strength(best) == 0:
        return None
    middle, spread = float(np.nanmean(latest[best])), float(np.nanstd(latest[best]))

    def inputs(values: Floats) -> NDArray[np.float64]:
        missing = np.isnan(values)
        return np.column_stack([np.where(missing, 0.0, (values - middle) / spread), missing])

    curve = LogisticRegression().fit(inputs(latest[best]), outcome > 0.5)
    steps = known_risk(parts.test)
    rows = inputs(last_observed(parts.test.values[:, :, best])[steps])
    predicted = curve.predict_proba(rows)[:, 1] if len(rows) else np.empty(0)
    return Baseline(placed(steps, predicted), features[best].name)


def score_mean(parts: Parts, _seed: int) -> Baseline:
    """Give everybody the mean of the training records' scores in the subject."""
    mean, _ = score_spread(parts.train)
    steps = known_score(parts.test)
    return Baseline(placed(steps, np.broadcast_to(mean, steps.shape)[steps]), "the subject")


def score_last(parts: Parts, _seed: int) -> Baseline | None:
    """Forecast the last score: the latest value of the feature nearest to the target."""
    return _carried(parts, last_observed)


def score_mean_so_far(parts: Parts, _seed: int) -> Baseline | None:
    """Forecast the mean of the values so far of the feature nearest to the target."""
    return _carried(parts, mean_so_far)


def _carried(parts: Parts, carry: Callable[[Floats], Floats]) -> Baseline | None:
    """Carry the feature on that, laid over the target's range, errs least in the training part.

    A contract does not say which feature is the score, and one with a range of its own, such as a
    grade point from 0 to 4, can be it as well as one in the target's unit.
    """
    contract = parts.train.contract
    candidates = [
        column
        for column, feature in enumerate(contract.features)
        if feature.minimum is not None and feature.maximum is not None
    ]
    if not candidates:
        return None
    mean, _ = score_spread(parts.train)
    known, steps = known_score(parts.train), known_score(parts.test)
    predicted = np.full(parts.test.score.shape, np.nan, np.float32)
    reads = []
    for subject, name in enumerate(contract.targets.score.subjects):
        seen, fallback = known[:, :, subject], mean[subject]
        actual = parts.train.score[:, :, subject][seen]
        errors = [
            np.abs(_forecast(parts.train, column, carry, fallback)[seen] - actual).sum()
            for column in candidates
        ]
        best = candidates[int(np.argmin(errors))]
        wanted = steps[:, :, subject]
        predicted[:, :, subject][wanted] = _forecast(parts.test, best, carry, fallback)[wanted]
        reads.append(f"{name}: {contract.features[best].name}")
    return Baseline(predicted, ", ".join(reads))


def _forecast(
    cohort: Cohort, column: int, carry: Callable[[Floats], Floats], fallback: float
) -> Floats:
    """Carry one feature on, laid over the target's range; `fallback` before its first value."""
    feature, target = cohort.contract.features[column], cohort.contract.targets.score
    share = (carry(cohort.values[:, :, column]) - feature.lower_bound) / (
        feature.upper_bound - feature.lower_bound
    )
    scores = target.minimum + share * (target.maximum - target.minimum)
    return np.where(np.isnan(scores), fallback, scores).astype(np.float32)
