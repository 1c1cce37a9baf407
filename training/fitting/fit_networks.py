"""Build and fit one network."""

import numpy as np

from records.arrays import Bools, Floats
from records.cohort import Cohort
from training.data.prepare import Prepared
from training.data.targets import risk_examples, score_examples, score_spread
from training.fitting.fit import SCORE_LOSSES, Loss, fit, seed_everything
from training.fitting.fit_distilled import fit_distilled
from training.fitting.fit_quantile import fit_quantile
from training.model import Fitted, FittedNetwork, OnEpoch, Target, wanted
from training.networks.builders import build_risk_network, build_score_network, predict
from training.settings import NetworkPreset


def fit_network(
    prepared: Prepared, target: Target, preset: NetworkPreset, seed: int, on_epoch: OnEpoch
) -> Fitted:
    """Fit a network on the training part, stopping by the validation part.

    Raises:
        FitError: It diverged.
    """
    if target == "risk" and preset.distillation is not None:
        total = preset.schedule.epochs
        on_epoch(0, total)
        return as_fitted(
            fit_distilled(
                prepared,
                preset,
                preset.distillation,
                seed,
                lambda epoch: on_epoch(epoch, total),
            )
        )
    if target == "score" and preset.quantiles is not None:
        total = preset.schedule.epochs
        on_epoch(0, total)
        return as_fitted(
            fit_quantile(
                prepared, preset, preset.quantiles, seed, lambda epoch: on_epoch(epoch, total)
            )
        )
    train, validation = prepared.parts.train, prepared.parts.validation
    seed_everything(seed)
    columns = prepared.selection[target].columns
    loss: Loss
    if target == "risk":
        examples, loss = risk_examples, "binary_crossentropy"
        network = build_risk_network(train.contract, prepared.statistics, preset, columns=columns)
    else:
        examples, loss = score_examples, SCORE_LOSSES[preset.score_loss]
        network = build_score_network(
            train.contract, prepared.statistics, preset, score_spread(train), columns=columns
        )
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

    return as_fitted(FittedNetwork(keras=network, history=history, preset=preset))


def as_fitted(network: FittedNetwork) -> Fitted:
    """Return a network as a fitted model, which predicts any cohort."""

    def say(cohort: Cohort, steps: Bools | None = None) -> Floats:
        predicted = predict(network.keras, cohort.values)
        chosen = wanted(cohort, steps)
        hidden = ~chosen if predicted.ndim == 2 else ~chosen[:, :, None]
        return np.where(hidden, np.float32(np.nan), predicted)

    return Fitted(say, "the history so far", network)
