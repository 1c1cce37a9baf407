"""Feed-forward baselines: epoch by epoch, stopped by students that they never learn from."""

import numpy as np
import pytest
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from training.baselines.feed_forward import HeldOut, fit_by_epochs

RNG = np.random.default_rng(5)
ROWS = RNG.normal(size=(200, 3)).astype(np.float32)
NOISE = RNG.normal(size=200)


def _pipeline(network: MLPClassifier | MLPRegressor) -> Pipeline:
    return make_pipeline(StandardScaler(), network)


def _loss(pipeline: Pipeline, held: HeldOut) -> float:
    return float(np.mean((pipeline.predict(held.rows) - held.target) ** 2))


def _fit(epochs: int, patience: int | None, held: HeldOut | None) -> tuple[Pipeline, int]:
    pipeline = _pipeline(
        MLPRegressor(hidden_layer_sizes=(16,), batch_size=16, learning_rate_init=0.01)
    )
    made = fit_by_epochs(
        pipeline, ROWS, NOISE, epochs=epochs, patience=patience, held_out=held, seed=3
    )
    return pipeline, made


def test_a_network_that_learns_noise_ends_at_its_best_epoch_on_held_out_students() -> None:
    held = HeldOut(RNG.normal(size=(300, 3)).astype(np.float32), RNG.normal(size=300))
    (stopped, made), (whole, every) = _fit(60, 5, held), _fit(60, None, held)
    assert made < every == 60
    assert _loss(stopped, held) < _loss(whole, held)
    # The weights are those of the best epoch: no shorter fit is better.
    shorter = [_loss(_fit(epochs, None, held)[0], held) for epochs in range(1, made)]
    assert _loss(stopped, held) == pytest.approx(min(shorter))


def test_without_patience_all_epochs_are_made_and_the_last_weights_stay() -> None:
    held = HeldOut(ROWS, NOISE)
    (fitted, made), (alone, _) = _fit(7, None, held), _fit(7, None, None)
    assert made == 7
    np.testing.assert_array_equal(fitted[-1].coefs_[0], alone[-1].coefs_[0])


def test_a_classifier_is_stopped_by_its_cross_entropy() -> None:
    truth = ROWS[:, 0] > 0
    network = _pipeline(
        MLPClassifier(hidden_layer_sizes=(8,), batch_size=16, learning_rate_init=0.01)
    )
    held = HeldOut(ROWS[:50], ~truth[:50])  # the opposite: learning makes it worse at once
    made = fit_by_epochs(network, ROWS, truth, epochs=50, patience=3, held_out=held, seed=0)
    assert made == 4
    assert network.predict(ROWS).dtype == np.bool_


def test_batches_come_in_another_order_each_epoch() -> None:
    (first, _), (again, _) = _fit(3, None, None), _fit(3, None, None)
    np.testing.assert_array_equal(first[-1].coefs_[0], again[-1].coefs_[0])
    fixed = _pipeline(
        MLPRegressor(
            hidden_layer_sizes=(16,), batch_size=16, learning_rate_init=0.01, random_state=3
        )
    )
    prepared = fixed[:-1].fit_transform(ROWS)
    for _ in range(3):
        fixed[-1].partial_fit(prepared, NOISE)  # an integer seed: the same order three times
    assert not np.allclose(first[-1].coefs_[0], fixed[-1].coefs_[0])
