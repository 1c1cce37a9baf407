"""Fit a distilled risk network: outcomes and a teacher's probabilities as one soft target.

Distillation (Hinton, Vinyals, Dean 2015, "Distilling the knowledge in a neural network"): an
outcome is one draw, and the teacher's out-of-fold probability (`training.teacher`) what it came
from, so a network can be larger and learn longer on it without learning the draws by heart.
"""

import math
import time
from collections.abc import Callable

import numpy as np

from records.cohort import Floats
from training.backend import keras
from training.distilled_network import MEMBERS, build_distilled_network, numbers_of
from training.fit import FitError, seed_everything
from training.history import Epoch, History
from training.model import FittedNetwork
from training.prepare import Prepared
from training.quantile_encoding import learn_edges
from training.settings import Distillation, NetworkPreset
from training.targets import Examples, known_risk, risk_examples
from training.teacher import out_of_fold_risk


def fit_distilled(
    prepared: Prepared,
    preset: NetworkPreset,
    settings: Distillation,
    seed: int,
    on_epoch: Callable[[int], None],
) -> FittedNetwork:
    """Fit for all epochs of the schedule, its learning rate falling as a cosine to zero.

    The validation part decides nothing; the history tells its loss, on outcomes alone.

    Raises:
        FitError: It diverged.
    """
    started = time.monotonic()
    train, validation = prepared.parts.train, prepared.parts.validation
    contract, schedule = train.contract, preset.schedule
    chosen = prepared.selection["risk"].columns
    read = range(len(contract.features)) if chosen is None else chosen
    columns = [at for at in read if contract.features[at].name not in settings.without]
    taught = out_of_fold_risk(train, columns, seed)
    edges = learn_edges(train, numbers_of(contract, columns), settings.intervals)
    seed_everything(seed)
    network = build_distilled_network(contract, prepared.statistics, edges, preset, columns=columns)
    periods = int(max(train.lengths.max(), validation.lengths.max()))
    examples, held = risk_examples(train, periods), risk_examples(validation, periods)
    used = known_risk(train)[:, :periods].any(axis=1)
    soft = _mixed(examples.target, taught[used, :periods], settings.share)
    fitted = keras.Model(network.input, network.get_layer(MEMBERS).output)
    steps = math.ceil(len(soft) / schedule.batch_size) * schedule.epochs
    fitted.compile(
        optimizer=keras.optimizers.AdamW(
            keras.optimizers.schedules.CosineDecay(schedule.learning_rate, steps),
            weight_decay=settings.weight_decay,
            beta_2=0.99,
        ),
        loss=keras.losses.BinaryCrossentropy(from_logits=True),
        weighted_metrics=[keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0)],
        jit_compile=False,
    )
    logs = fitted.fit(
        examples.values,
        _for_members(soft, settings),
        sample_weight=early_first(examples.weight, settings.early),
        validation_data=_validation(held, settings),
        batch_size=schedule.batch_size,
        validation_batch_size=1024,
        epochs=schedule.epochs,
        callbacks=[
            keras.callbacks.TerminateOnNaN(),
            keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, _: on_epoch(epoch + 1)),
        ],
        verbose=0,
    ).history
    if not all(math.isfinite(value) for value in [*logs["loss"], *logs["val_loss"]]):
        raise FitError(
            "training diverged: the loss became infinite; lower the learning rate "
            f"(now {schedule.learning_rate:g}) or check the features' ranges."
        )
    epochs = [
        Epoch(epoch=at + 1, loss=loss, validation_loss=held_loss, validation_accuracy=accuracy)
        for at, (loss, held_loss, accuracy) in enumerate(
            zip(logs["loss"], logs["val_loss"], logs["val_accuracy"], strict=True)
        )
    ]
    history = History(
        epochs=tuple(epochs),
        best=len(epochs),
        stopped_early=False,
        seconds=time.monotonic() - started,
    )
    return FittedNetwork(keras=network, history=history, preset=preset)


def early_first(weight: Floats, power: float) -> Floats:
    """Let earlier periods count more: late steps are many, easy, and too late to act on.

    Args:
        weight: (records, periods), 0 where a step does not count.
        power: Period t counts t to the power of minus this.

    Returns:
        (records, periods) float32 of the same sum.
    """
    tilted = weight * (np.arange(weight.shape[1]) + 1.0) ** -power
    return np.asarray(tilted * (weight.sum() / max(tilted.sum(), 1e-12)), np.float32)


def _mixed(outcome: Floats, taught: Floats, share: float) -> Floats:
    """Mix outcomes with what the teacher says, where it says something."""
    said = np.where(np.isnan(taught), outcome, taught)
    return np.asarray((1 - share) * outcome + share * said, np.float32)


def _for_members(target: Floats, settings: Distillation) -> Floats:
    return np.repeat(target[:, :, None], settings.members, axis=2)


def _validation(held: Examples, settings: Distillation) -> tuple[Floats, Floats, Floats]:
    return held.values, _for_members(held.target, settings), held.weight
