"""`python -m benchmarks.micro.model_process BUNDLE`: what it costs to have the model in another process.

The same records are scored here and in a model process (`scoring.remote.server`), block by block in
turns, on the CPU: processor time, of both processes where there are two, since that is what a call
takes from others, and a busy machine leaves it as it is. Then several feeders ask at once, as web
workers do, and the process joins their records.
"""

import argparse
import os
import statistics
import sys
import tempfile
import threading
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
import psutil

from benchmarks.machine import describe_machine
from benchmarks.students import StudentSource
from records.cohort import Floats
from records.errors import BellwetherError
from scoring.bundle.reader import Bundle, read_bundle
from scoring.remote.client import SharedScorer
from scoring.remote.server import Life, ModelOptions
from scoring.runtime.provider_options import CHUNK
from scoring.runtime.providers import Provider
from scoring.runtime.scorer import AnyScorer, Scorer
from scoring.students.intake import Intake

SIZES = (1, 30, CHUNK)
FEEDERS = (1, 4, 16)
_BLOCKS = 5


@dataclass(frozen=True, slots=True)
class Cost:
    """One call, both graphs.

    Attributes:
        rows: Records in it.
        own: Processor µs with the sessions in this process, median of the blocks.
        shared: Likewise with them in the model process, of both processes.
    """

    rows: int
    own: float
    shared: float


@dataclass(frozen=True, slots=True)
class Joined:
    """Single records from several feeders at once, each asking anew as soon as it is answered.

    Attributes:
        feeders: Threads that ask.
        rate: Records a second.
        rows: Records of an execution, mean.
    """

    feeders: int
    rate: float
    rows: float


def measure(
    bundle: Path, *, sizes: Sequence[int] = SIZES, seconds: float = 0.5
) -> tuple[list[Cost], list[Joined]]:
    """Time calls here and there, then several feeders at once.

    Args:
        bundle: Its folder.
        sizes: Records of a call.
        seconds: For each block of calls, and each number of feeders.
    """
    options = ModelOptions(bundle=str(bundle), provider=Provider.CPU, threads=1)
    own = options.load()
    with tempfile.TemporaryDirectory() as folder:
        shared = SharedScorer(Path(folder) / "meet", options, Life(owner=os.getpid(), linger=0.2))
        with closing(shared):
            inputs = {size: _records(own.bundle, size) for size in sizes}
            costs = [_cost(own, shared, values, seconds) for values in inputs.values()]
            joined = [_joined(shared, inputs[sizes[0]], number, seconds) for number in FEEDERS]
    return costs, joined


def _cost(own: Scorer, shared: SharedScorer, values: Floats, seconds: float) -> Cost:
    other = psutil.Process(shared.process)
    here, there = [], []
    for _ in range(_BLOCKS):
        here.append(_block(own, values, seconds, other))
        there.append(_block(shared, values, seconds, other))
    return Cost(len(values), statistics.median(here) * 1e6, statistics.median(there) * 1e6)


def _block(scorer: AnyScorer, values: Floats, seconds: float, other: psutil.Process) -> float:
    """Return processor seconds a call, of this process and the other one."""
    lengths = np.full(len(values), values.shape[1], np.int32)

    def used() -> float:
        there = other.cpu_times()
        return process_time() + float(there.user) + float(there.system)

    before, calls, end = used(), 0, perf_counter() + seconds
    while perf_counter() < end:
        scorer.score(values, lengths)
        calls += 1
    return (used() - before) / calls


def _joined(shared: AnyScorer, values: Floats, feeders: int, seconds: float) -> Joined:
    lengths = np.full(len(values), values.shape[1], np.int32)
    executions: list[int] = []
    end = perf_counter() + seconds

    def feed() -> None:
        while perf_counter() < end:
            executions.extend(shared.score(values, lengths).executions)

    crowd = [threading.Thread(target=feed) for _ in range(feeders)]
    started = perf_counter()
    for one in crowd:
        one.start()
    for one in crowd:
        one.join()
    records = sum(executions)
    return Joined(feeders, records / (perf_counter() - started), records / len(executions))


def _records(bundle: Bundle, rows: int) -> Floats:
    students = StudentSource(bundle.contract, complete=True).students(rows)
    return Intake(bundle.contract).read(students).values


def lines(costs: Sequence[Cost], joined: Sequence[Joined]) -> list[str]:
    """Lay the figures out as two tables in Markdown."""
    rows = [
        ["records a call", "own, CPU µs", "shared, CPU µs", "shared / own"],
        ["---"] * 4,
        *(
            [str(c.rows), f"{c.own:,.0f}", f"{c.shared:,.0f}", f"{c.shared / c.own:.2f}"]
            for c in costs
        ),
        [],
        ["feeders of single records", "records/s", "records an execution"],
        ["---"] * 3,
        *([str(j.feeders), f"{j.rate:,.0f}", f"{j.rows:.1f}"] for j in joined),
    ]
    return [f"| {' | '.join(row)} |" if row else "" for row in rows]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print both tables."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.micro.model_process", description=__doc__
    )
    parser.add_argument("bundle", type=Path, help="Bundle folder.")
    parser.add_argument("--seconds", type=float, default=0.5, help="For each figure's block.")
    given = parser.parse_args(arguments)
    try:
        read_bundle(given.bundle)
        measured = measure(given.bundle, seconds=given.seconds)
    except BellwetherError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{describe_machine()}\n\n" + "\n".join(lines(*measured)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
