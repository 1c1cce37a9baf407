"""Write a Keras model as few ONNX operators: the layers that cost time by hand, the rest converted.

tf2onnx writes what TensorFlow does to compute a layer: an attention is 110 nodes that mostly
compute shapes, a dense layer reshapes to two axes and back, an LSTM fills a tensor with zeros. Here
these layers are the operators that ONNX has for them (`export.graph.layer_writers`), and all other layers
(preprocessing above all) go through tf2onnx one at a time, so that no second implementation of them
exists. The gate proves the result equal to Keras like any other.
"""

from collections.abc import Mapping
from typing import Any

import onnx

from export.backend import keras, tf, tf2onnx
from export.graph.builder import GraphBuilder, Layout, Tensor
from export.graph.layer_writers import WRITERS
from export.graph.peepholes import clip, join_products, shapes_of, spread_over_periods

# What tf2onnx can write; between it and the file's operator set no operator that it uses changed
# its meaning.
_CONVERTER_OPSET = 18


def can_lower(model: keras.Model) -> bool:
    """Whether `lower` keeps what the model computes: masks pass between layers unseen."""
    return not any(
        isinstance(layer, keras.layers.Masking) or getattr(layer, "mask_zero", False)
        for layer in model.layers
    )


def lower(
    model: keras.Model, *, opset: int, input_name: str, longest: int | None = None
) -> onnx.ModelProto:
    """Write a functional model with one input and one output.

    Args:
        model: Without masks (`can_lower`), its tensors (batch, periods[, columns]).
        opset: Operator set of the file. From 23 on it has `Attention`; before, an attention is
            written in products and a softmax.
        input_name: Name of the graph's input.
        longest: Most periods that the graph will be given, and more than that it refuses; None for
            any number, which costs time (`export.graph.attention`, `export.graph.peepholes`).

    Returns:
        The model; its output has the name of the output's layer.
    """
    (given,), (answer,) = model.inputs, model.outputs
    graph = GraphBuilder(opset, input_name, given.shape[1] or longest)
    entry = Tensor(input_name, _columns(given))
    result = graph.laid_out(_Walk(graph).visit(answer, {id(given): entry}), Layout.BATCH)
    name = model.output_names[0]
    named = onnx.helper.make_node("Identity", [result.name], [name])
    graph.nodes[:] = _without_identities([*graph.nodes, named])
    values = [
        onnx.helper.make_tensor_value_info(value, onnx.TensorProto.FLOAT, _axes(tensor))
        for value, tensor in ((input_name, given), (name, answer))
    ]
    clip(graph)
    join_products(graph)
    spread_over_periods(graph, shapes_of(_file(graph, values)))
    return _file(graph, values)


def _file(graph: GraphBuilder, values: list[onnx.ValueInfoProto]) -> onnx.ModelProto:
    return onnx.helper.make_model(
        onnx.helper.make_graph(graph.nodes, "lowered", values[:1], values[1:], graph.constants),
        opset_imports=[onnx.helper.make_opsetid("", graph.opset)],
        ir_version=10,
        producer_version=tf2onnx.__version__,
    )


def _axes(tensor: Any) -> list[int | str]:
    """List lengths of axes, and the names of those that have any length; periods have a name."""
    names = ("batch", "periods")
    return [names[at] if at < len(names) else length for at, length in enumerate(tensor.shape)]


def _columns(tensor: Any) -> int | None:
    """Return the length of the axis of columns; None where there is none."""
    return tensor.shape[2] if len(tensor.shape) > 2 else None


class _Walk:
    """Walk a functional model from its output back to its input, nested models included."""

    def __init__(self, graph: GraphBuilder) -> None:
        self._graph = graph

    def visit(self, tensor: Any, known: dict[int, Tensor]) -> Tensor:
        """Write what computes `tensor`; `known` maps ids of Keras tensors to written ones."""
        if id(tensor) not in known:
            operation, node = _origin(tensor)
            if isinstance(operation, keras.Model) or type(operation) in WRITERS:
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
                id(one): self._graph.laid_out(given, Layout.BATCH)
                for one, given in zip(operation.inputs, inputs, strict=True)
            }
            return [self.visit(output, inner) for output in operation.outputs]
        if (write := WRITERS.get(type(operation))) is not None:
            written = write(self._graph, operation, inputs, node.arguments.kwargs)
            if written is not None:
                return [written]
        return self._converted(node.input_tensors, inputs, node.output_tensors)

    def _converted(
        self, tensors: list[Any], inputs: list[Tensor], outputs: list[Any]
    ) -> list[Tensor]:
        """Let tf2onnx write what computes Keras tensors `outputs` from `tensors`."""
        names = [self._graph.laid_out(given, Layout.BATCH).name for given in inputs]

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
        return [Tensor(name, _columns(tensor)) for name, tensor in zip(made, outputs, strict=True)]


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
        if id(one) in known or isinstance(operation, keras.Model) or type(operation) in WRITERS:
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
