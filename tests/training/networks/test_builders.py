"""The two networks: causal, total, and the same after saving."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import tf2onnx
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from records.arrays import Floats
from tests.training.small_cohort import CONTRACT, HOURS, MARK, PERIODS, small_cohort
from training.data.statistics import learn_statistics
from training.data.targets import score_spread
from training.fitting.fit import seed_everything
from training.networks.backend import keras, tf
from training.networks.builders import (
    RawScore,
    attention_weights,
    build_risk_network,
    build_score_network,
    load_network,
    predict,
)
from training.settings import RISK_PRESETS, SCORE_PRESETS

COHORT = small_cohort(40)
STATISTICS = learn_statistics(COHORT)
SMALL = {"units": 6}


def _risk(preset: str = "paper-a") -> Any:
    seed_everything(1)
    small = RISK_PRESETS[preset].model_copy(update=SMALL)
    return build_risk_network(CONTRACT, STATISTICS, small)


def _score(preset: str = "paper-b") -> Any:
    seed_everything(1)
    small = SCORE_PRESETS[preset].model_copy(update={**SMALL, "heads": 2, "key_size": 3})
    return build_score_network(CONTRACT, STATISTICS, small, score_spread(COHORT))


NETWORKS = {
    "risk, paper A": _risk(),
    "risk, large": _risk("large"),
    "score, paper B": _score(),
    "score, large": _score("large"),
    "risk, stacked": _risk("stacked-lstm"),
    "risk, attention first": _risk("attention-lstm"),
    "score, attention last": _score("lstm-attention-large"),
    "score, attention alone": _score("self-attention-large"),
}
each_network = pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS.keys())
histories = hnp.arrays(
    np.float32,
    (2, PERIODS, len(CONTRACT.features)),
    elements=st.floats(0, 100, width=32) | st.just(float("nan")),
)


def test_outputs_are_named_and_shaped_as_the_exporter_expects() -> None:
    risk, score = NETWORKS["risk, paper A"], NETWORKS["score, paper B"]
    assert (risk.output_names, score.output_names) == (["risk"], ["score"])
    assert risk.input_shape == score.input_shape == (None, None, 5)
    for periods in (1, 3, PERIODS):
        values = COHORT.values[:3, :periods]
        assert risk(values).shape == (3, periods)
        assert score(values).shape == (3, periods, 2)


def test_paper_a_is_64_units_dropout_and_one_sigmoid() -> None:
    network = build_risk_network(CONTRACT, STATISTICS, RISK_PRESETS["paper-a"])
    lstm, dropout, head = (network.get_layer(name) for name in ("lstm", "dropout", "head"))
    assert (lstm.units, dropout.rate, head.units) == (64, 0.2, 1)
    assert network.get_layer("logit").output.shape == (None, None)
    assert network.get_layer("risk").activation.__name__ == "sigmoid"


@each_network
@settings(max_examples=10)
@given(values=histories, later=histories, periods=st.integers(1, PERIODS - 1))
def test_what_comes_later_never_changes_what_came_before(
    network: Any, values: Floats, later: Floats, periods: int
) -> None:
    changed = np.concatenate([values[:, :periods], later[:, periods:]], axis=1)
    before, after = np.asarray(network(values)), np.asarray(network(changed))
    np.testing.assert_allclose(after[:, :periods], before[:, :periods], rtol=1e-5, atol=1e-5)


@each_network
def test_padding_after_the_end_changes_nothing_before_it(network: Any) -> None:
    values = COHORT.values[:5]
    padded = np.pad(values, ((0, 0), (0, 3), (0, 0)), constant_values=np.nan)
    for length in (1, 3, PERIODS):
        alone = np.asarray(network(values[:, :length]))
        cut = padded.copy()
        cut[:, length:] = np.nan
        beside = np.asarray(network(cut))[:, :length]
        np.testing.assert_allclose(beside, alone, rtol=1e-5, atol=1e-5)


@each_network
@settings(max_examples=10)
@given(
    values=hnp.arrays(
        np.float32,
        (2, PERIODS, len(CONTRACT.features)),
        elements=st.floats(width=32, allow_infinity=False),
    )
)
def test_any_finite_or_missing_value_gives_finite_answers(network: Any, values: Floats) -> None:
    assert np.isfinite(np.asarray(network(values))).all()


@pytest.mark.parametrize("name", ["risk, large", "score, large"])
def test_a_later_period_changes_its_own_answer(name: str) -> None:
    values = COHORT.values[:5]
    changed = values.copy()
    changed[:, -1, MARK] = 20 - np.nan_to_num(changed[:, -1, MARK])
    before, after = (np.asarray(NETWORKS[name](given)) for given in (values, changed))
    assert (before[:, -1] != after[:, -1]).all()


def test_scores_stay_in_the_range_of_the_contract_except_in_training() -> None:
    layer = RawScore([90.0, 10.0], [50.0, 50.0], 0, 100)
    outputs = np.array([[[3.0, -3.0]]], np.float32)
    assert np.asarray(layer(outputs)).tolist() == [[[100, 0]]]
    assert np.asarray(layer(outputs, training=True)).tolist() == [[[240, -140]]]


def test_gradients_live_beyond_the_range_while_training() -> None:
    layer = RawScore([90.0], [50.0], 0, 100)
    outputs = tf.Variable([[[3.0]]])
    with tf.GradientTape() as tape:
        scores = layer(outputs, training=True)
    assert float(tape.gradient(scores, outputs)[0, 0, 0]) == 50


def test_many_records_are_answered_in_chunks_of_one_shape() -> None:
    network = NETWORKS["risk, paper A"]
    many = np.repeat(COHORT.values, 40, axis=0)
    np.testing.assert_allclose(predict(network, many), network(many), rtol=1e-5, atol=1e-6)


def test_an_untrained_score_network_starts_near_the_mean() -> None:
    mean, spread = score_spread(COHORT)
    start = np.asarray(NETWORKS["score, paper B"](COHORT.values))
    assert (np.abs(start.mean(axis=(0, 1)) - mean) < spread).all()


@each_network
def test_a_network_is_the_same_after_saving_and_loading(network: Any, tmp_path: Path) -> None:
    network.save(tmp_path / "network.keras")
    loaded = load_network(tmp_path / "network.keras")
    np.testing.assert_array_equal(loaded(COHORT.values), network(COHORT.values))
    plain = keras.saving.load_model(tmp_path / "network.keras")
    assert not plain.compiled


def test_unselected_features_are_not_read() -> None:
    seed_everything(1)
    preset = SCORE_PRESETS["paper-b"].model_copy(update=SMALL)
    spread = score_spread(COHORT)
    network = build_score_network(CONTRACT, STATISTICS, preset, spread, columns=[MARK])
    assert network.input_shape[-1] == len(CONTRACT.features)
    changed = COHORT.values.copy()
    changed[:, :, HOURS] = 99
    np.testing.assert_array_equal(network(changed), network(COHORT.values))


@pytest.mark.parametrize("name", ["score, paper B", "score, large"])
def test_attention_weights_share_out_the_periods_so_far(name: str, tmp_path: Path) -> None:
    network = NETWORKS[name]
    weights = attention_weights(network, COHORT.values[:4])
    assert weights.shape == (4, 2, PERIODS, PERIODS)
    np.testing.assert_allclose(weights.sum(axis=-1), 1, rtol=1e-5)
    assert (weights[:, :, ~np.tri(PERIODS, dtype=bool)] == 0).all()
    network.save(tmp_path / "score.keras")
    again = attention_weights(load_network(tmp_path / "score.keras"), COHORT.values[:4])
    np.testing.assert_array_equal(again, weights)


def test_attention_weights_do_not_change_the_network() -> None:
    network = NETWORKS["score, paper B"]
    before, layers = np.asarray(network(COHORT.values)), len(network.layers)
    attention_weights(network, COHORT.values[:2])
    np.testing.assert_array_equal(network(COHORT.values), before)
    assert len(network.layers) == layers


def test_the_lstm_is_one_fused_node_in_onnx() -> None:
    network = NETWORKS["score, large"]
    signature = [tf.TensorSpec((None, None, 5), tf.float32, name="values")]
    converted, _ = tf2onnx.convert.from_keras(network, input_signature=signature, opset=18)
    operators = [node.op_type for node in converted.graph.node]
    assert operators.count("LSTM") == 1
    assert not {"Loop", "Scan", "If"} & set(operators)
    session = onnxruntime.InferenceSession(
        converted.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    for periods in (1, PERIODS):
        values = COHORT.values[:7, :periods]
        (out,) = session.run(None, {"values": values})
        np.testing.assert_allclose(out, network(values), rtol=1e-5, atol=1e-5)
