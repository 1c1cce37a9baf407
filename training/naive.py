"""Naive baselines: base rate, last score, mean so far."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from records.cohort import Bools, Cohort, Floats
from records.contract import Kind
from training.history_features import last_observed, mean_so_far
from training.model import Fitted, placed, wanted
from training.parts import Parts
from training.selection import pearson
from training.targets import known_risk, known_score, score_spread


def risk_base_rate(parts: Parts, _seed: int) -> Fitted:
    """Give everybody the share at risk among the training records of that period."""
    known = known_risk(parts.train)
    at_risk = np.where(known, parts.train.risk, 0).sum(axis=0)
    rate = np.where(
        known.any(axis=0),
        at_risk / np.maximum(known.sum(axis=0), 1),
        at_risk.sum() / max(int(known.sum()), 1),
    )

    def predict(cohort: Cohort, steps: Bools | None = None) -> Floats:
        chosen = wanted(cohort, steps)
        return placed(chosen, np.broadcast_to(rate, chosen.shape)[chosen])

    return Fitted(predict, "the period")


def risk_last_value(parts: Parts, _seed: int) -> Fitted | None:
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

    def predict(cohort: Cohort, steps: Bools | None = None) -> Floats:
        chosen = wanted(cohort, steps)
        rows = inputs(last_observed(cohort.values[:, :, best])[chosen])
        return placed(chosen, curve.predict_proba(rows)[:, 1] if len(rows) else np.empty(0))

    return Fitted(predict, features[best].name)


def score_mean(parts: Parts, _seed: int) -> Fitted:
    """Give everybody the mean of the training records' scores in the subject."""
    mean, _ = score_spread(parts.train)

    def predict(cohort: Cohort, steps: Bools | None = None) -> Floats:
        chosen = wanted(cohort, steps)
        return placed(chosen, np.broadcast_to(mean, (int(chosen.sum()), len(mean))))

    return Fitted(predict, "the subject")


def score_last(parts: Parts, _seed: int) -> Fitted | None:
    """Forecast the last score: the latest value of the feature nearest to the target."""
    return _carried(parts, last_observed)


def score_mean_so_far(parts: Parts, _seed: int) -> Fitted | None:
    """Forecast the mean of the values so far of the feature nearest to the target."""
    return _carried(parts, mean_so_far)


def _carried(parts: Parts, carry: Callable[[Floats], Floats]) -> Fitted | None:
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
    known = known_score(parts.train)
    carried = []
    for subject in range(known.shape[2]):
        seen, fallback = known[:, :, subject], mean[subject]
        actual = parts.train.score[:, :, subject][seen]
        errors = [
            np.abs(_forecast(parts.train, column, carry, fallback)[seen] - actual).sum()
            for column in candidates
        ]
        carried.append(candidates[int(np.argmin(errors))])

    def predict(cohort: Cohort, steps: Bools | None = None) -> Floats:
        forecasts = [
            _forecast(cohort, column, carry, fallback)
            for column, fallback in zip(carried, mean, strict=True)
        ]
        chosen = wanted(cohort, steps)
        return placed(chosen, np.stack(forecasts, axis=-1)[chosen])

    subjects = contract.targets.score.subjects
    reads = [
        f"{name}: {contract.features[column].name}"
        for name, column in zip(subjects, carried, strict=True)
    ]
    return Fitted(predict, ", ".join(reads))


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
