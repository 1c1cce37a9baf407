"""Write Keras layers as the ONNX operators for them, each in the layout that costs least."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from export.backend import keras
from export.graph.affine import scaled, without_bias
from export.graph.attention import write_attention
from export.graph.builder import Array, GraphBuilder, Layout, Tensor
from export.graph.column_writers import (
    write_missing,
    write_one_hot,
    write_ramps,
    write_selection,
)
from training.networks.builders import DropLastAxis, MeanOfLast, RawScore
from training.networks.calibration_layer import Calibrate
from training.networks.preprocessing import MissingIndicators, OneHot, SelectFeatures
from training.networks.quantile_encoding import QuantileRamps

# From graph, layer, tensors read and arguments of the call to the tensor made; None where the layer
# is of a kind that must be converted.
Writer = Callable[[GraphBuilder, Any, list[Tensor], dict[str, Any]], Tensor | None]


def _passed(
    _graph: GraphBuilder, _layer: Any, inputs: list[Tensor], _arguments: dict[str, Any]
) -> Tensor:
    return inputs[0]


def _activated(
    graph: GraphBuilder, layer: Any, inputs: list[Tensor], _arguments: dict[str, Any]
) -> Tensor | None:
    operator = _ACTIVATIONS.get(layer.activation.__name__)
    return None if operator is None else _activation(graph, operator, inputs[0])


def _activation(graph: GraphBuilder, operator: str, tensor: Tensor) -> Tensor:
    if operator == "Identity":
        return tensor
    return _with_name(tensor, graph.add(operator, tensor.name))


def _with_name(tensor: Tensor, name: str) -> Tensor:
    return Tensor(name, tensor.columns, tensor.layout, tensor.like)


def _dense(
    graph: GraphBuilder, layer: Any, inputs: list[Tensor], _arguments: dict[str, Any]
) -> Tensor | None:
    """Write activation(x W + b) over the last axis: behind an LSTM one `Gemm` over all rows.

    In front of one the batch comes first, and going to rows and back would cost what it gains; and
    so would it for a single unit, whose bias goes into the layer that reads it.
    """
    operator = _ACTIVATIONS.get(layer.activation.__name__)
    if operator is None:
        return None
    kernel, given = np.asarray(layer.kernel), inputs[0]
    bias = [graph.constant(np.asarray(layer.bias))] if layer.use_bias else []
    single = given.layout is Layout.STATES and kernel.shape[1] == 1
    if given.layout is Layout.BATCH or single:
        name = graph.add("MatMul", given.name, graph.constant(kernel))
        name = graph.add("Add", name, *bias) if bias else name
        made = Tensor(name, kernel.shape[1], given.layout, given.like)
    else:
        rows = graph.laid_out(given, Layout.ROWS)
        name = graph.add("Gemm", rows.name, graph.constant(kernel), *bias)
        made = Tensor(name, kernel.shape[1], Layout.ROWS, rows.like)
    return _activation(graph, operator, made)


def _lstm(
    graph: GraphBuilder, layer: Any, inputs: list[Tensor], arguments: dict[str, Any]
) -> Tensor | None:
    """Write one LSTM node: Keras orders gates i, f, c, o, ONNX i, o, f, c; it starts from zeros.

    A bias of what it reads becomes part of its own.
    """
    usual = (
        layer.activation.__name__ == "tanh"
        and layer.recurrent_activation.__name__ == "sigmoid"
        and layer.use_bias
        and layer.return_sequences
        and not (layer.return_state or layer.go_backwards or layer.stateful)
        and arguments.get("initial_state") is None
        and len(inputs) == 1
    )
    if not usual:
        return None

    def gates(weights: Any) -> Array:
        i, f, c, o = np.split(np.asarray(weights), 4, axis=-1)
        return np.concatenate((i, o, f, c), axis=-1)

    kernel, bias = gates(layer.cell.kernel), gates(layer.cell.bias)
    given, offset = without_bias(graph, graph.laid_out(inputs[0], Layout.PERIODS).name)
    if offset is not None:
        bias = bias + offset.astype(np.float64) @ kernel
    sequence = graph.add(
        "LSTM",
        given,
        graph.constant(kernel.T[None]),
        graph.constant(gates(layer.cell.recurrent_kernel).T[None]),
        graph.constant(np.concatenate((bias, np.zeros_like(bias)))[None]),
        hidden_size=layer.units,
    )
    return Tensor(sequence, layer.units, Layout.STATES, like=given)


def _sum(
    graph: GraphBuilder, _layer: Any, inputs: list[Tensor], _arguments: dict[str, Any]
) -> Tensor | None:
    """Write a sum of two; their biases come last, where what reads the sum may take them up."""
    if len(inputs) != 2:
        return None
    left, right = _alike(graph, inputs)
    widths = [one.columns for one in inputs if one.columns is not None]
    columns = max(widths, default=None)
    names, biases = [], []
    for name in (left.name, right.name):
        bare, bias = without_bias(graph, name)
        if bias is None or bias.shape != (columns,):
            names.append(name)
        else:
            names.append(bare)
            biases.append(bias)
    name = graph.add("Add", *names)
    if biases:
        offset = np.sum(biases, axis=0, dtype=np.float64)
        name = graph.add("Add", name, graph.constant(offset))
    return Tensor(name, columns, left.layout, left.like)


def _alike(graph: GraphBuilder, inputs: list[Tensor]) -> list[Tensor]:
    """Bring tensors into one layout: rows where one has them, else the periods first."""
    layouts = {one.layout for one in inputs}
    if len(layouts) > 1:
        layout = Layout.ROWS if Layout.ROWS in layouts else Layout.PERIODS
        return [graph.laid_out(one, layout) for one in inputs]
    return inputs


def _joined(
    graph: GraphBuilder, layer: Any, inputs: list[Tensor], _arguments: dict[str, Any]
) -> Tensor | None:
    if layer.axis not in (-1, 2) or any(one.columns is None for one in inputs):
        return None
    parts = _alike(graph, inputs)
    name = graph.add("Concat", *(one.name for one in parts), axis=-1)
    return Tensor(name, sum(one.columns or 0 for one in parts), parts[0].layout, parts[0].like)


def _mean_of_last(
    graph: GraphBuilder, _layer: Any, inputs: list[Tensor], _arguments: dict[str, Any]
) -> Tensor:
    given = inputs[0]
    mean = graph.add("ReduceMean", given.name, graph.constant([-1]), keepdims=1)
    return _without_columns(graph, Tensor(mean, 1, given.layout, given.like))


def _without_last_axis(
    graph: GraphBuilder, _layer: Any, inputs: list[Tensor], _arguments: dict[str, Any]
) -> Tensor:
    return _without_columns(graph, inputs[0])


def _without_columns(graph: GraphBuilder, given: Tensor) -> Tensor:
    """Write a tensor of one column as (batch, periods) or (periods, batch)."""
    if given.layout is Layout.ROWS:
        shape = graph.add("Shape", given.like, start=0, end=2)
        return Tensor(graph.add("Reshape", given.name, shape), None, Layout.PERIODS)
    layout = Layout.BATCH if given.layout is Layout.BATCH else Layout.PERIODS
    axes = graph.constant([1, -1] if given.layout is Layout.STATES else [-1])
    bare, bias = without_bias(graph, given.name)
    name = graph.add("Squeeze", bare, axes)
    # Over an axis of one column ONNX Runtime would add number by number.
    name = name if bias is None else graph.add("Add", name, graph.constant(bias))
    return Tensor(name, None, layout)


def _calibrated(
    graph: GraphBuilder, layer: Any, inputs: list[Tensor], _arguments: dict[str, Any]
) -> Tensor:
    """Write slope x logit + offset over as many periods as there are; a bias goes into these."""
    logits = inputs[0]
    slope, offset = np.array(layer.slope, np.float64), np.array(layer.offset, np.float64)
    bare, bias = without_bias(graph, logits.name)
    if bias is not None:
        offset = offset + slope * bias
    shape = (-1,) if logits.layout is Layout.BATCH else (-1, 1)
    product = graph.add("Mul", bare, graph.by_period(slope.reshape(shape)))
    sum_ = graph.add("Add", product, graph.by_period(offset.reshape(shape)))
    return _with_name(logits, sum_)


def _raw_score(
    graph: GraphBuilder, layer: Any, inputs: list[Tensor], _arguments: dict[str, Any]
) -> Tensor:
    """Write mean + spread x output within the range; mean and spread go into the weights."""
    spread, mean = np.array(layer.spread, np.float64), np.array(layer.mean, np.float64)
    name = scaled(graph, inputs[0].name, spread, mean)
    ends = (graph.constant(float(end)) for end in (layer.minimum, layer.maximum))
    return _with_name(inputs[0], graph.add("Clip", name, *ends))


_ACTIVATIONS = {"linear": "Identity", "relu": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh"}
WRITERS: Mapping[type, Writer] = {
    keras.layers.Identity: _passed,
    keras.layers.Dropout: _passed,
    keras.layers.Activation: _activated,
    keras.layers.Dense: _dense,
    keras.layers.LSTM: _lstm,
    keras.layers.MultiHeadAttention: write_attention,
    keras.layers.Add: _sum,
    keras.layers.Concatenate: _joined,
    DropLastAxis: _without_last_axis,
    MeanOfLast: _mean_of_last,
    Calibrate: _calibrated,
    RawScore: _raw_score,
    SelectFeatures: write_selection,
    MissingIndicators: write_missing,
    OneHot: write_one_hot,
    QuantileRamps: write_ramps,
}
