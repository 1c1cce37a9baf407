"""Bounds are measured on real graphs, and the arithmetic is counted right."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from benchmarks.micro.ceiling import measure_ceiling, measure_peak, weight_operations
from scoring.bundle.reader import read_bundle


def test_every_weight_costs_two_operations_in_every_period(tmp_path: Path) -> None:
    shapes = {"w": (1, 256, 5), "r": (1, 256, 64), "bias": (1, 512), "dense": (64, 1)}
    weights = [
        numpy_helper.from_array(np.zeros(shape, np.float32), name) for name, shape in shapes.items()
    ]
    nodes = [
        helper.make_node("LSTM", ["values", "w", "r", "bias"], ["steps"], hidden_size=64),
        helper.make_node("MatMul", ["steps", "dense"], ["risk"]),
    ]
    values = helper.make_tensor_value_info("values", TensorProto.FLOAT, [8, 1, 5])
    risk = helper.make_tensor_value_info("risk", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "graph", [values], [risk], weights)
    path = tmp_path / "graph.onnx"
    onnx.save(helper.make_model(graph), path)
    assert weight_operations(path, periods=8) == 2 * 8 * (256 * 5 + 256 * 64 + 64)


def test_the_scorer_stays_below_the_graph_and_the_graph_below_arithmetic(bundle_dir: Path) -> None:
    bundle = read_bundle(bundle_dir)
    measured = measure_ceiling(bundle, batches=(1, 256), seconds=0.2)
    peak = measure_peak(bundle, seconds=0.2)
    assert [at.rows for at in measured] == [1, 256]
    for at in measured:
        assert at.scorer_rate < at.risk_rate
        assert at.risk_rate < peak.rate
    # A batch is worth having.
    assert measured[1].risk_rate > 2 * measured[0].risk_rate
