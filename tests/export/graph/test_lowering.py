"""Lowered graphs hold few operators, whatever the layers are put together to."""

from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest

from export.convert import lstm_layers, to_onnx
from export.graph.lowering import can_lower
from export.specification import RISK, SCORE, GraphSpecification
from records.arrays import Floats
from training.networks.backend import keras
from training.networks.builders import load_network
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


@pytest.mark.parametrize(
    ("specification", "most"), [(RISK, 20), (SCORE, 32)], ids=["risk", "score"]
)
def test_a_shipped_graph_is_of_few_operators(
    run_folder: RunFolder, specification: GraphSpecification, most: int
) -> None:
    network = load_network(run_folder.path / specification.keras_file)
    known = replace(specification, longest=run_folder.contract.periods.maximum)
    found = nodes(to_onnx(network, known))
    assert not {"Expand", "Gather", "Cast", "Min", "Max", "Attention", "Split"} & set(found)
    assert found.count("LSTM") == 1
    assert found.count("Transpose") == (2 if specification is RISK else 3)
    assert len(found) <= most


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
