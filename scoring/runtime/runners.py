"""Run a graph on (rows, periods, features): plainly, over bound buffers, or on what is faster.

A CPU session is simply run. On a GPU every call would allocate there and copy from memory that is
not its own: `BoundRunner` keeps one pair of buffers for each shape that production runs, so a call
is one copy there, one execution and one copy back. All of it runs on the CPU's memory too.
"""

import logging
import threading
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, inf
from time import perf_counter
from typing import Protocol

import numpy as np

from records.cohort import Floats
from scoring.runtime.onnx_runtime import onnxruntime
from scoring.runtime.provider_options import CHUNK, ROW_BUCKETS

_log = logging.getLogger(__name__)
_ROUNDS = 10

# Rows times periods that one thread of a CPU executes at a time: what is computed between the nodes
# then stays in its L2 cache. `python -m benchmarks.micro.network_cost` prints what other sizes cost.
PART = 1280


class Runner(Protocol):
    """Runs a graph."""

    @property
    def rows(self) -> Sequence[int]:
        """Numbers of rows to warm up with."""
        ...

    @property
    def bound(self) -> bool:
        """Whether it runs over buffers that are bound once."""
        ...

    @property
    def below(self) -> int:
        """Fewer rows than this run on the CPU instead of the accelerator."""
        ...

    def run(self, values: Floats) -> Floats:
        """Return the output for (rows, periods, features)."""
        ...

    def warm_up(self, values: Floats) -> None:
        """Run (rows, periods, features) on whatever may have to."""
        ...

    def settle(self, of_rows: Callable[[int], Floats]) -> None:
        """Measure what only a warm graph can tell.

        Args:
            of_rows: Makes (rows, periods, features).
        """
        ...


class PlainRunner:
    """Runs a session as it is; any number of rows, any thread.

    One thread of a CPU works many rows of many periods off in parts (`PART`).

    Args:
        session: The graph.
        input_name: Of its input.
        output_name: Of its output.
    """

    def __init__(
        self, session: onnxruntime.InferenceSession, input_name: str, output_name: str
    ) -> None:
        self.rows: Sequence[int] = (1, CHUNK)
        self.bound = False
        self.below = 0
        self._session = session
        self._input = input_name
        self._outputs = [output_name]
        threads = session.get_session_options().intra_op_num_threads
        self._in_parts = threads == 1 and session.get_providers() == ["CPUExecutionProvider"]

    def run(self, values: Floats) -> Floats:
        """Return the output for (rows, periods, features)."""
        rows, periods = values.shape[:2]
        if not self._in_parts or rows * periods <= PART:
            return self._run(values)
        parts = min(ceil(rows * periods / PART), rows)
        edges = [rows * part // parts for part in range(parts + 1)]
        return np.concatenate([self._run(values[one:two]) for one, two in pairwise(edges)])

    def _run(self, values: Floats) -> Floats:
        output: Floats = self._session.run(self._outputs, {self._input: values})[0]
        return output

    def warm_up(self, values: Floats) -> None:
        """Run it once."""
        self.run(values)

    def settle(self, of_rows: Callable[[int], Floats]) -> None:
        """Do nothing: there is nothing to choose."""


@dataclass(frozen=True, slots=True)
class _Buffers:
    """Where one shape goes in and comes out."""

    binding: onnxruntime.IOBinding
    entry: onnxruntime.OrtValue
    exit: onnxruntime.OrtValue


class BoundRunner:
    """Runs a session over buffers of its device that are made once for each shape.

    Calls take turns: they share the buffers. Rows are padded with missing values, which changes no
    other row; more rows than the largest bucket are run plainly, and so is everything where the
    device gives no buffers.

    Args:
        session: The graph.
        input_name: Of its input.
        output_name: Of its output.
        device: Memory that its provider works in, as ONNX Runtime names it.
        number: Which of these devices.
        rows: Row buckets, ascending.
    """

    def __init__(
        self,
        session: onnxruntime.InferenceSession,
        input_name: str,
        output_name: str,
        *,
        device: str,
        number: int = 0,
        rows: Sequence[int] = ROW_BUCKETS,
    ) -> None:
        self.rows = rows
        self.bound = True
        self.below = 0
        self._session = session
        self._input = input_name
        self._output = output_name
        self._device = (device, number)
        self._plain = PlainRunner(session, input_name, output_name)
        self._buffers: dict[tuple[int, ...], _Buffers] = {}
        self._turn = threading.Lock()

    def run(self, values: Floats) -> Floats:
        """Return the output for (rows, periods, features)."""
        count = len(values)
        if count > self.rows[-1] or not self.bound:
            return self._plain.run(values)
        bucket = self.rows[bisect_left(self.rows, count)]
        padded = np.full((bucket, *values.shape[1:]), np.nan, np.float32)
        padded[:count] = values
        with self._turn:
            buffers = self._buffers.get(padded.shape) or self._made(padded)
            if buffers is None:
                return self._plain.run(values)
            buffers.entry.update_inplace(padded)
            self._session.run_with_iobinding(buffers.binding)
            output: Floats = np.array(buffers.exit.numpy()[:count])  # the buffer is used again
        return output

    def warm_up(self, values: Floats) -> None:
        """Make the buffers of its shape, and run it once."""
        self.run(values)

    def settle(self, of_rows: Callable[[int], Floats]) -> None:
        """Do nothing: there is nothing to choose."""

    def _made(self, values: Floats) -> _Buffers | None:
        shape = self._plain.run(values).shape
        try:
            entry = onnxruntime.OrtValue.ortvalue_from_numpy(values, *self._device)
            leaving = onnxruntime.OrtValue.ortvalue_from_shape_and_type(
                shape, np.float32, *self._device
            )
            binding = self._session.io_binding()
            binding.bind_ortvalue_input(self._input, entry)
            binding.bind_ortvalue_output(self._output, leaving)
        except (RuntimeError, ValueError) as error:
            self.bound = False
            reason = str(error).splitlines()[0]
            _log.warning("No buffers on %s (%s); graphs run without.", self._device[0], reason)
            return None
        buffers = self._buffers[values.shape] = _Buffers(binding, entry, leaving)
        return buffers


class SplitRunner:
    """Runs few rows on the host and many on the device.

    Args:
        host: Starts at once.
        device: Costs a start, and less for each row.
    """

    def __init__(self, host: Runner, device: Runner) -> None:
        self.rows: Sequence[int] = sorted({*host.rows, *device.rows, *ROW_BUCKETS})
        self.below = 0
        self._host = host
        self._device = device

    @property
    def bound(self) -> bool:
        """Whether the device runs over bound buffers."""
        return self._device.bound

    def run(self, values: Floats) -> Floats:
        """Return the output for (rows, periods, features)."""
        runner = self._host if len(values) < self.below else self._device
        return runner.run(values)

    def warm_up(self, values: Floats) -> None:
        """Run both."""
        self._host.warm_up(values)
        self._device.warm_up(values)

    def settle(self, of_rows: Callable[[int], Floats]) -> None:
        """Measure from how many rows on the device is faster, and let that decide."""
        self.below = crossover(self._host, self._device, of_rows)


def crossover(
    host: Runner,
    device: Runner,
    of_rows: Callable[[int], Floats],
    sizes: Sequence[int] = ROW_BUCKETS,
) -> int:
    """Measure from how many rows on `device` is faster than `host`.

    In every round both run every size, so that who pays for a change of shapes pays here too; the
    fastest run counts, since whatever else a machine does only adds to the time that one takes.

    Args:
        host: Both are warm.
        device: Likewise.
        of_rows: Makes (rows, periods, features).
        sizes: Rows to measure at, ascending.

    Returns:
        The least of `sizes` from which on the device is faster at each; 0 where that is all of
        them, one more than the largest where it is not even faster there.
    """
    inputs = {size: of_rows(size) for size in sizes}
    here, there = (dict.fromkeys(sizes, inf) for _ in range(2))
    for _ in range(_ROUNDS):
        for size, values in inputs.items():
            here[size] = min(here[size], _seconds(host, values))
            there[size] = min(there[size], _seconds(device, values))
    least = sizes[-1] + 1
    for size in reversed(sizes):
        if there[size] >= here[size]:
            return least
        least = size
    return 0


def _seconds(runner: Runner, values: Floats) -> float:
    started = perf_counter()
    runner.run(values)
    return perf_counter() - started
