"""Every row of the registry, fitted for real on a small cohort."""

import itertools
from typing import Any

import numpy as np
import pytest

from evaluation.known import known_score
from evaluation.metrics import risk_report, score_report
from tests.training.small_cohort import small_cohort
from training import registry
from training.data.prepare import Prepared, prepare
from training.fitting.fit import HUBER_DELTA
from training.model import TARGETS, Model, Target
from training.registry import MODELS, UnknownModelError, baselines, fit_preset, model, network
from training.settings import (
    RISK_PRESETS,
    SCORE_PRESETS,
    NetworkPreset,
    Schedule,
    TrainingSettings,
)

COHORT = small_cohort(400, students=350)
LATER = small_cohort(60, seed=9)
SHORT = Schedule(epochs=3, patience=1, learning_rate=0.02)


@pytest.fixture(scope="module")
def prepared() -> Prepared:
    return prepare(COHORT, TrainingSettings())


def _rows(*, neural: bool) -> list[Any]:
    return [
        pytest.param(row, id=f"{target}-{name}")
        for (target, name), row in MODELS.items()
        if row.neural is neural
    ]


def _nothing(_epoch: int, _epochs: int) -> None:
    pass


@pytest.mark.parametrize("row", _rows(neural=False))
def test_every_baseline_predicts_any_cohort_at_every_observed_step(
    row: Model, prepared: Prepared
) -> None:
    fitted = row.fit(prepared, 0, _nothing)
    assert fitted is not None
    predicted = fitted.predict(LATER)
    finite = np.isfinite(predicted)
    if row.target == "risk":
        np.testing.assert_array_equal(finite, LATER.observed)
        assert np.nanmin(predicted) >= 0
        assert np.nanmax(predicted) <= 1
        if row.family != "naive":
            assert (risk_report(LATER, predicted).last.auc or 0) > 0.8
    else:
        np.testing.assert_array_equal(finite.all(axis=2), LATER.observed)
        if row.family != "naive":
            assert (score_report(LATER, predicted).overall.r2 or 0) > 0.4
    some = LATER.observed & (np.arange(5) == 1)
    asked = fitted.predict(LATER, some)
    np.testing.assert_allclose(asked[some], predicted[some], rtol=1e-5)
    assert np.isnan(asked[~some]).all()


@pytest.mark.parametrize("row", _rows(neural=False))
def test_what_comes_later_changes_no_baseline(row: Model, prepared: Prepared) -> None:
    fitted = row.fit(prepared, 0, _nothing)
    assert fitted is not None
    early, late = fitted.predict(LATER.at(2)), fitted.predict(LATER)
    np.testing.assert_allclose(early[:, :2], late[:, :2], rtol=1e-5)


@pytest.mark.parametrize(
    "row", [row for row in _rows(neural=True) if row.values[0].exportable][::3]
)
def test_networks_predict_like_any_other_model(row: Model, prepared: Prepared) -> None:
    assert row.preset is not None
    small = row.preset.model_copy(update={"units": 6, "schedule": SHORT})
    fitted = fit_preset(prepared, row.target, small, 0, _nothing)
    assert fitted.network is not None
    assert fitted.network.preset == small
    predicted = fitted.predict(LATER)
    where = np.isfinite(predicted)
    np.testing.assert_array_equal(where if row.target == "risk" else where[..., 0], LATER.observed)


@pytest.mark.parametrize("loss", ["absolute", "huber"])
def test_a_forecast_can_be_fitted_by_losses_that_mind_outliers_less(
    loss: str, prepared: Prepared
) -> None:
    preset = NetworkPreset.model_validate(
        {
            **SCORE_PRESETS["paper-b"].model_dump(),
            "units": 6,
            "schedule": SHORT.model_copy(update={"halve_after": 1}),
            "score_loss": loss,
        }
    )
    fitted = fit_preset(prepared, "score", preset, 0, _nothing)
    assert fitted.network is not None
    history = fitted.network.history
    validation = prepared.parts.validation
    known = known_score(validation)
    error = np.abs(fitted.predict(validation)[known] - validation.score[known])
    quadratic, linear = 0.5 * error**2, HUBER_DELTA * (error - 0.5 * HUBER_DELTA)
    expected = error if loss == "absolute" else np.where(error <= HUBER_DELTA, quadratic, linear)
    best = history.epochs[history.best - 1].validation_loss
    assert best == pytest.approx(expected.mean(), rel=1e-4)


def test_a_calibrated_network_orders_students_as_before(prepared: Prepared) -> None:
    small = RISK_PRESETS["large"].model_copy(update={"units": 6, "schedule": SHORT})
    plain = fit_preset(prepared, "risk", small, 0, _nothing).predict(LATER)
    row = registry._calibrated("calibrated", small)
    assert row.neural
    assert not row.exportable
    fitted = row.fit(prepared, 0, _nothing)
    assert fitted is not None
    calibrated = fitted.predict(LATER)
    np.testing.assert_array_equal(np.isnan(calibrated), np.isnan(plain))
    for period in range(LATER.contract.periods.maximum):
        seen = LATER.observed[:, period]
        order = np.argsort(plain[seen, period], kind="stable")
        assert (np.diff(calibrated[seen, period][order]) >= -1e-6).all()


def test_the_registry_holds_both_papers_and_names_are_told_when_wrong() -> None:
    for target, names in (
        ("risk", {"svm", "random_forest", "ann", "lstm"}),
        ("score", {"linear_regression", "ridge", "svr", "dnn", "lstm", "attention-lstm"}),
    ):
        assert names <= {name for of, name in MODELS if of == target}
    with pytest.raises(UnknownModelError, match="did you mean 'random_forest'"):
        model("risk", "random_forst")
    with pytest.raises(UnknownModelError, match="cannot be exported"):
        network("risk", "svm")
    assert network("risk", "lstm").preset == RISK_PRESETS["paper-a"]
    assert network("score", "attention-lstm").preset == SCORE_PRESETS["paper-b"]
    assert network("score", "attention-lstm-small").preset == SCORE_PRESETS["small"]


@pytest.mark.parametrize("target", TARGETS)
def test_each_choice_of_baselines_holds_the_one_before(target: Target) -> None:
    chosen = [
        {row.name for row in baselines(target, choice)}
        for choice in ("none", "usual", "papers", "all")
    ]
    assert not chosen[0]
    for fewer, more in itertools.pairwise(chosen):
        assert fewer - {"lstm"} < more  # a network, which only the papers compare with


def test_paper_b_gives_the_hyperparameters_of_its_baselines() -> None:
    assert model("score", "ridge").hyperparameters["alpha"] == 0.1
    svr = model("score", "svr").hyperparameters
    assert (svr["kernel"], svr["C"], svr["gamma"]) == ("rbf", 100.0, 0.01)
    dnn = model("score", "dnn").hyperparameters
    assert (dnn["hidden_layer_sizes"], dnn["activation"]) == ((64, 32), "relu")
    assert (dnn["learning_rate_init"], dnn["batch_size"], dnn["epochs"]) == (0.01, 32, 100)
    assert dnn["patience"] is None
    lstm = SCORE_PRESETS["lstm"]
    assert (lstm.units, lstm.dense_units, lstm.dropout) == (64, 0, 0)
    assert (lstm.schedule.epochs, lstm.schedule.patience, lstm.schedule.batch_size) == (
        100,
        None,
        32,
    )
    assert "lstm" in {row.name for row in baselines("score", "papers")}
