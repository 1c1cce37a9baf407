"""Fit a network: Adam, early stopping on the validation loss, the best weights kept."""

import math
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

from records.errors import BellwetherError
from training.data.targets import Examples
from training.fitting.printed_adam import PrintedAdam
from training.history import Epoch, History
from training.networks.backend import keras, tf
from training.settings import Optimizer, Schedule, ScoreLoss

Loss = Literal["binary_crossentropy", "mean_squared_error", "mean_absolute_error", "huber"]

# Of the Huber loss, in the score's unit: an error beyond it counts by its size, not its square.
HUBER_DELTA = 20.0


_OPTIMIZERS: Mapping[Optimizer, Callable[[float], Any]] = {
    "adam": keras.optimizers.Adam,
    "adam-as-printed": PrintedAdam,
}
# Of a score network, by its preset.
SCORE_LOSSES: Mapping[ScoreLoss, Loss] = {
    "squared": "mean_squared_error",
    "absolute": "mean_absolute_error",
    "huber": "huber",
}


class FitError(BellwetherError):
    """The loss became infinite: a hyperparameter does not suit the data."""


def seed_everything(seed: int) -> None:
    """Fix every source of chance of the process, and the order of TensorFlow's sums.

    Call before a network is built: its initial weights are drawn then.
    """
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


def keras_loss(loss: Loss) -> Any:
    """Return what Keras takes for a loss."""
    return keras.losses.Huber(HUBER_DELTA) if loss == "huber" else loss


def check_converged(losses: Iterable[float], schedule: Schedule) -> None:
    """Raise `FitError` where a loss is infinite or NaN."""
    if not all(math.isfinite(value) for value in losses):
        raise FitError(
            "training diverged: the loss became infinite; lower the learning rate "
            f"(now {schedule.learning_rate:g}) or check the features' ranges."
        )


def fit(
    network: Any,
    loss: Loss,
    schedule: Schedule,
    training: Examples,
    validation: Examples,
    *,
    on_epoch: Callable[[int], None] | None = None,
) -> History:
    """Fit `network` in place; with patience, leave it with the weights of its best epoch.

    Args:
        network: Made by a builder of `training.networks.builders`; it stays uncompiled, so that it loads
            without a loss.
        loss: Cross-entropy for probabilities (paper A); squared error for scores (paper B), or
            what minds their outliers less.
        schedule: Learning rate, batch size, epochs, patience.
        training: What to learn from.
        validation: What decides when to stop and which epoch is kept.
        on_epoch: Called with the epoch's number, from 1, after each.

    Raises:
        FitError: The loss became infinite or NaN.
    """
    started = time.monotonic()
    # Keras' losses average over the last axis before they weigh: with an axis of one behind it,
    # every step and subject keeps a weight of its own and the stock loss serves.
    fitted = keras.Model(network.input, keras.ops.expand_dims(network.output, axis=-1))
    classifies = loss == "binary_crossentropy"
    fitted.compile(
        optimizer=_OPTIMIZERS[schedule.optimizer](schedule.learning_rate),
        loss=keras_loss(loss),
        weighted_metrics=[keras.metrics.BinaryAccuracy(name="accuracy")] if classifies else None,
        jit_compile=False,  # XLA on a CPU made an LSTM's epoch 5 to 10 times slower
    )
    callbacks = [keras.callbacks.TerminateOnNaN()]
    stopping = None
    if schedule.patience is not None:
        stopping = keras.callbacks.EarlyStopping(
            monitor="val_loss", patience=schedule.patience, restore_best_weights=True
        )
        callbacks.append(stopping)
    if schedule.halve_after is not None:
        callbacks.append(
            keras.callbacks.ReduceLROnPlateau(
                monitor="val_loss", factor=0.5, patience=schedule.halve_after
            )
        )
    if on_epoch is not None:
        report = on_epoch
        callbacks.append(
            keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, _: report(epoch + 1))
        )
    logs = fitted.fit(
        training.values,
        training.target[..., None],
        sample_weight=training.weight,
        validation_data=(validation.values, validation.target[..., None], validation.weight),
        batch_size=schedule.batch_size,
        validation_batch_size=1024,
        epochs=schedule.epochs,
        callbacks=callbacks,
        verbose=0,
    ).history
    check_converged([*logs["loss"], *logs["val_loss"]], schedule)
    epochs = [
        Epoch(
            epoch=number + 1,
            loss=logs["loss"][number],
            validation_loss=logs["val_loss"][number],
            accuracy=logs["accuracy"][number] if classifies else None,
            validation_accuracy=logs["val_accuracy"][number] if classifies else None,
        )
        for number in range(len(logs["loss"]))
    ]
    return History(
        epochs=tuple(epochs),
        best=len(epochs) if stopping is None else stopping.best_epoch + 1,
        stopped_early=stopping is not None and stopping.stopped_epoch > 0,
        seconds=time.monotonic() - started,
    )
