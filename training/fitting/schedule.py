"""Fit a network to the end of its schedule: AdamW, its learning rate falling as a cosine."""

import math
import time
from collections.abc import Callable
from typing import Any

from training.data.targets import Examples
from training.fitting.fit import check_converged
from training.history import Epoch, History
from training.networks.backend import keras
from training.settings import Schedule


def follow_schedule(
    network: Any,
    loss: Any,
    schedule: Schedule,
    training: Examples,
    validation: Examples,
    *,
    weight_decay: float,
    classifies: bool = False,
    on_epoch: Callable[[int], None],
) -> History:
    """Fit `network` in place. The validation part decides nothing; the history records its loss.

    Args:
        network: Keras model whose output has the shape of the targets.
        loss: A Keras loss; of logits where `classifies`.
        schedule: First learning rate, batch size and epochs.
        training: What to learn from.
        validation: What the history tells of.
        weight_decay: Of AdamW.
        classifies: Whether the accuracy is recorded.
        on_epoch: Called with the epoch's number, from 1, after each.

    Raises:
        FitError: The loss became infinite or NaN.
    """
    started = time.monotonic()
    steps = math.ceil(len(training.target) / schedule.batch_size) * schedule.epochs
    network.compile(
        optimizer=keras.optimizers.AdamW(
            keras.optimizers.schedules.CosineDecay(schedule.learning_rate, steps),
            weight_decay=weight_decay,
            beta_2=0.99,
        ),
        loss=loss,
        weighted_metrics=[keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0)]
        if classifies
        else None,
        jit_compile=False,
    )
    logs = network.fit(
        training.values,
        training.target,
        sample_weight=training.weight,
        validation_data=(validation.values, validation.target, validation.weight),
        batch_size=schedule.batch_size,
        validation_batch_size=1024,
        epochs=schedule.epochs,
        callbacks=[
            keras.callbacks.TerminateOnNaN(),
            keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, _: on_epoch(epoch + 1)),
        ],
        verbose=0,
    ).history
    check_converged([*logs["loss"], *logs["val_loss"]], schedule)
    epochs = tuple(
        Epoch(
            epoch=at + 1,
            loss=logs["loss"][at],
            validation_loss=logs["val_loss"][at],
            validation_accuracy=logs["val_accuracy"][at] if classifies else None,
        )
        for at in range(len(logs["loss"]))
    )
    return History(
        epochs=epochs, best=len(epochs), stopped_early=False, seconds=time.monotonic() - started
    )
