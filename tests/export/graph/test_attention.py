"""Attention computes what its paper says in every form that it is written in, and so does Keras."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from export.convert import to_onnx
from export.specification import PORTABLE_OPSET, RISK
from records.arrays import Floats
from training.networks.backend import keras, tf

layers = keras.layers
LONGEST = 6


def attention(columns: int, layer: keras.layers.Layer, *, causal: bool = True) -> keras.Model:
    values = keras.Input((None, columns), name="values")
    return keras.Model(values, layer(values, values, use_causal_mask=causal))


def nodes(graph: bytes) -> list[str]:
    return [node.op_type for node in onnx.load_model_from_string(graph).graph.node]


def answered(graph: bytes, values: Floats) -> Floats:
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    answer: Floats = session.run(None, {"values": values})[0]
    return answer


def drawn(*shape: int, size: float = 1.0) -> Floats:
    return np.asarray(np.random.default_rng(3).normal(size=shape) * size, np.float32)


def in_float64(
    layer: keras.layers.Layer, values: Floats, *, causal: bool = True
) -> tuple[Floats, float]:
    """Compute attention in float64 as its paper says, and the largest of the scores shown."""
    x = values.astype(np.float64)
    q, k, v = (
        np.einsum("bta,ahd->bthd", x, np.asarray(one.kernel, np.float64))
        + (np.asarray(one.bias) if layer.use_bias else 0)
        for one in (layer.query_dense, layer.key_dense, layer.value_dense)
    )
    scores = np.einsum("bthd,bshd->bhts", q, k) / layer.key_dim**0.5
    shown = np.tril(np.ones(scores.shape[2:], bool)) if causal else np.ones(scores.shape[2:], bool)
    scores = np.where(shown, scores, -np.inf)
    shares = np.exp(scores - scores.max(-1, keepdims=True))
    shares /= shares.sum(-1, keepdims=True)
    mixed = np.einsum("bhts,bshd->bthd", shares, v)
    out = np.einsum("bthd,hdo->bto", mixed, np.asarray(layer.output_dense.kernel, np.float64))
    offset = np.asarray(layer.output_dense.bias) if layer.use_bias else 0
    return out + offset, float(np.abs(scores[..., shown]).max())


def of_any_length(network: keras.Model) -> Callable[[Floats], Floats]:
    """Let Keras compute with periods whose number it does not know, as it is exported.

    Of a known number it takes biases of heads of one column for biases of the periods, where these
    are as many as the heads.
    """
    [values] = network.inputs
    traced = tf.function(network, input_signature=[tf.TensorSpec(values.shape)])
    return lambda shown: np.asarray(traced(shown))


@settings(max_examples=16, deadline=None)
@given(
    columns=st.integers(1, 5),
    heads=st.integers(1, 3),
    key=st.integers(1, 4),
    value=st.none() | st.integers(1, 4),
    bias=st.booleans(),
    causal=st.booleans(),
    portable=st.booleans(),
    longest=st.none() | st.just(LONGEST),
    rows=st.integers(1, 3),
    periods=st.integers(1, LONGEST),
)
@example(
    columns=3,
    heads=2,
    key=1,
    value=None,
    bias=True,
    causal=True,
    portable=False,
    longest=LONGEST,
    rows=2,
    periods=2,
)
def test_an_attention_is_that_of_its_paper_and_of_keras_whether_written_or_converted(
    *,
    columns: int,
    heads: int,
    key: int,
    value: int | None,
    bias: bool,
    causal: bool,
    portable: bool,
    longest: int | None,
    rows: int,
    periods: int,
) -> None:
    layer = layers.MultiHeadAttention(heads, key, value_dim=value, use_bias=bias, name="risk")
    whole = attention(columns, layer, causal=causal)
    for weight in layer.weights:  # biases start as zeros, which would hide a mistake
        weight.assign(drawn(*weight.shape))
    opset = PORTABLE_OPSET if portable else RISK.opset
    graph = to_onnx(whole, replace(RISK, opset=opset, longest=longest))
    written = causal and bias and value in (None, key)
    folded = written and longest is not None and columns <= 2 * key
    assert ("Attention" in nodes(graph)) is (written and not folded and not portable)
    assert (nodes(graph).count("MatMul") == 4) is (written and (folded or portable))
    shown = drawn(rows, periods, columns)
    expected, _ = in_float64(layer, shown, causal=causal)
    np.testing.assert_allclose(of_any_length(whole)(shown), expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(answered(graph, shown), expected, rtol=1e-4, atol=1e-4)


def test_what_keras_gets_wrong_is_why_a_preset_refuses_several_heads_of_one_column() -> None:
    """Fails once Keras is mended: then presets can allow them."""
    values, bias = np.zeros((1, 2, 2, 1), np.float32), np.array([[1.0], [2.0]], np.float32)
    taken_for_periods = [[1.0, 1.0], [2.0, 2.0]]
    assert np.asarray(keras.ops.add(values, bias))[0, ..., 0].tolist() == taken_for_periods


@settings(max_examples=12, deadline=None)
@given(
    size=st.sampled_from([1e-6, 1.0, 10.0, 100.0, 1e4]),
    wild=st.sampled_from([1.0, 1e3, 1e6]),
    heads=st.integers(1, 4),
    columns=st.integers(1, 6),
    seed=st.integers(0, 2**16),
)
def test_a_folded_attention_is_right_for_any_size_of_values(
    *, size: float, wild: float, heads: int, columns: int, seed: int
) -> None:
    """No score overflows, and beside a wild record the others are what they are alone."""
    layer = layers.MultiHeadAttention(heads, 4, name="risk")
    whole = attention(columns, layer)
    generator = np.random.default_rng(seed)
    for weight in layer.weights:
        weight.assign(generator.normal(size=weight.shape, scale=0.4))
    graph = to_onnx(whole, replace(RISK, longest=LONGEST))
    assert "Attention" not in nodes(graph)
    shown = (generator.normal(size=(5, LONGEST, columns)) * size).astype(np.float32)
    shown[2] *= np.float32(wild)
    answers = answered(graph, shown)
    for row in range(len(shown)):
        expected, score = in_float64(layer, shown[row : row + 1])
        # What rounding a score in float32 may cost: a share of what is mixed.
        allowed = 1e-6 * (1 + score) * (1 + np.abs(shown[row]).max())
        np.testing.assert_allclose(answers[row : row + 1], expected, rtol=1e-5, atol=4 * allowed)


def test_more_periods_than_were_said_are_refused() -> None:
    graph = to_onnx(
        attention(3, layers.MultiHeadAttention(2, 4, name="risk")), replace(RISK, longest=LONGEST)
    )
    assert np.isfinite(answered(graph, drawn(2, LONGEST, 3))).all()
    with pytest.raises(Exception, match="broadcast"):
        answered(graph, drawn(2, LONGEST + 1, 3))
