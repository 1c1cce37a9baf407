"""Write causal self-attention (Vaswani et al. 2017, "Attention is all you need", equation 1).

Three forms of the same, and the cheapest that can be had is taken:

* Folded, where the input has few columns: queries, keys and values are linear in it, so that their
  weights multiply to one matrix for each head before anything is served. The heads of a record are
  then rows of one product with the record itself, instead of a product for each head.
* The operator `Attention`, for wide inputs.
* Products and a softmax, where the operator set has no `Attention`.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from export.graph.builder import Array, GraphBuilder, Layout, Tensor

_ATTENTION_OPSET = 23
# Score of a step that is hidden; finite, so that no product with it is NaN.
_HIDDEN = -1e30
# `python -m benchmarks.micro.network_cost`: up to twice the columns of a head, folded is quicker.
_FOLDED_COLUMNS = 2


@dataclass(frozen=True, eq=False)
class _Weights:
    """A layer's weights, float64.

    Attributes:
        queries: (columns, heads, size); likewise `keys` and `values`.
        query_bias: (heads, size); likewise `key_bias` and `value_bias`.
        output: (heads, size, outputs).
        output_bias: (outputs,).
    """

    queries: Array
    keys: Array
    values: Array
    query_bias: Array
    key_bias: Array
    value_bias: Array
    output: Array
    output_bias: Array

    @classmethod
    def of(cls, layer: Any) -> Self:
        dense = (layer.query_dense, layer.key_dense, layer.value_dense)
        last = layer.output_dense
        arrays = (*(one.kernel for one in dense), *(one.bias for one in dense), last.kernel)
        return cls(*(np.asarray(one, np.float64) for one in (*arrays, last.bias)))


def write_attention(
    graph: GraphBuilder, layer: Any, inputs: list[Tensor], arguments: dict[str, Any]
) -> Tensor | None:
    """Write a `MultiHeadAttention` of a tensor to itself; None where it is another kind."""
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
    weights = _Weights.of(layer)
    given = graph.laid_out(inputs[0], Layout.BATCH).name
    columns, _, size = weights.queries.shape
    if graph.longest is not None and columns <= _FOLDED_COLUMNS * size:
        name = _folded(graph, weights, given, graph.longest)
    else:
        name = _by_head(graph, weights, given)
    return Tensor(name, len(weights.output_bias))


def _folded(graph: GraphBuilder, weights: _Weights, given: str, longest: int) -> str:
    """Write the form in which a head's scores are x A x' + c x', and its output (p x) O.

    Q K' = (x Wq + bq)(x Wk + bk)' = x (Wq Wk') x' + (bq Wk') x' + what is equal for all keys, which
    a softmax does not see; and P (x Wv + bv) Wo = (P x)(Wv Wo) + bv Wo, as rows of P sum to 1.
    """
    columns, heads, size = weights.queries.shape
    scale = size**-0.5
    into = np.einsum("ahd,bhd->ahb", weights.queries, weights.keys) * scale
    bias = np.einsum("hd,bhd->hb", weights.query_bias, weights.keys) * scale
    out = np.einsum("ahd,hdo->hao", weights.values, weights.output)
    width = heads * columns
    turned = graph.add("MatMul", given, graph.constant(into.reshape(columns, width)))
    turned = graph.add("Add", turned, graph.constant(bias.reshape(width)))
    # (batch, periods x heads, columns), the heads of a period one after the other
    rows = _reshaped(graph, turned, columns, heads)
    scores = graph.add("MatMul", rows, graph.add("Transpose", given, perm=[0, 2, 1]))
    later = np.triu(np.full((longest, longest), _HIDDEN), k=1).repeat(heads, axis=0)
    ends = graph.add("Shape", scores, start=1)
    mask = graph.add("Slice", graph.constant(later), graph.constant([0, 0]), ends)
    shares = graph.add("Softmax", graph.add("Add", scores, mask), axis=-1)
    mixed = graph.add("MatMul", shares, given)
    together = _reshaped(graph, mixed, width, heads)
    projected = graph.add("MatMul", together, graph.constant(out.reshape(width, -1)))
    offset = weights.output_bias + np.einsum("hd,hdo->o", weights.value_bias, weights.output)
    return graph.add("Add", projected, graph.constant(offset))


def _reshaped(graph: GraphBuilder, name: str, columns: int, heads: int) -> str:
    """Write as rows of so many columns; of one head they are that already."""
    return name if heads == 1 else graph.add("Reshape", name, graph.constant([0, -1, columns]))


def _by_head(graph: GraphBuilder, weights: _Weights, given: str) -> str:
    """Write one product for queries, keys and values, and what attends for each head."""
    _, heads, size = weights.queries.shape
    width = heads * size
    operator = graph.opset >= _ATTENTION_OPSET
    scale = 1.0 if operator else size**-0.5  # goes into the queries
    kernels = (weights.queries * scale, weights.keys, weights.values)
    biases = (weights.query_bias * scale, weights.key_bias, weights.value_bias)
    kernel = np.concatenate([one.reshape(-1, width) for one in kernels], axis=1)
    bias = np.concatenate([one.reshape(width) for one in biases])
    joined = graph.add("MatMul", given, graph.constant(kernel))
    joined = graph.add("Add", joined, graph.constant(bias))
    if operator:
        parts = graph.add_many("Split", joined, graph.constant([width] * 3), outputs=3, axis=2)
        counts = {"q_num_heads": heads, "kv_num_heads": heads}
        attended = graph.add("Attention", *parts, is_causal=1, **counts)
    else:
        attended = _in_products(graph, joined, heads, size)
    projected = graph.add("MatMul", attended, graph.constant(weights.output.reshape(width, -1)))
    return graph.add("Add", projected, graph.constant(weights.output_bias))


def _in_products(graph: GraphBuilder, joined: str, heads: int, size: int) -> str:
    """Write softmax(Q K') V over (batch, periods, 3 x heads x size): queries, keys, values."""
    by_head = graph.add("Reshape", joined, graph.constant([0, 0, 3 * heads, size]))
    ahead = graph.add("Transpose", by_head, perm=[0, 2, 1, 3])  # (batch, 3 x heads, periods, size)
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
    return graph.add("Reshape", together, graph.constant([0, 0, heads * size]))
