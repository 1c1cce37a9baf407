"""The papers' baselines as scikit-learn estimators, with the papers' hyperparameters.

Paper A names its baselines but not their hyperparameters: the library's defaults stand, except
where many steps of one record would be learnt by heart. Paper B gives them (papers.md, B.5).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.svm import SVC, SVR

from training.model import Family

# Kernel machines hold a matrix of the steps that they learn from.
_KERNEL_STEPS = 5_000
_TREE_STEPS = 30_000
_NETWORK_STEPS = 30_000
_LINEAR_STEPS = 200_000


@dataclass(frozen=True, eq=False)
class Estimator:
    """One baseline of a paper.

    Attributes:
        name: In the registry.
        family: What kind of model it is.
        source: Which paper.
        summary: What it is, in a line.
        library: Class of scikit-learn.
        hyperparameters: Its arguments.
        most_steps: Training steps at most, see `training.baselines.tabular.Tabular`.
        seeded: Whether the class takes a `random_state`.
        standardised: See `training.baselines.tabular.Tabular`.
        epochs: Of a network: passes over the training steps; None for what has none.
        patience: Epochs without a better loss on the validation part that end the fit; None: all
            epochs, as paper B trains its DNN.
    """

    name: str
    family: Family
    source: str
    summary: str
    library: Any
    hyperparameters: Mapping[str, Any]
    most_steps: int
    seeded: bool = True
    standardised: bool = False
    epochs: int | None = None
    patience: int | None = None

    def make(self, seed: int) -> Any:
        """Return the unfitted estimator."""
        chance = {"random_state": seed} if self.seeded else {}
        return self.library(**self.hyperparameters, **chance)


RISK_ESTIMATORS = (
    Estimator(
        name="svm",
        family="kernel",
        source="paper A",
        summary="support vector machine, RBF kernel",
        library=SVC,
        hyperparameters={"kernel": "rbf", "C": 1.0},
        most_steps=_KERNEL_STEPS,
    ),
    Estimator(
        name="random_forest",
        family="trees",
        source="paper A",
        summary="random forest",
        library=RandomForestClassifier,
        hyperparameters={"n_estimators": 100, "min_samples_leaf": 5},
        most_steps=_TREE_STEPS,
    ),
    Estimator(
        name="ann",
        family="feed-forward",
        source="paper A",
        summary="feed-forward network",
        library=MLPClassifier,
        hyperparameters={"hidden_layer_sizes": (64, 32), "batch_size": 32},
        epochs=100,
        patience=10,
        most_steps=_NETWORK_STEPS,
    ),
)
SCORE_ESTIMATORS = (
    Estimator(
        name="linear_regression",
        family="linear",
        source="beyond",
        summary="linear regression by ordinary least squares, with intercept",
        library=LinearRegression,
        hyperparameters={"fit_intercept": True},
        most_steps=_LINEAR_STEPS,
        seeded=False,
    ),
    Estimator(
        name="ridge",
        family="linear",
        source="paper B",
        summary="paper B's linear regression: alpha = 0.1 (ridge), with intercept",
        library=Ridge,
        hyperparameters={"alpha": 0.1, "fit_intercept": True},
        most_steps=_LINEAR_STEPS,
    ),
    Estimator(
        name="svr",
        family="kernel",
        source="paper B",
        summary="support vector regression, RBF kernel",
        library=SVR,
        hyperparameters={"kernel": "rbf", "C": 100.0, "gamma": 0.01},
        most_steps=_KERNEL_STEPS,
        seeded=False,
    ),
    Estimator(
        name="dnn",
        family="feed-forward",
        source="paper B",
        summary="feed-forward network (64, 32)",
        library=MLPRegressor,
        hyperparameters={
            "hidden_layer_sizes": (64, 32),
            "activation": "relu",
            "learning_rate_init": 0.01,
            "batch_size": 32,
        },
        epochs=100,
        most_steps=_NETWORK_STEPS,
        standardised=True,
    ),
)
