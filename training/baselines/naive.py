"""Naive baselines: base rate, last score, mean so far."""

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from evaluation.naive import (
    base_rates,
    carried_forecast,
    last_observed,
    nearest_features,
    score_means,
)
from records.arrays import Bools, Floats
from records.cohort import Cohort
from records.contract import Kind
from training.data.parts import Parts
from training.data.selection import pearson
from training.data.targets import known_risk
from training.model import Fitted, placed, wanted


def risk_base_rate(parts: Parts, _seed: int) -> Fitted:
    """Predict for every record the share at risk among the training records of that period."""
    rate = base_rates(parts.train)

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
    """Predict for every record the mean of the training records' scores in the subject."""
    mean = score_means(parts.train)

    def predict(cohort: Cohort, steps: Bools | None = None) -> Floats:
        chosen = wanted(cohort, steps)
        return placed(chosen, np.broadcast_to(mean, (int(chosen.sum()), len(mean))))

    return Fitted(predict, "the subject")


def score_last(parts: Parts, _seed: int) -> Fitted | None:
    """Forecast the last score: the latest value of the feature nearest to the target."""
    return _carried(parts, "last_score")


def score_mean_so_far(parts: Parts, _seed: int) -> Fitted | None:
    """Forecast the mean of the values so far of the feature nearest to the target."""
    return _carried(parts, "mean_so_far")


def _carried(parts: Parts, carry: str) -> Fitted | None:
    means = score_means(parts.train)
    columns = nearest_features(parts.train, carry, means)
    if columns is None:
        return None

    def predict(cohort: Cohort, steps: Bools | None = None) -> Floats:
        chosen = wanted(cohort, steps)
        return placed(chosen, carried_forecast(cohort, columns, carry, means)[chosen])

    contract = parts.train.contract
    reads = [
        f"{name}: {contract.features[column].name}"
        for name, column in zip(contract.targets.score.subjects, columns, strict=True)
    ]
    return Fitted(predict, ", ".join(reads))
