"""Chosen and repeated columns are the numbers that Keras gives, to the bit; none is gathered."""

from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from export.convert import to_onnx
from export.specification import RISK
from records.arrays import Floats
from training.networks.backend import keras
from training.networks.preprocessing import MissingIndicators, OneHot, SelectFeatures
from training.networks.quantile_encoding import QuantileRamps

COLUMNS, PERIODS = 5, 3
EDGES = [[-3.0, -1.0, 4.0], [], [1e-3, 2e-3, 1.0, 1e6]]


def exported(*parts: keras.layers.Layer) -> tuple[keras.Model, bytes]:
    values = keras.Input((None, COLUMNS), name="values")
    made = [part(values) for part in parts]
    joined = made[0] if len(made) == 1 else keras.layers.Concatenate()(made)
    whole = keras.Model(values, keras.layers.Identity(name="risk")(joined))
    return whole, to_onnx(whole, replace(RISK, longest=PERIODS))


def operators(graph: bytes) -> list[str]:
    return [node.op_type for node in onnx.load_model_from_string(graph).graph.node]


CODED = 2
ENCODING = exported(
    QuantileRamps([4, 1, 0], EDGES), OneHot([CODED], [3]), MissingIndicators([0, 1, 2, 4])
)
CODES = slice(5, 8)  # behind the intervals of the ramps


@settings(max_examples=60, deadline=None)
@given(
    arrays(
        np.float32,
        st.tuples(st.integers(1, 3), st.integers(1, PERIODS), st.just(COLUMNS)),
        elements=st.one_of(
            st.just(float("nan")),
            st.sampled_from([0.0, 1.0, 2.0, 3.0, -1.0, 1e-3, 3e38, -3e38]),
            st.floats(-1e6, 1e6, width=32, allow_subnormal=True),
        ),
    )
)
@example(np.full((1, 1, COLUMNS), 1e-40, np.float32))
def test_an_encoding_is_the_same_to_the_bit(values: Floats) -> None:
    """But for a subnormal code: TensorFlow takes it for zero, ONNX Runtime for what it is, none."""
    network, graph = ENCODING
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    expected = np.array(network(values))
    code = values[..., CODED]
    subnormal = (code != 0) & (np.abs(code) < np.finfo(np.float32).smallest_normal)
    expected[..., CODES] *= ~subnormal[..., None]
    np.testing.assert_array_equal(session.run(None, {"values": values})[0], expected)


def test_an_encoding_gathers_nothing() -> None:
    assert "Gather" not in operators(ENCODING[1])


@pytest.mark.parametrize(
    ("columns", "operator"),
    [([0, 1, 2, 3, 4], ""), ([1, 2, 4], "Slice"), ([3, 0], "Slice"), ([4, 3, 2, 1, 0], "Gather")],
)
def test_neighbouring_columns_are_cut_out(columns: list[int], operator: str) -> None:
    network, graph = exported(SelectFeatures(columns))
    values = np.arange(2 * PERIODS * COLUMNS, dtype=np.float32).reshape(2, PERIODS, COLUMNS)
    values[1, 2, 1] = np.nan
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    np.testing.assert_array_equal(session.run(None, {"values": values})[0], network(values))
    found = operators(graph)
    assert (operator in found) is bool(operator)
    assert ("Gather" in found) is (operator == "Gather")
