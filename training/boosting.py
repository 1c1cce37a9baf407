"""The strong baseline: histogram gradient boosting on everything known so far."""

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from records.cohort import Bools, Cohort, Floats
from training.history_features import known_so_far
from training.parts import Baseline, Parts, placed
from training.targets import known_risk, known_score

_READS = "everything known so far"
_MOST_STEPS = 200_000
# Below, threads wait for each other longer than they work, and on a busy machine far longer.
_PARALLEL_STEPS = 50_000
_OPTIONS = {"learning_rate": 0.05, "max_iter": 500, "n_iter_no_change": 20}

Steps = Callable[[Cohort], Bools]
Target = Callable[[Cohort], Floats]


def risk_boosting(parts: Parts, seed: int) -> Baseline:
    """Boost classification trees, one model for all periods."""
    trees = HistGradientBoostingClassifier(random_state=seed, **_OPTIONS)
    seen = _fit(trees, parts, known_risk, lambda cohort: cohort.risk, seed)
    steps = known_risk(parts.test)
    rows = _only(seen, known_so_far(parts.test, steps)[0])
    predicted = trees.predict_proba(rows)[:, 1] if len(rows) else np.empty(0)
    return Baseline(placed(steps, predicted), _READS)


def score_boosting(parts: Parts, seed: int) -> Baseline | None:
    """Boost regression trees on squared error, one model for each subject.

    None where a subject has no known score to learn from.
    """
    score = parts.test.contract.targets.score
    forecasts = []
    for subject in range(len(score.subjects)):

        def known(cohort: Cohort, subject: int = subject) -> Bools:
            return known_score(cohort)[:, :, subject]

        def target(cohort: Cohort, subject: int = subject) -> Floats:
            return cohort.score[:, :, subject]

        if not known(parts.train).any():
            return None
        trees = HistGradientBoostingRegressor(random_state=seed, **_OPTIONS)
        seen = _fit(trees, parts, known, target, seed)
        steps = known(parts.test)
        rows = _only(seen, known_so_far(parts.test, steps)[0])
        predicted = trees.predict(rows) if len(rows) else np.empty(0)
        forecasts.append(placed(steps, predicted.clip(score.minimum, score.maximum)))
    return Baseline(np.stack(forecasts, axis=-1), _READS)


def _fit(trees: Any, parts: Parts, steps: Steps, target: Target, seed: int) -> Bools:
    """Fit `trees` on the training part, stopping by the validation part where it has steps.

    Returns:
        (columns,) whether the training part knows anything of the column; see `_only`.
    """
    chosen = _sample(steps(parts.train), seed)
    rows, categories = known_so_far(parts.train, chosen)
    seen = np.asarray(~np.isnan(rows).all(axis=0))
    rows = _only(seen, rows)
    stopping = _sample(steps(parts.validation), seed)
    stops = bool(stopping.any())
    trees.set_params(categorical_features=categories or None, early_stopping=stops)
    watched = {}
    if stops:
        watched["X_val"] = _only(seen, known_so_far(parts.validation, stopping)[0])
        watched["y_val"] = target(parts.validation)[stopping]
    threads = 1 if len(rows) < _PARALLEL_STEPS else None
    with threadpool_limits(limits=threads, user_api="openmp"):
        trees.fit(rows, target(parts.train)[chosen], **watched)
    return seen


def _only(seen: Bools, rows: Floats) -> Floats:
    """Put 0 into columns of which training knows nothing: scikit-learn cannot bin empty ones.

    Such are the columns of a feature that is never observed, and the slope of one that has a single
    value in each history.
    """
    return np.where(seen, rows, np.float32(0))


def _sample(steps: Bools, seed: int) -> Bools:
    """Keep at most `_MOST_STEPS` of the steps: those of one record resemble each other."""
    found = np.flatnonzero(steps)
    if len(found) <= _MOST_STEPS:
        return steps
    kept = np.random.default_rng(seed).choice(found, _MOST_STEPS, replace=False)
    sampled = np.zeros(steps.size, np.bool_)
    sampled[kept] = True
    return sampled.reshape(steps.shape)
