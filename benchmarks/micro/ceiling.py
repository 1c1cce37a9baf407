"""What the model alone can do in process: the bound that no server can pass.

Three bounds, each looser than the one before: the scorer that answers requests (both graphs), ONNX
Runtime on the risk graph alone, and the processor's arithmetic peak over the graph's weights.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import onnx
from threadpoolctl import threadpool_limits

from benchmarks.students import StudentSource
from records.arrays import Floats
from scoring.bundle.reader import Bundle
from scoring.runtime.providers import Provider, open_session
from scoring.runtime.scorer import Scorer
from scoring.students.intake import Intake

BATCHES = (1, 8, 32, 128, 256, 512, 1024, 4096)
_MATRIX = 512
# Weights that every period multiplies with: operator -> positions of its weight inputs.
_WEIGHTS = {"LSTM": (1, 2), "MatMul": (0, 1), "Gemm": (0, 1)}


@dataclass(frozen=True, slots=True)
class Ceiling:
    """Speed at one batch size, one thread.

    Attributes:
        rows: Students in an execution.
        risk_us: ONNX Runtime on the risk graph, µs an execution.
        scorer_us: `Scorer.score` (risk and score graphs), µs a call.
    """

    rows: int
    risk_us: float
    scorer_us: float

    @property
    def risk_rate(self) -> float:
        """Students a second through ONNX Runtime and the risk graph."""
        return self.rows / self.risk_us * 1e6

    @property
    def scorer_rate(self) -> float:
        """Students a second through the scorer."""
        return self.rows / self.scorer_us * 1e6


@dataclass(frozen=True, slots=True)
class Peak:
    """The arithmetic bound.

    Attributes:
        gflops: Floating-point operations a second of a float32 matrix product, in 10^9.
        flop: Operations that the risk graph's weights cost a student over all periods; activations
            and everything without weights come on top.
    """

    gflops: float
    flop: int

    @property
    def rate(self) -> float:
        """Students a second if nothing but the products took time."""
        return self.gflops * 1e9 / self.flop


def measure_ceiling(
    bundle: Bundle, *, batches: Sequence[int] = BATCHES, seconds: float = 0.5
) -> list[Ceiling]:
    """Time the risk graph and the scorer on complete histories, on one thread of the CPU.

    Args:
        bundle: What is scored.
        batches: Numbers of students in an execution.
        seconds: Time for each figure; the fastest execution counts.
    """
    session = open_session(bundle.risk_graph, Provider.CPU, strict=True, threads=1)
    scorer = Scorer(bundle, provider=Provider.CPU, strict=True, threads=1)
    facts = bundle.manifest.graphs["risk"]
    measured = []
    for rows in batches:
        values = _complete_histories(bundle, rows)
        lengths = np.full(rows, values.shape[1], np.int32)
        risk = partial(session.run, [facts.output], {facts.input: values})
        both = partial(scorer.score, values, lengths)
        measured.append(
            Ceiling(
                rows=rows, risk_us=_fastest_us(risk, seconds), scorer_us=_fastest_us(both, seconds)
            )
        )
    return measured


def measure_peak(bundle: Bundle, *, seconds: float = 0.5) -> Peak:
    """Time a float32 matrix product on one thread, and count what a student costs."""
    matrix = np.random.default_rng(0).random((_MATRIX, _MATRIX), dtype=np.float32)
    with threadpool_limits(1):
        micros = _fastest_us(lambda: matrix @ matrix, seconds)
    flop = weight_operations(bundle.risk_graph, bundle.contract.periods.maximum)
    return Peak(gflops=2 * _MATRIX**3 / micros / 1e3, flop=flop)


def weight_operations(path: Path, periods: int) -> int:
    """Count the floating-point operations of a graph's weights for a history of `periods`.

    A multiplication and an addition for every weight of an LSTM, a dense layer or a projection in
    every period; biases, activations and attention's products of activations are left out.
    """
    graph = onnx.load(path).graph
    sizes = {tensor.name: int(np.prod(tensor.dims)) for tensor in graph.initializer}
    weights = sum(
        sizes.get(node.input[position], 0)
        for node in graph.node
        for position in _WEIGHTS.get(node.op_type, ())
    )
    return 2 * weights * periods


def _complete_histories(bundle: Bundle, rows: int) -> Floats:
    # A few hundred different students, repeated: drawing thousands would take longer than timing.
    source = StudentSource(bundle.contract, complete=True)
    drawn = Intake(bundle.contract).read(source.students(min(rows, 256))).values
    return np.ascontiguousarray(np.resize(drawn, (rows, *drawn.shape[1:])))


def _fastest_us(run: Callable[[], object], seconds: float) -> float:
    run()
    times: list[int] = []
    end = time.perf_counter_ns() + int(seconds * 1e9)
    while (start := time.perf_counter_ns()) < end or not times:
        run()
        times.append(time.perf_counter_ns() - start)
    # The fastest: other work on the machine can only add to the time that the code needs.
    return min(times) / 1e3
