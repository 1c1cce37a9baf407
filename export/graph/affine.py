"""Move factors and offsets into weights that are there already.

Nothing written is changed: what is moved is written anew beside it, and what nothing reads any more
is dropped when the graph is put in order.
"""

import numpy as np
import onnx

from export.graph.builder import Array, GraphBuilder


def scaled(graph: GraphBuilder, name: str, factor: Array, offset: Array) -> str:
    """Write a tensor times `factor` plus `offset`, into the weights that make it where they do.

    Args:
        graph: Graph under construction.
        name: Of a tensor (..., columns).
        factor: (columns,) float64.
        offset: The same.

    Returns:
        Name of the product.
    """
    node = graph.maker(name)
    kind = "" if node is None else node.op_type
    if node is not None and name in graph.moved:
        return _same(graph, node, scaled(graph, node.input[0], factor, offset))
    if node is not None and kind in ("MatMul", "Gemm"):
        made = _scaled_product(graph, node, factor, offset)
        if made is not None:
            return made
    if node is not None and kind == "Add":
        left, right = node.input
        bias = graph.value(right)
        if bias is None:
            zero = np.zeros_like(offset)
            right = scaled(graph, right, factor, zero)
            return graph.add("Add", scaled(graph, left, factor, offset), right)
        if bias.shape == factor.shape:
            return scaled(graph, left, factor, bias * factor + offset)
    multiplied = name if (factor == 1).all() else graph.add("Mul", name, graph.constant(factor))
    return _plus(graph, multiplied, offset)


def without_bias(graph: GraphBuilder, name: str) -> tuple[str, Array | None]:
    """Find what a constant was added to, one number for each column.

    Returns:
        A tensor, and what is to be added to it along the last axis to get the one named `name`;
        None where nothing was added.
    """
    node = graph.maker(name)
    if node is None:
        return name, None
    if name in graph.moved:
        bare, bias = without_bias(graph, node.input[0])
        return (name, None) if bias is None else (_same(graph, node, bare), bias)
    bias = graph.value(node.input[1]) if node.op_type == "Add" else None
    return (name, None) if bias is None or bias.ndim != 1 else (node.input[0], bias)


def _scaled_product(
    graph: GraphBuilder, node: onnx.NodeProto, factor: Array, offset: Array
) -> str | None:
    given, weights, *bias = node.input
    numbers = graph.value(weights)
    if numbers is None or numbers.ndim != 2 or numbers.shape[-1] != len(factor):
        return None
    wanted = graph.constant(numbers * factor)
    if node.op_type == "MatMul":
        return _plus(graph, graph.add("MatMul", given, wanted), offset)
    known = graph.value(bias[0]) if bias else None
    if bias and known is None:
        return None
    total = offset if known is None else known * factor + offset
    return graph.add("Gemm", given, wanted, graph.constant(total))


def _plus(graph: GraphBuilder, name: str, offset: Array) -> str:
    return graph.add("Add", name, graph.constant(offset)) if offset.any() else name


def _same(graph: GraphBuilder, node: onnx.NodeProto, given: str) -> str:
    """Write what moves a tensor again, for another one."""
    attributes = {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}
    made = graph.add(node.op_type, given, *list(node.input)[1:], **attributes)
    graph.moved.add(made)
    return made
