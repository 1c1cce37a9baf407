"""What every model is: how it is fitted, and what it predicts of any cohort afterwards."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from records.arrays import Bools, Floats
from records.cohort import Cohort
from training.data.prepare import Prepared
from training.history import History
from training.settings import NetworkPreset

Target = Literal["risk", "score"]
TARGETS: tuple[Target, ...] = ("risk", "score")
Family = Literal[
    "naive", "linear", "kernel", "trees", "boosting", "feed-forward", "recurrent", "attention"
]

# Called with the epoch, from 0 for the start, and with the number of epochs.
OnEpoch = Callable[[int, int], None]


class Predict(Protocol):
    """Predict the steps of a cohort from what was known at their end."""

    def __call__(self, cohort: Cohort, steps: Bools | None = None) -> Floats:
        """Return predictions.

        Args:
            cohort: Any cohort of the contract that the model was fitted on.
            steps: (records, periods), which steps to predict; None for every observed one.

        Returns:
            (records, periods) probabilities or (records, periods, subjects) scores in raw units,
            float32; NaN at all other steps.
        """


@dataclass(frozen=True, eq=False)
class FittedNetwork:
    """The Keras side of a fitted network.

    Attributes:
        keras: Keras model with the weights of its best epoch.
        history: Its epochs.
        preset: Its hyperparameters.
    """

    keras: Any
    history: History
    preset: NetworkPreset


@dataclass(frozen=True, eq=False)
class Fitted:
    """A fitted model.

    Attributes:
        predict: Its predictions for any cohort.
        reads: What it looks at, in words.
        network: Where it is a network, what can be exported and served.
    """

    predict: Predict
    reads: str
    network: FittedNetwork | None = None


# A model that the contract gives no ground for, such as the last score where no feature has a
# range, fits to None.
Fit = Callable[[Prepared, int, OnEpoch], Fitted | None]


@dataclass(frozen=True, eq=False)
class Model:
    """One row of the registry.

    Attributes:
        name: Unique among the models of its target.
        target: Whether it gives a probability of risk or forecasts the next score.
        family: What kind of model it is.
        source: Where it is described: 'paper A', 'paper B' or 'beyond'.
        summary: What it is, in a line.
        hyperparameters: Name -> value, as the library that fits it calls them.
        fit: Learn from the training part; the validation part may stop it.
        preset: Of a network: its hyperparameters as settings. Networks can be exported.
        usual: Whether `train` puts it beside the networks by default.
    """

    name: str
    target: Target
    family: Family
    source: str
    summary: str
    fit: Fit
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    preset: NetworkPreset | None = None
    usual: bool = False

    @property
    def neural(self) -> bool:
        """Whether it is a network over sequences, to be compared with all that are not."""
        return self.family in {"recurrent", "attention"}

    @property
    def exportable(self) -> bool:
        """Whether a run can hold it, `export` turn it into a graph, and `serve` answer by it."""
        return self.preset is not None


def placed(steps: Bools, predicted: NDArray[np.floating]) -> Floats:
    """Put one prediction (a number or a row of them) for each chosen step at its place.

    Args:
        steps: (records, periods).
        predicted: (chosen steps[, subjects]) in the order of `np.nonzero(steps)`.

    Returns:
        (records, periods[, subjects]) float32, NaN elsewhere.
    """
    everywhere = np.full((*steps.shape, *predicted.shape[1:]), np.nan, np.float32)
    everywhere[steps] = predicted
    return everywhere


def wanted(cohort: Cohort, steps: Bools | None) -> Bools:
    """Return the steps to predict: those asked for, or every observed one."""
    return cohort.observed if steps is None else np.asarray(steps & cohort.observed)
