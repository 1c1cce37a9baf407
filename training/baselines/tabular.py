"""Models that read no sequences: every step as one row of numbers known at its end.

The papers' baselines get what the networks get: the whole history so far, summed up by
`training.baselines.history_features`, imputed, scaled and one-hot encoded in a scikit-learn pipeline that
learns from the training part only.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from threadpoolctl import threadpool_limits

from records.arrays import Bools, Floats
from records.cohort import Cohort
from training.baselines.feed_forward import HeldOut, fit_by_epochs
from training.baselines.history_features import known_so_far
from training.data.parts import Parts
from training.data.targets import known_risk, known_score
from training.model import Fitted, placed, wanted

READS = "everything known so far"

# Steps that are predicted at once: a kernel's matrix of them stays within some 100 MB.
_CHUNK = 20_000


@dataclass(frozen=True)
class Tabular:
    """A scikit-learn estimator and how many steps it can learn from.

    Attributes:
        estimator: Seed -> unfitted classifier or regressor.
        most_steps: Training steps at most, drawn at random where there are more: kernel machines
            take O(n²) memory and up to O(n³) time (paper B, complexity).
        standardised: Whether a regressor learns the target as z-scores; what a margin, a penalty or
            a learning rate means should not depend on the target's unit.
        epochs: Of a feed-forward network; None for every other estimator.
        patience: Its epochs without a better loss on the validation part that end the fit.
    """

    estimator: Callable[[int], Any]
    most_steps: int
    standardised: bool = False
    epochs: int | None = None
    patience: int | None = None

    def fit(
        self, model: Pipeline, rows: Floats, target: NDArray[Any], held: HeldOut, seed: int
    ) -> None:
        """Fit a pipeline that ends in the estimator.

        Args:
            model: The pipeline.
            rows: (steps, features), of the training part.
            target: (steps,).
            held: Of the validation part.
            seed: Of a network's weights and batches.
        """
        with threadpool_limits(limits=1):
            if self.epochs is None:
                model.fit(rows, target)
                return
            fit_by_epochs(
                model,
                rows,
                target,
                epochs=self.epochs,
                patience=self.patience,
                held_out=held,
                seed=seed,
            )


def fit_risk_tabular(parts: Parts, seed: int, tabular: Tabular) -> Fitted:
    """Fit a classifier on the training part.

    One that gives decision values only (SVM) gets its probabilities by Platt's curve, learnt on
    the validation part or, where that holds no two classes, on the training part.
    """
    chosen = sample(known_risk(parts.train), tabular.most_steps, seed)
    rows, categories = known_so_far(parts.train, chosen)
    outcome = parts.train.risk[chosen] > 0.5
    model = _pipeline(rows, categories, tabular.estimator(seed))
    steps = sample(known_risk(parts.validation), tabular.most_steps, seed)
    held = HeldOut(known_so_far(parts.validation, steps)[0], parts.validation.risk[steps] > 0.5)
    tabular.fit(model, rows, outcome, held, seed)
    if not hasattr(model, "predict_proba"):
        if len(np.unique(held.target)) == 2:
            rows, outcome = held.rows, np.asarray(held.target, np.bool_)
        curve = CalibratedClassifierCV(FrozenEstimator(model), method="sigmoid")
        with threadpool_limits(limits=1):
            model = curve.fit(rows, outcome)

    def predict(cohort: Cohort, steps: Bools | None = None) -> Floats:
        return _by_chunks(cohort, steps, lambda rows: model.predict_proba(rows)[:, 1])

    return Fitted(predict, READS)


def fit_score_tabular(parts: Parts, seed: int, tabular: Tabular) -> Fitted | None:
    """Fit one regressor for each subject on the training part.

    None where a subject has no known score to learn from.
    """
    target = parts.train.contract.targets.score
    models: list[Callable[[Floats], NDArray[np.floating]]] = []
    for subject in range(len(target.subjects)):
        chosen = sample(known_score(parts.train)[:, :, subject], tabular.most_steps, seed)
        if not chosen.any():
            return None
        rows, categories = known_so_far(parts.train, chosen)
        scores = parts.train.score[:, :, subject][chosen].astype(np.float64)
        middle, spread = 0.0, 1.0
        if tabular.standardised:
            middle, spread = float(scores.mean()), float(scores.std()) or 1.0
        model = _pipeline(rows, categories, tabular.estimator(seed))
        later = parts.validation
        steps = sample(known_score(later)[:, :, subject], tabular.most_steps, seed)
        came = (later.score[:, :, subject][steps].astype(np.float64) - middle) / spread
        held = HeldOut(known_so_far(later, steps)[0], came)
        tabular.fit(model, rows, (scores - middle) / spread, held, seed)
        models.append(_raw(model, middle, spread))

    def predict(cohort: Cohort, steps: Bools | None = None) -> Floats:
        return _by_chunks(
            cohort,
            steps,
            lambda rows: np.column_stack([model(rows) for model in models]).clip(
                target.minimum, target.maximum
            ),
            outputs=len(models),
        )

    return Fitted(predict, READS)


def _raw(model: Pipeline, middle: float, spread: float) -> Callable[[Floats], NDArray[np.floating]]:
    return lambda rows: model.predict(rows) * spread + middle


def _by_chunks(
    cohort: Cohort,
    steps: Bools | None,
    predict: Callable[[Floats], NDArray[np.floating]],
    *,
    outputs: int | None = None,
) -> Floats:
    chosen = wanted(cohort, steps)
    rows = known_so_far(cohort, chosen)[0]
    shape = (len(rows),) if outputs is None else (len(rows), outputs)
    predicted = np.empty(shape, np.float32)
    with threadpool_limits(limits=1):
        for start in range(0, len(rows), _CHUNK):
            predicted[start : start + _CHUNK] = predict(rows[start : start + _CHUNK])
    return placed(chosen, predicted)


def _pipeline(rows: Floats, categories: list[int], estimator: Any) -> Pipeline:
    """Impute and scale numbers, and one-hot encode categories, before the estimator."""
    numbers = [column for column in range(rows.shape[1]) if column not in categories]
    columns = [
        (
            "numbers",
            make_pipeline(
                SimpleImputer(strategy="mean", add_indicator=True, keep_empty_features=True),
                StandardScaler(),
            ),
            numbers,
        ),
        (
            "categories",
            make_pipeline(
                SimpleImputer(strategy="most_frequent", keep_empty_features=True),
                OneHotEncoder(handle_unknown="ignore", sparse_output=False),
            ),
            categories,
        ),
    ]
    return make_pipeline(ColumnTransformer(columns), estimator)


def sample(steps: Bools, most: int, seed: int) -> Bools:
    """Keep at most `most` of the steps, drawn at random: those of one record resemble each other.

    Args:
        steps: (records, periods).
        most: How many.
        seed: Decides which.
    """
    found = np.flatnonzero(steps)
    if len(found) <= most:
        return steps
    kept = np.random.default_rng(seed).choice(found, most, replace=False)
    sampled = np.zeros(steps.size, np.bool_)
    sampled[kept] = True
    return sampled.reshape(steps.shape)
