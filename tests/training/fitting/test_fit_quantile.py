"""The score network on quantile-encoded features: causal, clipped, and equal in ONNX."""

from dataclasses import replace

import numpy as np
import onnxruntime
import pytest

from evaluation.known import known_score
from export.convert import lstm_layers, to_onnx
from export.gate.structure import inspect_graph
from export.specification import SCORE
from tests.training.small_cohort import CONTRACT, HOURS, small_cohort
from training.data.prepare import Prepared, prepare
from training.fitting.fit import FitError
from training.fitting.fit_networks import fit_network
from training.model import Fitted
from training.networks.builders import attention_weights
from training.settings import QUANTILE, Quantiles, Schedule, TrainingSettings

LATER = small_cohort(120, seed=9)
PRESET = QUANTILE.model_copy(
    update={
        "units": 8,
        "heads": 2,
        "key_size": 4,
        "schedule": Schedule(learning_rate=0.01, batch_size=64, epochs=12),
        "quantiles": Quantiles(encoder_units=8, without=("hours",)),
    }
)


@pytest.fixture(scope="module")
def prepared() -> Prepared:
    return prepare(small_cohort(600, students=550), TrainingSettings())


@pytest.fixture(scope="module")
def fitted(prepared: Prepared) -> Fitted:
    return fit_network(prepared, "score", PRESET, 0, lambda *_: None)


def test_it_learns_to_the_end_of_its_schedule(prepared: Prepared, fitted: Fitted) -> None:
    assert fitted.network is not None
    assert len(fitted.network.history.epochs) == fitted.network.history.best == 12
    known = known_score(LATER)
    train = prepared.parts.train
    mean = train.score[known_score(train)].mean()
    error = np.abs(fitted.predict(LATER)[known] - LATER.score[known]).mean()
    assert error < 0.9 * np.abs(mean - LATER.score[known]).mean()


def test_what_comes_later_changes_nothing(fitted: Fitted) -> None:
    early, late = fitted.predict(LATER.at(2)), fitted.predict(LATER)
    np.testing.assert_allclose(early[:, :2], late[:, :2], atol=1e-4)


def test_features_that_it_is_told_to_leave_out_are_not_read(fitted: Fitted) -> None:
    values = LATER.values.copy()
    values[:, :, HOURS] = np.where(np.isnan(values[:, :, HOURS]), np.nan, np.float32(1))
    again = fitted.predict(replace(LATER, values=values))
    np.testing.assert_array_equal(again, fitted.predict(LATER))


def test_it_shows_what_it_attends_to(fitted: Fitted) -> None:
    assert fitted.network is not None
    weights = attention_weights(fitted.network.keras, LATER.values[:5])
    np.testing.assert_allclose(weights.sum(axis=-1), 1, atol=1e-5)


def test_its_graph_holds_one_fused_lstm_and_says_the_same(fitted: Fitted) -> None:
    assert fitted.network is not None
    network = fitted.network.keras
    graph = to_onnx(network, SCORE)
    expected = replace(SCORE, lstm_nodes=lstm_layers(network))
    assert inspect_graph(graph, expected, CONTRACT).lstm_nodes == 1
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    (answer,) = session.run(None, {SCORE.input: LATER.values})
    said = fitted.predict(LATER)
    known = ~np.isnan(said)
    np.testing.assert_allclose(answer[known], said[known], atol=1e-3)


def test_a_hopeless_learning_rate_says_so(prepared: Prepared) -> None:
    wild = PRESET.model_copy(
        update={"score_loss": "squared", "schedule": Schedule(learning_rate=1e30, epochs=2)}
    )
    with pytest.raises(FitError, match="diverged"):
        fit_network(prepared, "score", wild, 0, lambda *_: None)
