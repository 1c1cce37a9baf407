"""Write the layers that choose or repeat columns without `Gather`.

ONNX Runtime gathers the last axis number by number, which for an encoding of many columns takes
longer than the LSTM behind it. A product with a matrix of zeros and ones gives the same numbers, to
the bit, where none is missing, infinite or not a number: so what is missing is filled in before.
"""

from itertools import pairwise
from typing import Any

import numpy as np
import onnx

from export.graph.builder import Array, GraphBuilder, Layout, Tensor

# More runs of neighbouring columns than this are gathered.
_MOST_RUNS = 4


def write_ramps(
    graph: GraphBuilder, layer: Any, inputs: list[Tensor], _arguments: dict[str, Any]
) -> Tensor | None:
    """Write `QuantileRamps`: what is missing reaches no further than the lowest edge."""
    given = graph.laid_out(inputs[0], Layout.BATCH)
    if given.columns is None or not len(layer.source):
        return None
    lowest = np.zeros(given.columns, np.float32)
    for column, edges in zip(layer.columns, layer.edges, strict=True):
        lowest[column] = edges[0] if edges else 0
    present = graph.add("Where", graph.add("IsNaN", given.name), graph.constant(lowest), given.name)
    chosen = _chosen(graph, present, layer.source, given.columns)
    above = graph.add("Sub", chosen, graph.constant(layer.low))
    share = graph.add("Mul", above, graph.constant(layer.factor))
    ends = (graph.constant(0.0), graph.constant(1.0))
    return Tensor(graph.add("Clip", share, *ends), len(layer.source))


def write_one_hot(
    graph: GraphBuilder, layer: Any, inputs: list[Tensor], _arguments: dict[str, Any]
) -> Tensor | None:
    """Write `OneHot`: what is missing is no level."""
    given = graph.laid_out(inputs[0], Layout.BATCH)
    if given.columns is None:
        return None
    source = np.repeat(np.array(layer.columns, np.int64), layer.levels)
    levels = np.concatenate([np.arange(count, dtype=np.float32) for count in layer.levels])
    missing = graph.add("IsNaN", given.name)
    present = graph.add("Where", missing, graph.constant(-1.0), given.name)
    chosen = _chosen(graph, present, source, given.columns)
    is_level = graph.add("Equal", chosen, graph.constant(levels))
    return Tensor(_as_float(graph, is_level), len(source))


def write_missing(
    graph: GraphBuilder, layer: Any, inputs: list[Tensor], _arguments: dict[str, Any]
) -> Tensor | None:
    """Write `MissingIndicators`."""
    given = graph.laid_out(inputs[0], Layout.BATCH)
    if given.columns is None:
        return None
    missing = Tensor(_as_float(graph, graph.add("IsNaN", given.name)), given.columns)
    return _selected(graph, missing, layer.columns) or Tensor(
        _chosen(graph, missing.name, np.array(layer.columns), given.columns), len(layer.columns)
    )


def write_selection(
    graph: GraphBuilder, layer: Any, inputs: list[Tensor], _arguments: dict[str, Any]
) -> Tensor | None:
    """Write `SelectFeatures` where the columns are few runs of neighbours."""
    return _selected(graph, graph.laid_out(inputs[0], Layout.BATCH), layer.columns)


def _selected(graph: GraphBuilder, given: Tensor, columns: list[int]) -> Tensor | None:
    """Cut runs of neighbouring columns out and join them; None where there are many."""
    breaks = [at for at, (one, two) in enumerate(pairwise(columns), 1) if two != one + 1]
    starts, ends = [0, *breaks], [*breaks, len(columns)]
    if given.columns is None or not columns or len(starts) > _MOST_RUNS:
        return None
    if list(columns) == list(range(given.columns)):
        return given
    axis = graph.constant([2])
    parts = [
        graph.add(
            "Slice",
            given.name,
            graph.constant([columns[start]]),
            graph.constant([columns[end - 1] + 1]),
            axis,
        )
        for start, end in zip(starts, ends, strict=True)
    ]
    name = parts[0] if len(parts) == 1 else graph.add("Concat", *parts, axis=2)
    return Tensor(name, len(columns))


def _chosen(graph: GraphBuilder, name: str, source: Array, columns: int) -> str:
    """Multiply finite numbers by the matrix that has a one where column meets source."""
    chosen = np.zeros((columns, len(source)), np.float32)
    chosen[source, np.arange(len(source))] = 1
    return graph.add("MatMul", name, graph.constant(chosen))


def _as_float(graph: GraphBuilder, name: str) -> str:
    return graph.add("Cast", name, to=onnx.TensorProto.FLOAT)
