"""Build and fit the networks of a run, and run them over the test part."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from records.cohort import Cohort, Floats
from training.fit import Loss, fit, seed_everything
from training.history import History
from training.networks import build_risk_network, build_score_network, predict
from training.prepare import Prepared
from training.run_folder import FitSummary
from training.settings import RiskPreset, ScorePreset, TrainingSettings
from training.targets import Examples, risk_examples, score_examples, score_spread

# Called with the epoch, from 0 for the start, and with the number of epochs.
OnEpoch = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Fitted:
    """One fitted network.

    Attributes:
        network: Keras model with the weights of its best epoch.
        history: Its epochs.
        summary: The same in short.
        predicted: Of the test part, in the shape of the network's output.
    """

    network: Any
    history: History
    summary: FitSummary
    predicted: Floats


def fit_risk(prepared: Prepared, settings: TrainingSettings, on_epoch: OnEpoch) -> Fitted:
    """Fit paper A's network on the training part.

    Raises:
        FitError: It diverged.
    """
    seed_everything(settings.seed)
    network = build_risk_network(
        prepared.parts.train.contract,
        prepared.statistics,
        settings.risk,
        columns=prepared.selection["risk"].columns,
    )
    loss: Loss = "binary_crossentropy"
    return _fit(network, loss, settings.risk, prepared, risk_examples, on_epoch=on_epoch)


def fit_score(prepared: Prepared, settings: TrainingSettings, on_epoch: OnEpoch) -> Fitted:
    """Fit paper B's network on the training part.

    Raises:
        FitError: It diverged.
    """
    seed_everything(settings.seed)
    network = build_score_network(
        prepared.parts.train.contract,
        prepared.statistics,
        settings.score,
        score_spread(prepared.parts.train),
        columns=prepared.selection["score"].columns,
    )
    loss: Loss = "mean_squared_error"
    return _fit(network, loss, settings.score, prepared, score_examples, on_epoch=on_epoch)


def _fit(
    network: Any,
    loss: Loss,
    preset: RiskPreset | ScorePreset,
    prepared: Prepared,
    examples: Callable[[Cohort, int], Examples],
    *,
    on_epoch: OnEpoch,
) -> Fitted:
    train, validation = prepared.parts.train, prepared.parts.validation
    # Periods after the longest history hold nothing to learn.
    periods = int(max(train.lengths.max(), validation.lengths.max()))
    epochs = preset.schedule.epochs
    on_epoch(0, epochs)
    history = fit(
        network,
        loss,
        preset.schedule,
        examples(train, periods),
        examples(validation, periods),
        on_epoch=lambda epoch: on_epoch(epoch, epochs),
    )
    on_epoch(epochs, epochs)
    return Fitted(
        network=network,
        history=history,
        summary=FitSummary(
            preset=preset.name,
            parameters=int(network.count_params()),
            epochs=len(history.epochs),
            best=history.best,
            stopped_early=history.stopped_early,
            seconds=history.seconds,
        ),
        predicted=predict(network, prepared.parts.test.values),
    )
