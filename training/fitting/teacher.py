"""The teacher of a distilled network: boosted trees that never saw the student they predict.

Two kinds of trees with errors of their own: some read the features of the step alone, some the
whole history summed up (`training.baselines.history_features`). The mean of their logits is the teacher's
prediction.
"""

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from records.arrays import Floats
from records.cohort import Cohort
from records.contract import Kind
from training.baselines.history_features import known_so_far
from training.data.targets import known_risk

_FOLDS = 4
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

# Rows of all known steps, and the positions of the columns that hold categories.
Rows = tuple[Floats, list[int]]


def out_of_fold_risk(cohort: Cohort, columns: list[int], seed: int) -> Floats:
    """Predict each known step by trees fitted on other students only.

    One model for all periods reads the period too. Where the other students' steps have one outcome
    only, the outcome's share among them is predicted.

    Args:
        cohort: The training part.
        columns: Positions of the features to read.
        seed: Of folds, samples and trees.

    Returns:
        (records, periods) float32 probability, NaN at steps whose outcome is not known.
    """
    known = known_risk(cohort)
    record, period = known.nonzero()
    outcome = cohort.risk[known]
    categories = [
        at for at, column in enumerate(columns) if _kind(cohort, column) is Kind.CATEGORICAL
    ]
    step = np.column_stack([cohort.values[record, period][:, columns], period + 1])
    views: list[Rows] = [
        (step.astype(np.float32), categories),
        known_so_far(cohort, known, frozenset(columns)),
    ]
    people, person = np.unique(cohort.students, return_inverse=True)
    rng = np.random.default_rng(seed)
    fold = rng.permutation(np.arange(len(people)) % _FOLDS)[person][record]
    predicted = np.full(len(record), np.nan, np.float32)
    for number in range(_FOLDS):
        asked, learnt = np.flatnonzero(fold == number), np.flatnonzero(fold != number)
        if not len(asked) or not len(learnt):
            continue
        if len(learnt) > _MOST_STEPS:
            learnt = rng.choice(learnt, _MOST_STEPS, replace=False)
        if len(np.unique(outcome[learnt])) < 2:
            predicted[asked] = outcome[learnt].mean()
            continue
        words = [_fit_and_predict(rows, outcome, learnt, asked, rng) for rows in views]
        predicted[asked] = 1 / (1 + np.exp(-np.mean(words, axis=0)))
    taught = np.full(known.shape, np.nan, np.float32)
    taught[known] = predicted
    return taught


def _fit_and_predict(
    rows: Rows,
    outcome: Floats,
    learnt: NDArray[np.intp],
    asked: NDArray[np.intp],
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Fit trees on the steps `learnt` and return their logits at the steps `asked`."""
    values, categories = rows
    seen = ~np.isnan(values[learnt]).all(axis=0)
    categorical = np.isin(np.arange(values.shape[1]), categories)[seen]
    trees = HistGradientBoostingClassifier(
        **_OPTIONS, categorical_features=categorical, random_state=int(rng.integers(2**31))
    )
    with threadpool_limits(limits=1, user_api="openmp"):
        trees.fit(values[learnt][:, seen], outcome[learnt])
        return np.asarray(trees.decision_function(values[asked][:, seen]))


def _kind(cohort: Cohort, column: int) -> Kind:
    return cohort.contract.features[column].kind
