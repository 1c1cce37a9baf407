"""`python -m benchmarks.micro.graph_variants BUNDLE`: what other ways of cutting the graphs would gain.

* One graph with both outputs, run once, instead of two graphs run one after the other.
* The score graph's head at the last recorded period alone, instead of at every period.

Both are made here, checked against the bundle's own graphs, and timed beside them in interleaved
rounds. Neither is what the service runs; docs/performance.md gives the reasons.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import onnx
import typer
from onnx import TensorProto, compose, helper

from benchmarks.command import print_table, run_command
from benchmarks.interleaved import interleaved
from records.arrays import Floats
from scoring.bundle.reader import Bundle, read_bundle
from scoring.runtime.onnx_runtime import onnxruntime

ROWS = (1, 32, 256)
_AT = "last_period"


@dataclass(frozen=True, slots=True)
class Variants:
    """CPU time of one execution over complete histories, µs, medians; one thread.

    Attributes:
        rows: Records of an execution.
        risk: The risk graph.
        score: The score graph.
        both: One after the other.
        merged: One graph with both outputs.
        last: The score graph with its head at the last period alone; None where the graph is not
            of a kind that can be cut so.
    """

    rows: int
    risk: float
    score: float
    both: float
    merged: float
    last: float | None


def measure_variants(
    bundle: Path, *, rows: Sequence[int] = ROWS, seconds: float = 2.0
) -> list[Variants]:
    """Time the graphs of a bundle as they are, in one, and cut short.

    Args:
        bundle: Bundle folder.
        rows: Records of an execution.
        seconds: Wall-clock time for each number of records.

    Raises:
        AssertionError: A variant does not say what the bundle's graphs say.
    """
    opened = read_bundle(bundle)
    risk, score = (onnx.load(str(path)) for path in (opened.risk_graph, opened.score_graph))
    cut = head_at_last_period(score, opened)
    engines = [_session(model) for model in (risk, score, one_graph(risk, score))]
    last = None if cut is None else _session(cut)
    return [_measure(opened, engines, last, number, seconds) for number in rows]


def one_graph(risk: onnx.ModelProto, score: onnx.ModelProto) -> onnx.ModelProto:
    """Put two graphs of one input into one graph with the outputs of both."""
    shared = risk.graph.input[0]
    parts = []
    for prefix, model in (("risk_", risk), ("score_", score)):
        part = compose.add_prefix(model, prefix, rename_outputs=False)
        entry = part.graph.input[0].name
        for node in part.graph.node:
            node.input[:] = [shared.name if name == entry else name for name in node.input]
        parts.append(part.graph)
    graph = helper.make_graph(
        [node for part in parts for node in part.node],
        "both",
        [shared],
        [part.output[0] for part in parts],
        [value for part in parts for value in part.initializer],
    )
    merged = helper.make_model(graph, opset_imports=risk.opset_import, ir_version=risk.ir_version)
    onnx.checker.check_model(merged)
    return merged


def head_at_last_period(score: onnx.ModelProto, bundle: Bundle) -> onnx.ModelProto | None:
    """Compute what follows the last LSTM at one period of each record alone.

    Returns:
        A graph with a second input, (records, 3) period, 0 and record counted from 0, and
        (records, subjects) as output; None where the graph has no LSTM or something after it mixes
        periods.
    """
    nodes = list(score.graph.node)
    states = [at for at, node in enumerate(nodes) if node.op_type == "LSTM"]
    if not states:
        return None
    kept, (state, *_) = nodes[: states[-1] + 1], nodes[states[-1]].output
    kept.append(helper.make_node("GatherND", [state, _AT], ["state"]))
    renamed = {state: "state"}
    for node in nodes[states[-1] + 1 :]:
        if node.op_type in ("Squeeze", "Reshape", "Transpose"):
            renamed[node.output[0]] = renamed.get(node.input[0], node.input[0])
        elif node.op_type in ("Gemm", "MatMul", "Add", "Mul", "Relu", "Clip"):
            copied = onnx.NodeProto()
            copied.CopyFrom(node)
            copied.input[:] = [renamed.get(name, name) for name in node.input]
            kept.append(copied)
        elif node.op_type not in ("Shape", "Concat"):
            return None
    subjects = len(bundle.contract.targets.score.subjects)
    name = renamed.get(score.graph.output[0].name, score.graph.output[0].name)
    graph = helper.make_graph(
        kept,
        "last",
        [score.graph.input[0], helper.make_tensor_value_info(_AT, TensorProto.INT64, [None, 3])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, subjects])],
        list(score.graph.initializer),
    )
    cut = helper.make_model(graph, opset_imports=score.opset_import, ir_version=score.ir_version)
    onnx.checker.check_model(cut)
    return cut


def _session(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def _measure(
    bundle: Bundle,
    engines: Sequence[onnxruntime.InferenceSession],
    last: onnxruntime.InferenceSession | None,
    rows: int,
    seconds: float,
) -> Variants:
    risk, score, merged = engines
    contract, facts = bundle.contract, bundle.manifest.graphs
    periods = contract.periods.maximum
    shape = (rows, periods, len(contract.features))
    values: Floats = np.random.default_rng(0).random(shape).astype(np.float32)
    feeds = {facts["risk"].input: values}
    named = [facts["risk"].output, facts["score"].output]
    places = [np.full(rows, periods - 1), np.zeros(rows, np.int64), np.arange(rows)]
    ends = {_AT: np.stack(places, axis=1)}
    ways: dict[str, Callable[[], Any]] = {
        "risk": lambda: risk.run(named[:1], feeds),
        "score": lambda: score.run(named[1:], feeds),
        "both": lambda: [*risk.run(named[:1], feeds), *score.run(named[1:], feeds)],
        "merged": lambda: merged.run(named, feeds),
    }
    if last is not None:
        ways["last"] = lambda: last.run(None, {**feeds, **ends})
        _agree(ways["last"](), [ways["score"]()[0][:, -1].reshape(rows, -1)])
    _agree(ways["merged"](), ways["both"]())
    medians = interleaved(ways, seconds)
    return Variants(
        rows=rows,
        risk=medians["risk"],
        score=medians["score"],
        both=medians["both"],
        merged=medians["merged"],
        last=medians.get("last"),
    )


def _agree(outputs: Sequence[Floats], expected: Sequence[Floats]) -> None:
    for output, known in zip(outputs, expected, strict=True):
        if not np.allclose(output, known, rtol=1e-5, atol=1e-4):
            raise AssertionError("a variant does not say what the bundle's graphs say")


def main(
    bundle: Annotated[Path, typer.Argument(help="Bundle folder.", exists=True, file_okay=False)],
    *,
    seconds: Annotated[float, typer.Option(help="For each number of records.", min=0.1)] = 5.0,
) -> None:
    """Print what one graph, and a head at the last period alone, would gain."""

    def rows() -> Iterator[list[str]]:
        for at in measure_variants(bundle, seconds=seconds):
            cut = ["-", "-"]
            if at.last is not None:
                cut = [f"{at.last:,.0f}", f"{1 - at.last / at.score:.1%}"]
            figures = (at.risk, at.score, at.both, at.merged)
            gain = f"{1 - at.merged / at.both:.1%}"
            yield [str(at.rows), *(f"{figure:,.0f}" for figure in figures), gain, *cut]

    columns = (
        "records",
        "risk",
        "score",
        "both",
        "in one graph",
        "gain",
        "head at the end",
        "gain",
    )
    print_table("CPU time of an execution, µs (medians)", columns, rows)


if __name__ == "__main__":
    run_command(main)
