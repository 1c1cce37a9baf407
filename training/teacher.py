"""The teacher of a distilled network: boosted trees that never saw the student they speak of."""

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from records.cohort import Bools, Cohort, Floats
from records.contract import Kind
from training.targets import known_risk

_FOLDS = 4
_SEEDS = 2
# Neighbouring steps of one student say nearly the same: a third of them teaches as much.
_MOST_STEPS = 120_000
_OPTIONS = {
    "learning_rate": 0.04,
    "max_iter": 220,
    "max_leaf_nodes": 12,
    "min_samples_leaf": 150,
    "l2_regularization": 5.0,
    "max_features": 0.3,
    "early_stopping": False,
}


def out_of_fold_risk(cohort: Cohort, columns: list[int], seed: int) -> Floats:
    """Predict each known step by trees fitted on other students only.

    One model for all periods reads the step's features and the period. Where the other students'
    steps have one outcome only, the outcome's share among them is predicted.

    Args:
        cohort: The training part.
        columns: Positions of the features to read.
        seed: Of folds, samples and trees.

    Returns:
        (records, periods) float32 probability, NaN at steps whose outcome is not known.
    """
    known = known_risk(cohort)
    people, person = np.unique(cohort.students, return_inverse=True)
    rng = np.random.default_rng(seed)
    fold = rng.permutation(np.arange(len(people)) % _FOLDS)[person]
    taught = np.full(known.shape, np.nan, np.float32)
    for number in range(_FOLDS):
        asked = known & (fold == number)[:, None]
        learnt = known & (fold != number)[:, None]
        if asked.any() and learnt.any():
            taught[asked] = _fit_and_predict(cohort, columns, learnt, asked, rng)
    return taught


def _fit_and_predict(
    cohort: Cohort, columns: list[int], learnt: Bools, asked: Bools, rng: np.random.Generator
) -> Floats:
    records, periods = learnt.nonzero()
    if len(records) > _MOST_STEPS:
        drawn = rng.choice(len(records), _MOST_STEPS, replace=False)
        records, periods = records[drawn], periods[drawn]
    outcome = cohort.risk[records, periods]
    if len(np.unique(outcome)) < 2:
        return np.full(int(asked.sum()), outcome.mean(), np.float32)
    rows, wanted = (
        np.column_stack([cohort.values[at][:, columns], at[1] + 1]).astype(np.float32)
        for at in ((records, periods), asked.nonzero())
    )
    seen = ~np.isnan(rows).all(axis=0)
    kinds = [cohort.contract.features[column].kind for column in columns]
    categories = np.array([*(kind is Kind.CATEGORICAL for kind in kinds), False])[seen]
    total = np.zeros(len(wanted), np.float64)
    with threadpool_limits(limits=1, user_api="openmp"):
        for seed in rng.integers(2**31, size=_SEEDS).tolist():
            trees = HistGradientBoostingClassifier(
                **_OPTIONS, categorical_features=categories, random_state=seed
            )
            total += trees.fit(rows[:, seen], outcome).predict_proba(wanted[:, seen])[:, 1]
    return (total / _SEEDS).astype(np.float32)
