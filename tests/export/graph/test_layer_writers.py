"""What a layer's constants are moved into computes what the layers computed one after another."""

from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest

from export.convert import to_onnx
from export.specification import RISK
from records.arrays import Floats
from training.networks.backend import keras
from training.networks.builders import DropLastAxis, MeanOfLast, RawScore
from training.networks.calibration_layer import Calibrate
from training.networks.preprocessing import Impute, Scale

layers = keras.layers
COLUMNS, PERIODS = 4, 5
KNOWN = replace(RISK, longest=PERIODS)


def shuffled(model: keras.Model) -> keras.Model:
    """Draw all weights, biases too: zeros would hide a mistake."""
    generator = np.random.default_rng(7)
    for weight in model.weights:
        weight.assign(generator.normal(size=weight.shape, scale=0.5))
    return model


def operators(model: keras.Model) -> list[str]:
    """Compare the graph with Keras at every length, gaps included, and list its operators."""
    graph = to_onnx(model, KNOWN)
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    values = np.random.default_rng(8).normal(size=(3, PERIODS, COLUMNS)).astype(np.float32)
    values[0, 1, 2] = values[2, 0] = np.nan
    for periods in range(1, PERIODS + 1):
        shown: Floats = values[:, :periods]
        (answer,) = session.run(None, {"values": shown})
        np.testing.assert_allclose(answer, model(shown), rtol=1e-5, atol=2e-5)
    return [node.op_type for node in onnx.load_model_from_string(graph).graph.node]


def imputed() -> tuple[keras.KerasTensor, keras.KerasTensor]:
    values = keras.Input((None, COLUMNS), name="values")
    return values, Impute([0.5, 1.0, -1.0, 2.0])(values)


@pytest.mark.parametrize("subjects", [1, 3])
@pytest.mark.parametrize("straight", [False, True])
@pytest.mark.parametrize("behind", ["lstm", "dense", "attention"])
def test_a_forecasts_mean_and_spread_go_into_the_weights(
    behind: str, subjects: int, *, straight: bool
) -> None:
    values, hidden = imputed()
    middle = {
        "lstm": lambda: layers.LSTM(3, return_sequences=True)(hidden),
        "dense": lambda: layers.Dense(3, "relu")(hidden),
        "attention": lambda: layers.MultiHeadAttention(2, 3)(hidden, hidden, use_causal_mask=True),
    }[behind]()
    head = layers.Dense(subjects)(middle)
    if straight:
        head = layers.Add()([head, layers.Dense(subjects, use_bias=False)(hidden)])
    raw = RawScore([7.0, 5.0, 6.0][:subjects], [2.0, 3.0, 1.0][:subjects], 0, 10, name="score")
    found = operators(shuffled(keras.Model(values, raw(head))))
    assert "Mul" not in found
    assert found.count("Clip") == 1


def test_a_forecast_of_what_no_weights_make_is_scaled_by_itself() -> None:
    values, hidden = imputed()
    raw = RawScore([7.0] * COLUMNS, [2.0] * COLUMNS, -50, 50, name="score")
    found = operators(keras.Model(values, raw(layers.Activation("tanh")(hidden))))
    assert found.count("Mul") == 1


def test_a_tensor_that_others_read_too_keeps_its_own_scale() -> None:
    values, hidden = imputed()
    head = layers.Dense(COLUMNS)(layers.LSTM(3, return_sequences=True)(hidden))
    raw = RawScore([7.0] * COLUMNS, [2.0] * COLUMNS, -9, 90)(head)
    operators(shuffled(keras.Model(values, layers.Add(name="score")([raw, head]))))


@pytest.mark.parametrize("behind", ["lstm", "dense"])
@pytest.mark.parametrize("calibrated", [False, True])
def test_a_single_units_bias_goes_into_the_calibration(behind: str, *, calibrated: bool) -> None:
    values, hidden = imputed()
    middle = layers.Dense(3, "relu")(hidden)
    if behind == "lstm":
        middle = layers.LSTM(3, return_sequences=True)(middle)
    logit = DropLastAxis()(layers.Dense(1)(middle))
    if calibrated:
        slopes = np.linspace(0.5, 1.5, PERIODS)
        logit = Calibrate(slopes.tolist(), (slopes - 1).tolist())(logit)
    risk = layers.Activation("sigmoid", name="risk")(logit)
    found = operators(shuffled(keras.Model(values, risk)))
    # The other is the ReLU layer's.
    assert found.count("Add") == 2


def test_members_beside_a_straight_line_are_averaged() -> None:
    values, hidden = imputed()
    members = []
    for _ in range(2):
        recurrent = layers.LSTM(3, return_sequences=True)(layers.Dense(2, "relu")(hidden))
        straight = layers.Dense(1, use_bias=False)(hidden)
        members.append(layers.Add()([layers.Dense(1)(recurrent), straight]))
    logit = MeanOfLast()(layers.Concatenate()(members))
    risk = layers.Activation("sigmoid", name="risk")(logit)
    operators(shuffled(keras.Model(values, risk)))


def test_a_bias_in_front_of_an_lstm_becomes_the_lstms() -> None:
    values, hidden = imputed()
    risk = layers.LSTM(3, return_sequences=True, name="risk")(layers.Dense(3)(hidden))
    assert "Add" not in operators(shuffled(keras.Model(values, risk)))


@pytest.mark.parametrize("biased", [(False, True), (True, False), (True, True)])
def test_biases_within_a_sum_become_the_lstms_that_reads_the_sum(
    biased: tuple[bool, bool],
) -> None:
    values, hidden = imputed()
    whole = layers.Add()([layers.Dense(COLUMNS)(hidden) if one else hidden for one in biased])
    risk = layers.LSTM(3, return_sequences=True, name="risk")(whole)
    assert operators(shuffled(keras.Model(values, risk))).count("Add") == 1


def test_a_bias_of_one_column_within_a_wider_sum_stays_right() -> None:
    values, hidden = imputed()
    whole = layers.Add()([hidden, layers.Dense(1)(hidden)])
    risk = layers.LSTM(3, return_sequences=True, name="risk")(whole)
    operators(shuffled(keras.Model(values, risk)))


def test_an_attention_of_one_head_is_laid_out_already() -> None:
    values, hidden = imputed()
    for heads, reshapes in ((1, 0), (2, 2)):
        layer = layers.MultiHeadAttention(heads, 3)
        attended = layers.Add()([hidden, layer(hidden, hidden, use_causal_mask=True)])
        risk = layers.LSTM(3, return_sequences=True, name="risk")(attended)
        found = operators(shuffled(keras.Model(values, risk)))
        assert "Attention" not in found
        assert found.count("Reshape") == reshapes


def test_scaling_is_clipped_once_and_reads_a_row_of_constants_for_each_period() -> None:
    values, hidden = imputed()
    scaled = Scale([0.1, 0.2, 0.3, 0.4], [1, 300.0, 0, 2])(hidden)
    whole = keras.Model(values, layers.Dense(2, name="risk")(scaled))
    found = operators(shuffled(whole))
    assert (found.count("Clip"), found.count("Min"), found.count("Max")) == (1, 0, 0)
    assert found.count("Slice") == 4  # fill, offset, factor, bias
    assert "Slice" not in [
        node.op_type for node in onnx.load_model_from_string(to_onnx(whole, RISK)).graph.node
    ]


def test_dense_layers_that_read_the_same_become_one_product() -> None:
    values, hidden = imputed()
    parts = [layers.Dense(2, "relu")(hidden), layers.Dense(2, use_bias=False)(hidden)]
    whole = keras.Model(values, layers.Add(name="risk")(parts))
    found = operators(shuffled(whole))
    assert (found.count("MatMul"), found.count("Split")) == (1, 1)
