"""Fit a score network on quantile-encoded features."""

from collections.abc import Callable
from dataclasses import replace

from training.data.masking import with_masked_copies
from training.data.prepare import Prepared
from training.data.targets import Examples, score_examples, score_spread
from training.fitting.fit import SCORE_LOSSES, keras_loss, seed_everything
from training.fitting.schedule import follow_schedule
from training.model import FittedNetwork
from training.networks.backend import keras
from training.networks.quantile_encoding import learn_edges
from training.networks.quantile_network import build_quantile_score_network, numbers_of
from training.settings import NetworkPreset, Quantiles


def fit_quantile(
    prepared: Prepared,
    preset: NetworkPreset,
    settings: Quantiles,
    seed: int,
    on_epoch: Callable[[int], None],
) -> FittedNetwork:
    """Fit for all epochs of the schedule; the validation part decides nothing.

    Raises:
        FitError: It diverged.
    """
    train, validation = prepared.parts.train, prepared.parts.validation
    columns = prepared.columns("score", settings.without)
    edges = learn_edges(train, numbers_of(train.contract, columns), settings.intervals)
    seed_everything(seed)
    network = build_quantile_score_network(
        train.contract, prepared.statistics, edges, preset, score_spread(train), columns=columns
    )
    periods = int(max(train.lengths.max(), validation.lengths.max()))
    history = follow_schedule(
        keras.Model(network.input, keras.ops.expand_dims(network.output, axis=-1)),
        keras_loss(SCORE_LOSSES[preset.score_loss]),
        preset.schedule,
        _for_each_step(
            with_masked_copies(
                score_examples(train, periods),
                prepared.masked(settings.masked),
                settings.masked_share,
                seed,
            )
        ),
        _for_each_step(score_examples(validation, periods)),
        weight_decay=settings.weight_decay,
        on_epoch=on_epoch,
    )
    return FittedNetwork(keras=network, history=history, preset=preset)


def _for_each_step(examples: Examples) -> Examples:
    """Add an axis of one behind, over which Keras' losses average: each step keeps its weight."""
    return replace(examples, target=examples.target[..., None])
