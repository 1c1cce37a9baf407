"""`python -m benchmarks.micro.run_cost BUNDLE…`: into how many executions to divide histories.

Histories of different lengths run together, padded, or apart, each for the cost of an execution
(`scoring.runtime.scorer.RUN_COST`). Every round scores the same records with each cost in turn, so slow
spells of a shared machine fall on all of them alike.
"""

import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from benchmarks.command import print_table, run_command
from scoring.bundle.reader import read_bundle
from scoring.runtime import scorer
from scoring.runtime.providers import Provider
from scoring.runtime.scorer import CHUNK, Scorer

ROWS = (4, 32, CHUNK)
COSTS = (8, 16, 32, 48, 64, 96, 128, 192, 384)


@dataclass(frozen=True, slots=True)
class RunCosts:
    """Time of scoring records of mixed lengths, by what an execution is reckoned to cost.

    Attributes:
        bundle: Name of the bundle.
        periods: The longest history.
        rows: Records scored at a time.
        microseconds: Cost -> median time of `Scorer.score`, CPU time of one thread.
    """

    bundle: str
    periods: int
    rows: int
    microseconds: dict[int, float]


def measure_run_costs(
    bundle: Path,
    *,
    rows: int,
    costs: Sequence[int] = COSTS,
    seconds: float = 2.0,
    seed: int = 0,
) -> RunCosts:
    """Score records whose histories end anywhere, with each cost in turn.

    Args:
        bundle: Bundle folder.
        rows: Records at a time.
        costs: What an execution is reckoned to cost, in padded periods.
        seconds: Wall-clock time for all of them together.
        seed: Of the lengths and values.
    """
    opened = read_bundle(bundle)
    engine = Scorer(opened, provider=Provider.CPU, strict=True, threads=1)
    contract = opened.contract
    generator = np.random.default_rng(seed)
    shape = (rows, contract.periods.maximum, len(contract.features))
    values = generator.random(shape).astype(np.float32)
    spent: dict[int, list[float]] = {cost: [] for cost in costs}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or not spent[costs[-1]]:
        lengths = generator.integers(1, shape[1] + 1, rows).astype(np.int32)
        for cost in costs:
            with _reckoned(cost):
                start = time.thread_time_ns()
                engine.score(values, lengths)
                spent[cost].append((time.thread_time_ns() - start) / 1e3)
    medians = {cost: statistics.median(times) for cost, times in spent.items()}
    return RunCosts(opened.manifest.name, shape[1], rows, medians)


@contextmanager
def _reckoned(cost: int) -> Iterator[None]:
    usual = scorer.RUN_COST
    scorer.RUN_COST = cost
    try:
        yield
    finally:
        scorer.RUN_COST = usual


def main(
    bundles: Annotated[list[Path], typer.Argument(help="Bundle folders.", exists=True)],
    *,
    seconds: Annotated[float, typer.Option(help="For each size.", min=0.1)] = 5.0,
) -> None:
    """Print the time of scoring mixed histories, relative to the cost in use."""

    def figures() -> Iterator[list[str]]:
        for bundle in bundles:
            for rows in ROWS:
                found = measure_run_costs(bundle, rows=rows, seconds=seconds)
                usual = found.microseconds[scorer.RUN_COST]
                yield [
                    *(found.bundle, str(found.periods), str(found.rows), f"{usual:,.0f}"),
                    *(f"{found.microseconds[cost] / usual:.2f}" for cost in COSTS),
                ]

    title = f"Scoring histories of any length by the cost of an execution; {scorer.RUN_COST} is 1"
    print_table(title, ("bundle", "periods", "records", "µs", *map(str, COSTS)), figures)


if __name__ == "__main__":
    run_command(main)
