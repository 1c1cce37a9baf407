"""Fit scikit-learn's feed-forward networks epoch by epoch, stopped by students they never learn from.

The library's own early stopping holds out random rows of what it is given. Rows are steps, so one
student would stand on both sides.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from records.arrays import Floats


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Steps of the validation part.

    Attributes:
        rows: (steps, features), raw.
        target: (steps,), as the network learns it.
    """

    rows: Floats
    target: NDArray[Any]


def fit_by_epochs(
    pipeline: Pipeline,
    rows: Floats,
    target: NDArray[Any],
    *,
    epochs: int,
    patience: int | None,
    held_out: HeldOut | None,
    seed: int,
) -> int:
    """Fit a pipeline that ends in a multi-layer perceptron, in place.

    Args:
        pipeline: Preprocessing and `MLPClassifier` or `MLPRegressor`.
        rows: (steps, features), of the training part.
        target: (steps,).
        epochs: Passes over the rows, at most.
        patience: Epochs without a smaller loss on `held_out` that end the fit, which then takes the
            weights of its best epoch; None: all epochs, and the weights of the last.
        held_out: What the loss is measured on; without it all epochs are made.
        seed: Of the weights and the order of the batches.

    Returns:
        How many epochs were made.
    """
    network = pipeline[-1]
    # One generator for all epochs: an integer would give every epoch the same order.
    network.set_params(random_state=np.random.RandomState(seed))
    prepared = pipeline[:-1].fit_transform(rows)
    judged = None
    if held_out is not None and patience is not None and len(held_out.rows):
        judged = pipeline[:-1].transform(held_out.rows)
    classes = {"classes": np.unique(target)} if hasattr(network, "predict_proba") else {}
    best, since, weights, made = np.inf, 0, None, 0
    for made in range(1, epochs + 1):  # noqa: B007 - returned
        network.partial_fit(prepared, target, **classes)
        if judged is None or held_out is None or patience is None:
            continue
        loss = _loss(network, judged, held_out.target)
        since = 0 if loss < best else since + 1
        if loss < best:
            best, weights = loss, _copied(network)
        if since >= patience:
            break
    if weights is not None:
        network.coefs_, network.intercepts_ = weights
    return made


def _copied(network: Any) -> tuple[list[Any], list[Any]]:
    return (
        [matrix.copy() for matrix in network.coefs_],
        [vector.copy() for vector in network.intercepts_],
    )


def _loss(network: Any, rows: Any, target: NDArray[Any]) -> float:
    """Return the mean cross-entropy of a classifier, the mean squared error of a regressor."""
    if not hasattr(network, "predict_proba"):
        return float(np.mean((network.predict(rows) - target) ** 2))
    right = np.where(target, *network.predict_proba(rows).T[::-1])
    return float(-np.mean(np.log(np.maximum(right, 1e-12))))
