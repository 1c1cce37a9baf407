"""Write a Keras model as few ONNX operators: the layers that cost time by hand, the rest converted.

tf2onnx writes what TensorFlow does to compute a layer: an attention is 110 nodes that mostly
compute shapes, a dense layer reshapes to two axes and back, an LSTM fills a tensor with zeros. Here
these layers are the operators that ONNX has for them (`Attention`, `MatMul`, `LSTM`), and all other
layers (preprocessing, calibration, raw scores) go through tf2onnx one at a time, so that no second
implementation of them exists. The gate proves the result equal to Keras like any other.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import onnx

from export.backend import keras, tf, tf2onnx
from export.graph_builder import GraphBuilder, Tensor
from training.calibration_layer import Calibrate

# What tf2onnx can write; between it and the file's operator set no operator that it uses changed
# its meaning.
_CONVERTER_OPSET = 18
_ATTENTION_OPSET = 23
# Score of a step that is hidden; finite, so that no product with it is NaN.
_HIDDEN = -1e30


def can_lower(model: keras.Model) -> bool:
    """Whether `lower` keeps what the model computes: masks pass between layers unseen."""
    return not any(
        isinstance(layer, keras.layers.Masking) or getattr(layer, "mask_zero", False)
        for layer in model.layers
    )


def lower(model: keras.Model, *, opset: int, input_name: str) -> onnx.ModelProto:
    """Write a functional model with one input and one output.

    Args:
        model: Without masks (`can_lower`), its tensors (batch, periods[, columns]).
        opset: Operator set of the file. From 23 on it has `Attention`; before, an attention is
            written in products and a softmax.
        input_name: Name of the graph's input.

    Returns:
        The model; its output has the name of the output's layer.
    """
    graph = GraphBuilder(opset)
    (given,), (answer,) = model.inputs, model.outputs
    walk = _Walk(graph)
    result = graph.swapped(walk.visit(answer, {id(given): Tensor(input_name)}), periods_first=False)
    name = model.output_names[0]
    graph.nodes.append(onnx.helper.make_node("Identity", [result.name], [name]))
    values = [
        onnx.helper.make_tensor_value_info(value, onnx.TensorProto.FLOAT, list(tensor.shape))
        for value, tensor in ((input_name, given), (name, answer))
    ]
    return onnx.helper.make_model(
        onnx.helper.make_graph(
            _without_identities(graph.nodes), "lowered", values[:1], values[1:], graph.constants
        ),
        opset_imports=[onnx.helper.make_opsetid("", opset)],
        ir_version=10,
        producer_version=tf2onnx.__version__,
    )


class _Walk:
    """Walk a functional model from its output back to its input, nested models included."""

    def __init__(self, graph: GraphBuilder) -> None:
        self._graph = graph

    def visit(self, tensor: Any, known: dict[int, Tensor]) -> Tensor:
        """Write what computes `tensor`; `known` maps ids of Keras tensors to written ones."""
        if id(tensor) not in known:
            operation, node = _origin(tensor)
            if isinstance(operation, keras.Model) or type(operation) in _WRITERS:
                inputs = [self.visit(one, known) for one in node.input_tensors]
                written = self._written(operation, node, inputs)
            else:
                # What lies between layers that are written goes through the converter as one: it
                # must see, for example, that a choice depends on what is missing.
                edge = _edge(tensor, known)
                inputs = [self.visit(one, known) for one in edge]
                written = self._converted(edge, inputs, [tensor])
                known[id(tensor)] = written[0]
                return written[0]
            for output, made in zip(node.output_tensors, written, strict=True):
                known[id(output)] = made
        return known[id(tensor)]

    def _written(self, operation: Any, node: Any, inputs: list[Tensor]) -> list[Tensor]:
        if isinstance(operation, keras.Model) and len(operation.inputs) == len(inputs):
            inner = {
                id(one): self._graph.swapped(given, periods_first=False)
                for one, given in zip(operation.inputs, inputs, strict=True)
            }
            return [self.visit(output, inner) for output in operation.outputs]
        if (write := _WRITERS.get(type(operation))) is not None:
            written = write(self._graph, operation, inputs, node.arguments.kwargs)
            if written is not None:
                return [written]
        return self._converted(node.input_tensors, inputs, node.output_tensors)

    def _converted(
        self, tensors: list[Any], inputs: list[Tensor], outputs: list[Any]
    ) -> list[Tensor]:
        """Let tf2onnx write what computes Keras tensors `outputs` from `tensors`."""
        names = [self._graph.swapped(given, periods_first=False).name for given in inputs]

        def call(*values: Any) -> Any:
            given = dict(zip((id(tensor) for tensor in tensors), values, strict=True))
            return [_evaluated(output, given) for output in outputs]

        signature = [
            tf.TensorSpec(tensor.shape, tensor.dtype, name=f"input_{position}")
            for position, tensor in enumerate(tensors)
        ]
        converted, _ = tf2onnx.convert.from_function(
            tf.function(call, input_signature=signature),
            input_signature=signature,
            opset=_CONVERTER_OPSET,
        )
        order = {value.name: value for value in converted.graph.input}
        inputs_kept = [
            (order[spec.name], name)
            for spec, name in zip(signature, names, strict=True)
            if spec.name in order
        ]
        del converted.graph.input[:]
        converted.graph.input.extend(value for value, _ in inputs_kept)
        made = self._graph.inline(converted.graph, [name for _, name in inputs_kept])
        return [Tensor(name) for name in made]


def _origin(tensor: Any) -> tuple[Any, Any]:
    """Return the operation that made a Keras tensor, and the call of it that did."""
    operation, index, _ = tensor._keras_history  # noqa: SLF001 - Keras has no public name
    return operation, operation._inbound_nodes[index]  # noqa: SLF001


def _edge(tensor: Any, known: Mapping[int, Tensor]) -> list[Any]:
    """List the nearest Keras tensors before `tensor` that are written by hand or known already."""
    found: dict[int, Any] = {}
    pending = list(_origin(tensor)[1].input_tensors)
    while pending:
        one = pending.pop(0)
        operation, node = _origin(one)
        if id(one) in known or isinstance(operation, keras.Model) or type(operation) in _WRITERS:
            found[id(one)] = one
        else:
            pending += node.input_tensors
    return list(found.values())


def _evaluated(tensor: Any, given: dict[int, Any]) -> Any:
    """Compute a Keras tensor from the values of others, id by id."""
    if id(tensor) not in given:
        operation, node = _origin(tensor)
        for one in node.input_tensors:
            _evaluated(one, given)
        args, kwargs = keras.tree.map_structure(
            lambda one: given.get(id(one), one), (node.arguments.args, node.arguments.kwargs)
        )
        made = keras.tree.flatten(operation(*args, **kwargs))
        given |= {id(out): value for out, value in zip(node.output_tensors, made, strict=True)}
    return given[id(tensor)]


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
    return Tensor(graph.add(operator, tensor.name), tensor.periods_first)


def _dense(
    graph: GraphBuilder, layer: Any, inputs: list[Tensor], _arguments: dict[str, Any]
) -> Tensor | None:
    """Write activation(x W + b) over the last axis, whatever the order of the others."""
    operator = _ACTIVATIONS.get(layer.activation.__name__)
    if operator is None:
        return None
    weights = graph.constant(np.asarray(layer.kernel))
    name = graph.add("MatMul", inputs[0].name, weights)
    if layer.use_bias:
        name = graph.add("Add", name, graph.constant(np.asarray(layer.bias)))
    return _activation(graph, operator, Tensor(name, inputs[0].periods_first))


def _lstm(
    graph: GraphBuilder, layer: Any, inputs: list[Tensor], arguments: dict[str, Any]
) -> Tensor | None:
    """Write one LSTM node: Keras orders gates i, f, c, o, ONNX i, o, f, c; it starts from zeros."""
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
    cell = layer.cell

    def gates(weights: Any) -> Any:
        i, f, c, o = np.split(np.asarray(weights), 4, axis=-1)
        return np.concatenate((i, o, f, c), axis=-1)

    bias = gates(cell.bias)
    given = graph.swapped(inputs[0], periods_first=True)
    sequence = graph.add(
        "LSTM",
        given.name,
        graph.constant(gates(cell.kernel).T[None]),
        graph.constant(gates(cell.recurrent_kernel).T[None]),
        graph.constant(np.concatenate((bias, np.zeros_like(bias)))[None]),
        hidden_size=layer.units,
    )
    direction = graph.constant([1])
    return Tensor(graph.add("Squeeze", sequence, direction), periods_first=True)


def _attention(
    graph: GraphBuilder, layer: Any, inputs: list[Tensor], arguments: dict[str, Any]
) -> Tensor | None:
    """Write causal self-attention: one product for queries, keys and values, one `Attention`.

    Before operator set 23, which has it, it is what it says: softmax(Q K' / sqrt(d)) V, where what
    lies later is hidden.
    """
    usual = (
        arguments.get("use_causal_mask")
        and all(
            arguments.get(name) is None for name in ("attention_mask", "query_mask", "value_mask")
        )
        and not arguments.get("return_attention_scores")
        and len({tensor.name for tensor in inputs}) == 1
        and layer.attention_axes in (None, (1,))
        and layer.value_dim == layer.key_dim
        and layer.use_bias
    )
    if not usual:
        return None
    width = layer.num_heads * layer.key_dim
    projections = (layer.query_dense, layer.key_dense, layer.value_dense)
    weights = np.concatenate([np.asarray(one.kernel).reshape(-1, width) for one in projections], 1)
    bias = np.concatenate([np.asarray(one.bias).reshape(width) for one in projections])
    given = graph.swapped(inputs[0], periods_first=False)
    if graph.opset < _ATTENTION_OPSET:  # the scale goes into the queries
        scale = np.ones(3 * width, np.float32)
        scale[:width] = layer.key_dim**-0.5
        weights, bias = weights * scale, bias * scale
    joined = graph.add(
        "Add", graph.add("MatMul", given.name, graph.constant(weights)), graph.constant(bias)
    )
    if graph.opset < _ATTENTION_OPSET:
        attended = _attended(graph, joined, layer.num_heads, layer.key_dim)
    else:
        parts = graph.add_many("Split", joined, graph.constant([width] * 3), outputs=3, axis=2)
        heads = {"q_num_heads": layer.num_heads, "kv_num_heads": layer.num_heads}
        attended = graph.add("Attention", *parts, is_causal=1, **heads)
    out = layer.output_dense
    output = np.asarray(out.kernel).reshape(width, -1)
    projected = graph.add("MatMul", attended, graph.constant(output))
    return Tensor(graph.add("Add", projected, graph.constant(np.asarray(out.bias))))


def _attended(graph: GraphBuilder, joined: str, heads: int, width: int) -> str:
    """Write causal attention over (batch, periods, 3 x heads x width): queries, keys, values."""
    by_head = graph.add("Reshape", joined, graph.constant([0, 0, 3 * heads, width]))
    ahead = graph.add("Transpose", by_head, perm=[0, 2, 1, 3])  # (batch, 3 x heads, periods, width)
    queries, keys, values = graph.add_many(
        "Split", ahead, graph.constant([heads] * 3), outputs=3, axis=1
    )
    scores = graph.add("MatMul", queries, graph.add("Transpose", keys, perm=[0, 1, 3, 2]))
    periods = graph.add("Squeeze", graph.add("Shape", joined, start=1, end=2))
    steps = graph.add("Range", graph.constant(np.int64(0)), periods, graph.constant(np.int64(1)))
    later = graph.add("Greater", steps, graph.add("Unsqueeze", steps, graph.constant([1])))
    shown = graph.add("Where", later, graph.constant(np.float32(_HIDDEN)), scores)
    mixed = graph.add("MatMul", graph.add("Softmax", shown, axis=-1), values)
    together = graph.add("Transpose", mixed, perm=[0, 2, 1, 3])
    return graph.add("Reshape", together, graph.constant([0, 0, heads * width]))


def _sum(
    graph: GraphBuilder, _layer: Any, inputs: list[Tensor], _arguments: dict[str, Any]
) -> Tensor | None:
    if len(inputs) != 2:
        return None
    first = inputs[0].periods_first
    left, right = (graph.swapped(one, periods_first=first) for one in inputs)
    return Tensor(graph.add("Add", left.name, right.name), first)


def _calibrated(
    graph: GraphBuilder, layer: Any, inputs: list[Tensor], _arguments: dict[str, Any]
) -> Tensor:
    """Write slope x logit + offset over as many periods as there are."""
    logits = inputs[0].name
    start, axis = graph.constant([0]), graph.constant([0])
    periods = graph.add("Shape", logits, start=1, end=2)
    slope, offset = (
        graph.add("Slice", graph.constant(np.array(numbers, np.float32)), start, periods, axis)
        for numbers in (layer.slope, layer.offset)
    )
    return Tensor(graph.add("Add", graph.add("Mul", logits, slope), offset))


_ACTIVATIONS = {"linear": "Identity", "relu": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh"}
_WRITERS: Mapping[type, Writer] = {
    keras.layers.Identity: _passed,
    keras.layers.Dropout: _passed,
    keras.layers.Activation: _activated,
    keras.layers.Dense: _dense,
    keras.layers.LSTM: _lstm,
    keras.layers.MultiHeadAttention: _attention,
    keras.layers.Add: _sum,
    Calibrate: _calibrated,
}


def _without_identities(nodes: list[onnx.NodeProto]) -> list[onnx.NodeProto]:
    """Let the last node write the output itself instead of through an `Identity`."""
    *rest, last = nodes
    source, target = last.input[0], last.output[0]
    makers = [node for node in rest if source in node.output]
    readers = [node for node in rest if source in node.input]
    if len(makers) != 1 or readers:
        return nodes
    renamed = [target if name == source else name for name in makers[0].output]
    del makers[0].output[:]
    makers[0].output.extend(renamed)
    return rest
