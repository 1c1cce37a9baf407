"""Naive rows, for which nothing is fitted: base rate, mean, last score, mean so far.

What they need of the training records is a handful of numbers and names, which travel with the
bundle, so that any cohort can be judged beside them without those records.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from evaluation.figures import NaiveFacts
from evaluation.known import known_risk, known_score
from records.arrays import Doubles, Floats
from records.cohort import Cohort


def last_observed(values: Floats) -> Floats:
    """Carry the latest observed value forward.

    Args:
        values: (records, periods), NaN for missing.

    Returns:
        The same shape; NaN before the first observed value.
    """
    periods = np.arange(values.shape[1])
    latest = np.maximum.accumulate(np.where(np.isnan(values), -1, periods), axis=1)
    carried = np.take_along_axis(values, np.maximum(latest, 0), axis=1)
    return np.where(latest < 0, np.float32(np.nan), carried).astype(np.float32)


def mean_so_far(values: Floats) -> Floats:
    """Average the values observed so far; shapes and NaN as in `last_observed`."""
    seen = ~np.isnan(values)
    total = np.where(seen, values, 0).cumsum(axis=1, dtype=np.float64)
    count = seen.cumsum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)


CARRIED: Mapping[str, Callable[[Floats], Floats]] = {
    "last_score": last_observed,
    "mean_so_far": mean_so_far,
}


def base_rates(cohort: Cohort) -> Doubles:
    """Return the share at risk at each period, (periods,); of all periods where no record counts."""
    known = known_risk(cohort)
    at_risk = np.where(known, cohort.risk, 0).sum(axis=0)
    return np.asarray(
        np.where(
            known.any(axis=0),
            at_risk / np.maximum(known.sum(axis=0), 1),
            at_risk.sum() / max(int(known.sum()), 1),
        ),
        np.float64,
    )


def score_means(cohort: Cohort) -> Doubles:
    """Return the mean of each subject's known next scores, (subjects,); 0 where there is none."""
    known = known_score(cohort)
    total = np.where(known, cohort.score, 0).sum(axis=(0, 1), dtype=np.float64)
    return np.asarray(total / np.maximum(known.sum(axis=(0, 1)), 1))


def nearest_features(cohort: Cohort, carry: str, means: Doubles) -> list[int] | None:
    """Choose for each subject the feature that, carried on, errs least.

    A contract does not say which feature is the score, and one with a range of its own, such as a
    grade point from 0 to 4, can be it as well as one in the target's unit.

    Args:
        cohort: Training records.
        carry: A name of `CARRIED`.
        means: (subjects,) forecast before the feature's first value.

    Returns:
        One position of a feature for each subject; None where no feature has a range.
    """
    candidates = [
        column
        for column, feature in enumerate(cohort.contract.features)
        if feature.minimum is not None and feature.maximum is not None
    ]
    if not candidates:
        return None
    known = known_score(cohort)
    nearest = []
    for subject in range(known.shape[2]):
        seen = known[:, :, subject]
        actual = cohort.score[:, :, subject][seen]
        errors = [
            np.abs(_forecast(cohort, column, carry, means[subject])[seen] - actual).sum()
            for column in candidates
        ]
        nearest.append(candidates[int(np.argmin(errors))])
    return nearest


def carried_forecast(
    cohort: Cohort, columns: list[int], carry: str, means: NDArray[np.floating]
) -> Floats:
    """Forecast (records, periods, subjects) by carrying one feature a subject on."""
    forecasts = [
        _forecast(cohort, column, carry, float(fallback))
        for column, fallback in zip(columns, means, strict=True)
    ]
    return np.stack(forecasts, axis=-1)


def learn_naive(train: Cohort) -> NaiveFacts:
    """Note what the naive rows need of the training records."""
    contract = train.contract
    subjects, means = contract.targets.score.subjects, score_means(train)
    carried = {}
    for carry in CARRIED:
        columns = nearest_features(train, carry, means)
        if columns is not None:
            names = [contract.features[column].name for column in columns]
            carried[carry] = dict(zip(subjects, names, strict=True))
    return NaiveFacts(
        base_rate=tuple(base_rates(train).tolist()),
        mean=dict(zip(subjects, means.tolist(), strict=True)),
        carried=carried,
    )


def naive_risk(facts: NaiveFacts, cohort: Cohort) -> dict[str, Floats]:
    """Give the naive rows of the risk: name -> (records, periods) probability."""
    rates = np.asarray(facts.base_rate, np.float32)
    return {"base_rate": np.broadcast_to(rates, cohort.risk.shape)}


def naive_score(facts: NaiveFacts, cohort: Cohort) -> dict[str, Floats]:
    """Give the naive rows of the score: name -> (records, periods, subjects) forecast."""
    contract = cohort.contract
    subjects = contract.targets.score.subjects
    means = np.array([facts.mean[subject] for subject in subjects], np.float32)
    rows: dict[str, Floats] = {"mean": np.broadcast_to(means, cohort.score.shape)}
    for carry, features in facts.carried.items():
        columns = [contract.feature_names.index(features[subject]) for subject in subjects]
        rows[carry] = carried_forecast(cohort, columns, carry, means)
    return rows


def _forecast(cohort: Cohort, column: int, carry: str, fallback: float) -> Floats:
    """Carry one feature on, laid over the target's range; `fallback` before its first value."""
    feature, target = cohort.contract.features[column], cohort.contract.targets.score
    share = (CARRIED[carry](cohort.values[:, :, column]) - feature.lower_bound) / (
        feature.upper_bound - feature.lower_bound
    )
    scores = target.minimum + share * (target.maximum - target.minimum)
    return np.where(np.isnan(scores), fallback, scores).astype(np.float32)
