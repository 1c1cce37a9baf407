"""Lowered graphs hold few operators, whatever the layers are put together to."""

from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from export.convert import lstm_layers, to_onnx
from export.lowering import can_lower
from export.specification import PORTABLE_OPSET, RISK, SPECIFICATIONS, GraphSpecification
from records.cohort import Floats
from training.backend import keras
from training.networks import load_network
from training.run_folder import RunFolder

layers = keras.layers
FEATURES = 3


def nodes(graph: bytes) -> list[str]:
    return [node.op_type for node in onnx.load_model_from_string(graph).graph.node]


def answered(graph: bytes, values: Floats) -> Floats:
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    answer: Floats = session.run(None, {"values": values})[0]
    return answer


def histories(rows: int, periods: int) -> Floats:
    values = np.random.default_rng(3).normal(size=(rows, periods, FEATURES))
    return np.asarray(values, np.float32)


@pytest.mark.parametrize("specification", SPECIFICATIONS, ids=lambda s: s.name)
def test_a_shipped_graph_computes_no_shape_but_the_calibrated_periods(
    run_folder: RunFolder, specification: GraphSpecification
) -> None:
    network = load_network(run_folder.path / specification.keras_file)
    found = nodes(to_onnx(network, specification))
    assert not {"Reshape", "Expand", "Concat", "Gather"} & set(found)
    assert found.count("Shape") <= 1
    assert found.count("LSTM") == 1
    assert len(found) <= 30


def test_networks_averaged_in_one_model_keep_a_node_for_each_lstm() -> None:
    values = keras.Input((None, FEATURES), name="values")
    members = []
    for seed in range(3):
        inner = keras.Input((None, FEATURES))
        hidden = layers.LSTM(4, return_sequences=True)(inner)
        members.append(keras.Model(inner, layers.Dense(1)(hidden), name=f"member_{seed}"))
    mean = layers.Average()([member(values) for member in members])
    whole = keras.Model(values, layers.Reshape((-1,), name="risk")(mean))
    graph = to_onnx(whole, RISK)
    assert nodes(graph).count("LSTM") == lstm_layers(whole) == 3
    shown = histories(4, 5)
    np.testing.assert_allclose(answered(graph, shown), whole(shown), atol=1e-6)


def test_a_layer_used_twice_and_a_tensor_read_twice_are_written_right() -> None:
    values = keras.Input((None, FEATURES), name="values")
    lstm, dense = layers.LSTM(FEATURES, return_sequences=True), layers.Dense(FEATURES, "tanh")
    once = lstm(values)
    hidden = layers.Add()([dense(once), dense(lstm(once))])
    whole = keras.Model(values, layers.Add(name="risk")([hidden, values]))
    shown = histories(2, 4)
    np.testing.assert_allclose(answered(to_onnx(whole, RISK), shown), whole(shown), atol=1e-6)


def test_a_choice_by_what_is_missing_is_no_product_with_it() -> None:
    values = keras.Input((None, FEATURES), name="values")
    filled = keras.ops.where(keras.ops.isnan(values), 0.5, values / 10)
    hidden = layers.LSTM(2, return_sequences=True)(filled)
    whole = keras.Model(values, layers.Dense(1, name="risk")(hidden))
    shown = histories(3, 4)
    shown[0, 1, 2] = shown[2, 0, :] = np.nan
    np.testing.assert_allclose(answered(to_onnx(whole, RISK), shown), whole(shown), atol=1e-6)


def test_masks_are_left_to_the_converter() -> None:
    values = keras.Input((None, FEATURES), name="values")
    masked = keras.Model(values, layers.LSTM(2, return_sequences=True)(layers.Masking()(values)))
    assert not can_lower(masked)


@settings(max_examples=12, deadline=None)
@given(
    heads=st.integers(1, 3),
    key=st.integers(1, 4),
    value=st.none() | st.integers(1, 4),
    bias=st.booleans(),
    causal=st.booleans(),
    portable=st.booleans(),
    rows=st.integers(1, 3),
    periods=st.integers(1, 6),
)
def test_an_attention_computes_what_keras_computes_whether_written_or_converted(
    *,
    heads: int,
    key: int,
    value: int | None,
    bias: bool,
    causal: bool,
    portable: bool,
    rows: int,
    periods: int,
) -> None:
    values = keras.Input((None, FEATURES), name="values")
    layer = layers.MultiHeadAttention(heads, key, value_dim=value, use_bias=bias, name="risk")
    attended = layer(values, values, use_causal_mask=causal)
    whole = keras.Model(values, attended)
    graph = to_onnx(whole, replace(RISK, opset=PORTABLE_OPSET) if portable else RISK)
    written = causal and bias and value in (None, key)
    assert ("Attention" in nodes(graph)) is (written and not portable)
    assert (nodes(graph).count("MatMul") == 4) is (written and portable)
    shown = histories(rows, periods)
    np.testing.assert_allclose(answered(graph, shown), whole(shown), atol=1e-5)
