"""Run an ONNX Runtime session on (rows, periods, features)."""

from collections.abc import Sequence
from itertools import pairwise
from math import ceil

import numpy as np

from records.arrays import Floats
from scoring.runtime.onnx_runtime import onnxruntime
from scoring.runtime.provider_options import CHUNK, ROW_BUCKETS

# Rows times periods that one thread of a CPU executes at a time: intermediate results then stay in
# its L2 cache. `python -m benchmarks.micro.network_cost` prints what other sizes cost.
PART = 1280
_CPU = ["CPUExecutionProvider"]


class SessionRunner:
    """Run a session with any number of rows, from any thread.

    On one thread of a CPU, many rows of many periods are executed in parts (`PART`).

    Args:
        session: The graph.
        input_name: Of its input.
        output_name: Of its output.

    Attributes:
        rows: Numbers of rows to warm up with: an accelerator allocates and compiles for more
            shapes than a CPU does.
    """

    def __init__(
        self, session: onnxruntime.InferenceSession, input_name: str, output_name: str
    ) -> None:
        self._session = session
        self._input = input_name
        self._outputs = [output_name]
        on_cpu = session.get_providers() == _CPU
        self.rows: Sequence[int] = (1, CHUNK) if on_cpu else ROW_BUCKETS
        self._in_parts = on_cpu and session.get_session_options().intra_op_num_threads == 1

    def run(self, values: Floats) -> Floats:
        """Return the output for (rows, periods, features)."""
        rows, periods = values.shape[:2]
        if not self._in_parts or rows * periods <= PART:
            return self._run(values)
        parts = min(ceil(rows * periods / PART), rows)
        edges = [rows * part // parts for part in range(parts + 1)]
        return np.concatenate([self._run(values[start:end]) for start, end in pairwise(edges)])

    def _run(self, values: Floats) -> Floats:
        output: Floats = self._session.run(self._outputs, {self._input: values})[0]
        return output
