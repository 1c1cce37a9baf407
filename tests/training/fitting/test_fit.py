"""Fitting: what counts for the loss, when it stops, what is kept."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from records.arrays import Floats
from tests.training.small_cohort import CONTRACT, PERIODS, small_cohort
from training.data.statistics import learn_statistics
from training.data.targets import (
    Examples,
    known_risk,
    known_score,
    risk_examples,
    score_examples,
    score_spread,
)
from training.fitting.fit import FitError, fit, seed_everything
from training.history import History
from training.networks.backend import keras
from training.networks.builders import build_risk_network, build_score_network, predict
from training.settings import RISK_PRESETS, SCORE_PRESETS, Schedule

STATISTICS = learn_statistics(small_cohort(80))
TRAIN, VALIDATION = small_cohort(80), small_cohort(40, seed=1)
SHORT = Schedule(learning_rate=0.01, batch_size=16, epochs=3, patience=2)


def _fit_risk(
    train: Examples | None = None,
    schedule: Schedule = SHORT,
    *,
    dropout: float = 0.2,
    on_epoch: Callable[[int], None] | None = None,
) -> tuple[Any, History]:
    seed_everything(0)
    preset = RISK_PRESETS["paper-a"].model_copy(update={"units": 8, "dropout": dropout})
    network = build_risk_network(CONTRACT, STATISTICS, preset)
    history = fit(
        network,
        "binary_crossentropy",
        schedule,
        train or risk_examples(TRAIN, PERIODS),
        risk_examples(VALIDATION, PERIODS),
        on_epoch=on_epoch,
    )
    return network, history


def _fit_score() -> tuple[Any, History]:
    seed_everything(0)
    preset = SCORE_PRESETS["paper-b"].model_copy(update={"units": 8, "heads": 2, "key_size": 4})
    network = build_score_network(CONTRACT, STATISTICS, preset, score_spread(TRAIN))
    history = fit(
        network,
        "mean_squared_error",
        SHORT,
        score_examples(TRAIN, PERIODS),
        score_examples(VALIDATION, PERIODS),
    )
    return network, history


def _weights(network: Any) -> Floats:
    return np.concatenate([weight.ravel() for weight in network.get_weights()])


@pytest.fixture(scope="module")
def risk() -> tuple[Any, History]:
    return _fit_risk()


@pytest.fixture(scope="module")
def score() -> tuple[Any, History]:
    return _fit_score()


def test_the_same_seed_gives_the_same_weights_and_every_epoch_is_reported(
    risk: tuple[Any, History],
) -> None:
    seen: list[int] = []
    again, _ = _fit_risk(on_epoch=seen.append)
    np.testing.assert_array_equal(_weights(again), _weights(risk[0]))
    assert seen == [epoch.epoch for epoch in risk[1].epochs]


def test_another_seed_gives_other_weights() -> None:
    starts = []
    for seed in (0, 0, 1):
        seed_everything(seed)
        starts.append(_weights(build_risk_network(CONTRACT, STATISTICS, RISK_PRESETS["paper-a"])))
    np.testing.assert_array_equal(starts[0], starts[1])
    assert not np.array_equal(starts[0], starts[2])


def _spoiled(examples: Examples) -> Examples:
    """Change every target that does not count."""
    return replace(examples, target=np.where(examples.weight > 0, examples.target, np.float32(7)))


def test_outcomes_of_steps_that_do_not_count_do_not_touch_the_weights(
    risk: tuple[Any, History],
) -> None:
    network, history = _fit_risk(_spoiled(risk_examples(TRAIN, PERIODS)))
    np.testing.assert_array_equal(_weights(network), _weights(risk[0]))
    assert [epoch.loss for epoch in history.epochs] == [epoch.loss for epoch in risk[1].epochs]


def test_the_recorded_loss_is_the_cross_entropy_of_the_steps_that_count(
    risk: tuple[Any, History],
) -> None:
    network, history = risk
    known = known_risk(VALIDATION)
    chance = predict(network, VALIDATION.values)[known].astype(np.float64)
    truth = VALIDATION.risk[known]
    expected = -np.mean(truth * np.log(chance) + (1 - truth) * np.log(1 - chance))
    best = history.epochs[history.best - 1]
    assert best.validation_loss == pytest.approx(expected, rel=1e-4)
    accuracy = np.mean((chance >= 0.5) == (truth == 1))
    assert best.validation_accuracy == pytest.approx(accuracy, rel=1e-4)


def test_the_recorded_loss_is_the_squared_error_of_the_scores_that_count(
    score: tuple[Any, History],
) -> None:
    network, history = score
    known = known_score(VALIDATION)
    error = predict(network, VALIDATION.values)[known] - VALIDATION.score[known]
    best = history.epochs[history.best - 1]
    assert best.validation_loss == pytest.approx(np.mean(error**2), rel=1e-4)
    assert best.accuracy is None


def test_both_losses_of_every_epoch_are_recorded(risk: tuple[Any, History]) -> None:
    epochs = risk[1].epochs
    assert [epoch.epoch for epoch in epochs] == list(range(1, len(epochs) + 1))
    for epoch in epochs:
        assert np.isfinite([epoch.loss, epoch.validation_loss]).all()
        assert epoch.accuracy is not None


def test_training_lowers_the_loss(risk: tuple[Any, History], score: tuple[Any, History]) -> None:
    for _, history in (risk, score):
        assert history.epochs[-1].loss < history.epochs[0].loss


def test_it_stops_early_and_keeps_the_best_weights() -> None:
    # A rate far too high: the validation loss goes up and down.
    schedule = Schedule(learning_rate=0.3, batch_size=16, epochs=40, patience=2)
    network, history = _fit_risk(schedule=schedule, dropout=0.0)
    losses = [epoch.validation_loss for epoch in history.epochs]
    assert history.stopped_early
    assert len(losses) < 40
    assert history.best == int(np.argmin(losses)) + 1 == len(losses) - 2
    known = known_risk(VALIDATION)
    chance = np.clip(predict(network, VALIDATION.values)[known], 1e-7, 1 - 1e-7)
    truth = VALIDATION.risk[known]
    kept = -np.mean(truth * np.log(chance) + (1 - truth) * np.log(1 - chance))
    assert kept == pytest.approx(min(losses), rel=1e-3)


def test_divergence_says_what_to_do() -> None:
    examples = score_examples(TRAIN, PERIODS)
    broken = replace(examples, target=np.full_like(examples.target, np.float32(3e38)))
    values = keras.Input((None, len(CONTRACT.features)))
    network = keras.Model(values, keras.layers.Dense(2)(keras.ops.nan_to_num(values)))
    with pytest.raises(FitError, match="learning rate"):
        fit(network, "mean_squared_error", SHORT, broken, broken)
