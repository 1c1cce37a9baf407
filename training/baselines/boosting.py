"""The strong baselines: histogram gradient boosting on everything known so far.

Either one model for all periods, or one for each horizon with hyperparameters of its own, chosen by
the validation part.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from records.arrays import Bools, Floats
from records.cohort import Cohort
from training.baselines.history_features import known_so_far
from training.baselines.tabular import READS, sample
from training.data.parts import Parts
from training.data.targets import known_risk, known_score
from training.model import Fitted, placed, wanted

_MOST_STEPS = 200_000
_MOST_STEPS_A_HORIZON = 60_000
# Below, threads wait for each other longer than they work, and on a busy machine far longer.
_PARALLEL_STEPS = 50_000
OPTIONS = {"learning_rate": 0.05, "max_iter": 500, "n_iter_no_change": 20}
# What is tried at each horizon: small trees and few features a split suit few, noisy records.
GRID: Mapping[str, Sequence[Any]] = {
    "max_leaf_nodes": (6, 15),
    "min_samples_leaf": (20, 80),
    "max_features": (0.3, 1.0),
}

Steps = Callable[[Cohort], Bools]
Target = Callable[[Cohort], Floats]
Score = Callable[[Floats], NDArray[np.floating]]


def horizons(periods: int) -> tuple[int, ...]:
    """Return the last period of each band that gets a model of its own.

    Every period where they are few, the first six of some more, every fourth up to the 16th of
    many; the last period ends the last band.
    """
    if periods <= 8:
        return tuple(range(1, periods + 1))
    if periods <= 16:
        return (*range(1, 7), periods)
    return (*range(4, min(periods, 20), 4), periods)


def risk_boosting(parts: Parts, seed: int) -> Fitted:
    """Boost classification trees, one model for all periods."""
    model = _fit(_classifier(seed), parts, known_risk, _risk, seed, most=_MOST_STEPS)
    return _risk_fitted([parts.train.contract.periods.maximum], [model])


def risk_boosting_by_horizon(parts: Parts, seed: int) -> Fitted:
    """Boost classification trees for each horizon, tuned by the validation part's log loss."""

    def loss(outcome: Floats, predicted: NDArray[np.floating]) -> float:
        chance = np.clip(predicted.astype(np.float64), 1e-6, 1 - 1e-6)
        return float(-np.mean(np.where(outcome > 0.5, np.log(chance), np.log(1 - chance))))

    ends = horizons(parts.train.contract.periods.maximum)
    models = [
        _tuned(
            _classifier,
            loss,
            parts,
            steps=_band(known_risk, ends, at),
            target=_risk,
            seed=seed,
        )
        for at in range(len(ends))
    ]
    overall = _fit(_classifier(seed), parts, known_risk, _risk, seed, most=_MOST_STEPS)
    return _risk_fitted(ends, [model or overall for model in models])


def score_boosting(parts: Parts, seed: int) -> Fitted | None:
    """Boost regression trees on squared error, one model for each subject.

    None where a subject has no known score to learn from.
    """
    maximum = parts.train.contract.periods.maximum
    models = []
    for subject in range(len(parts.train.contract.targets.score.subjects)):
        known, target = _subject(subject)
        if not known(parts.train).any():
            return None
        regressor = _regressor(seed)
        models.append([_fit(regressor, parts, known, target, seed, most=_MOST_STEPS)])
    return _score_fitted([maximum], models)


def score_boosting_by_horizon(parts: Parts, seed: int) -> Fitted | None:
    """Boost regression trees for each horizon and subject, tuned by the validation squared error.

    None where a subject has no known score to learn from.
    """

    def loss(actual: Floats, predicted: NDArray[np.floating]) -> float:
        return float(np.mean((actual - predicted) ** 2, dtype=np.float64))

    ends = horizons(parts.train.contract.periods.maximum)
    models = []
    for subject in range(len(parts.train.contract.targets.score.subjects)):
        known, target = _subject(subject)
        if not known(parts.train).any():
            return None
        overall = _fit(_regressor(seed), parts, known, target, seed, most=_MOST_STEPS)
        found = [
            _tuned(_regressor, loss, parts, steps=_band(known, ends, at), target=target, seed=seed)
            for at in range(len(ends))
        ]
        models.append([model or overall for model in found])
    return _score_fitted(ends, models)


def _classifier(seed: int, **options: Any) -> Any:
    return HistGradientBoostingClassifier(random_state=seed, **{**OPTIONS, **options})


def _regressor(seed: int, **options: Any) -> Any:
    return HistGradientBoostingRegressor(random_state=seed, **{**OPTIONS, **options})


def _risk(cohort: Cohort) -> Floats:
    return cohort.risk


def _subject(subject: int) -> tuple[Steps, Target]:
    return (
        lambda cohort: np.asarray(known_score(cohort)[:, :, subject]),
        lambda cohort: np.asarray(cohort.score[:, :, subject]),
    )


def _band(steps: Steps, ends: Sequence[int], at: int) -> Steps:
    """Keep the steps from after the horizon before to horizon number `at`."""

    def within(cohort: Cohort) -> Bools:
        period = np.arange(cohort.contract.periods.maximum) + 1
        first = ends[at - 1] if at else 0
        return np.asarray(steps(cohort) & (period > first) & (period <= ends[at]))

    return within


def _tuned(
    trees: Callable[..., Any],
    loss: Callable[[Floats, NDArray[np.floating]], float],
    parts: Parts,
    *,
    steps: Steps,
    target: Target,
    seed: int,
) -> Score | None:
    """Fit every combination of `GRID` and keep what errs least on the validation steps.

    None where the training or validation steps are too few to choose by.
    """
    held, learnt = steps(parts.validation), steps(parts.train)
    if len(np.unique(target(parts.train)[learnt])) < 2 or held.sum() < 30:
        return None
    rows, truth = known_so_far(parts.validation, held)[0], target(parts.validation)[held]
    found: list[tuple[float, int, Score]] = []
    for values in itertools.product(*GRID.values()):
        candidate = trees(seed, **dict(zip(GRID, values, strict=True)))
        model = _fit(candidate, parts, steps, target, seed, most=_MOST_STEPS_A_HORIZON)
        found.append((loss(truth, model(rows)), len(found), model))
    return min(found)[2]


def _fit(trees: Any, parts: Parts, steps: Steps, target: Target, seed: int, *, most: int) -> Score:
    """Fit `trees` on the training part, stopping by the validation part where it has steps.

    Returns:
        Rows of `known_so_far` -> probabilities or scores.
    """
    chosen = sample(steps(parts.train), most, seed)
    rows, categories = known_so_far(parts.train, chosen)
    seen = np.asarray(~np.isnan(rows).all(axis=0))
    rows = _only(seen, rows)
    stopping = sample(steps(parts.validation), most, seed)
    stops = bool(stopping.any())
    trees.set_params(categorical_features=categories or None, early_stopping=stops)
    watched = {}
    if stops:
        watched["X_val"] = _only(seen, known_so_far(parts.validation, stopping)[0])
        watched["y_val"] = target(parts.validation)[stopping]
    threads = 1 if len(rows) < _PARALLEL_STEPS else None
    with threadpool_limits(limits=threads, user_api="openmp"):
        trees.fit(rows, target(parts.train)[chosen], **watched)
    classifies = hasattr(trees, "predict_proba")

    def predict(rows: Floats) -> NDArray[np.floating]:
        if not len(rows):
            return np.empty(0)
        with threadpool_limits(limits=threads, user_api="openmp"):
            known = _only(seen, rows)
            found = trees.predict_proba(known)[:, 1] if classifies else trees.predict(known)
        return np.asarray(found)

    return predict


def _only(seen: Bools, rows: Floats) -> Floats:
    """Put 0 into columns of which training knows nothing: scikit-learn cannot bin empty ones.

    Such are the columns of a feature that is never observed, and the slope of one that has a single
    value in each history.
    """
    return np.where(seen, rows, np.float32(0))


def _risk_fitted(ends: Sequence[int], models: Sequence[Score]) -> Fitted:
    def predict(cohort: Cohort, steps: Bools | None = None) -> Floats:
        chosen = wanted(cohort, steps)
        return placed(chosen, _by_horizon(cohort, chosen, ends, models))

    return Fitted(predict, READS)


def _score_fitted(ends: Sequence[int], models: Sequence[Sequence[Score]]) -> Fitted:
    def predict(cohort: Cohort, steps: Bools | None = None) -> Floats:
        target = cohort.contract.targets.score
        chosen = wanted(cohort, steps)
        scores = np.column_stack([_by_horizon(cohort, chosen, ends, some) for some in models])
        return placed(chosen, scores.clip(target.minimum, target.maximum))

    return Fitted(predict, READS)


def _by_horizon(
    cohort: Cohort, chosen: Bools, ends: Sequence[int], models: Sequence[Score]
) -> NDArray[np.float64]:
    """Let each chosen step be predicted by the model of its band."""
    rows = known_so_far(cohort, chosen)[0]
    band = np.searchsorted(np.asarray(ends), np.nonzero(chosen)[1] + 1)
    predicted = np.empty(len(rows), np.float64)
    for at, model in enumerate(models):
        predicted[band == at] = model(rows[band == at])
    return predicted
