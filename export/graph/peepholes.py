"""Write a few nodes of a finished graph as what ONNX Runtime computes in less time."""

from collections.abc import Mapping

import numpy as np
import onnx

from export.graph.builder import GraphBuilder

_BROADCASTING = frozenset({"Add", "Sub", "Mul", "Where"})
# ONNX Runtime works off a constant row by row: with few columns it starts anew all the time.
_NARROW = 64


def clip(graph: GraphBuilder) -> None:
    """Write each Max(Min(x, high), low) of numbers as one `Clip`."""
    for node in graph.nodes:
        if node.op_type != "Max" or len(node.input) != 2:
            continue
        inner, low = graph.maker(node.input[0]), graph.value(node.input[1])
        if inner is None or inner.op_type != "Min" or len(inner.input) != 2 or low is None:
            continue
        high = graph.value(inner.input[1])
        if high is not None and high.ndim == low.ndim == 0 and low <= high:
            node.op_type = "Clip"
            node.input[:] = [inner.input[0], node.input[1], inner.input[1]]


def join_products(graph: GraphBuilder) -> None:
    """Write products of one tensor with several constant matrices as one, split afterwards."""
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.nodes:
        weights = graph.value(node.input[1]) if node.op_type == "MatMul" else None
        if weights is not None and weights.ndim == 2:
            readers.setdefault(node.input[0], []).append(node)
    for nodes in readers.values():
        if len(nodes) == 1:
            continue
        matrices = [graph.value(node.input[1]) for node in nodes]
        joined = np.concatenate([one for one in matrices if one is not None], axis=1)
        widths = [one.shape[1] for one in matrices if one is not None]
        first, *others = nodes
        outputs = [node.output[0] for node in nodes]
        first.input[1] = graph.constant(joined)
        first.output[0] = f"{outputs[0]}_joined"
        split = onnx.helper.make_node(
            "Split", [first.output[0], graph.constant(widths)], outputs, axis=-1
        )
        graph.nodes[:] = [node for node in graph.nodes if not any(node is one for one in others)]
        at = next(at for at, node in enumerate(graph.nodes) if node is first)
        graph.nodes.insert(at + 1, split)


def spread_over_periods(
    graph: GraphBuilder, shapes: Mapping[str, tuple[str | int | None, ...]]
) -> None:
    """Let constants of one narrow row have a row for each period, where periods come before it.

    The numbers stay the same; ONNX Runtime then goes through a record in one stride.

    Args:
        graph: Nothing is done where it does not know how many periods there can be.
        shapes: Of the tensors; the axis of periods is called 'periods'.
    """
    if graph.longest is None:
        return
    for node in tuple(graph.nodes):
        shape = shapes.get(node.output[0], ())
        if node.op_type not in _BROADCASTING or len(shape) != 3 or shape[1] != "periods":
            continue
        if not any(shapes.get(name) == shape for name in node.input):
            continue
        for place, name in enumerate(node.input):
            row = graph.value(name)
            if row is not None and row.ndim == 1 and row.shape == shape[2:] and len(row) <= _NARROW:
                node.input[place] = graph.by_period(np.tile(row, (graph.longest, 1)))


def shapes_of(model: onnx.ModelProto) -> dict[str, tuple[str | int | None, ...]]:
    """Infer the shapes of a model's tensors: axes by length or name, None where unknown."""
    inferred = onnx.shape_inference.infer_shapes(model).graph
    return {
        value.name: tuple(
            axis.dim_param or (axis.dim_value if axis.HasField("dim_value") else None)
            for axis in value.type.tensor_type.shape.dim
        )
        for value in (*inferred.input, *inferred.value_info, *inferred.output)
    }
