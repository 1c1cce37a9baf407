"""`python -m benchmarks.micro.providers BUNDLE`: every execution provider beside the CPU's.

Runs in any environment that holds ONNX Runtime and what `scoring` needs, so also where the project
is not installed: `onnxruntime-openvino` takes the place of `onnxruntime`, it does not go beside it.
In one process, providers taking turns in every round, so that slow spells of a shared machine fall
on all alike.
"""

import argparse
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np

from benchmarks.machine import describe_machine
from benchmarks.students import StudentSource
from records.arrays import Floats
from records.contract import Contract
from records.errors import BellwetherError
from scoring.bundle.reader import Bundle, read_bundle
from scoring.runtime.onnx_runtime import onnxruntime
from scoring.runtime.provider_options import CHUNK
from scoring.runtime.providers import RUNTIME_NAMES, Provider, ProviderError, open_session
from scoring.runtime.runners import SessionRunner
from scoring.students.intake import Intake

SIZES = (1, 30, CHUNK)
GRAPHS = ("risk", "score")
_BASE = Provider.CPU


@dataclass(frozen=True, slots=True)
class Timed:
    """One provider on one graph.

    Attributes:
        graph: Its name.
        provider: That ran it.
        micros: Rows -> µs an execution, median over the rounds.
        ratios: Rows -> speed, the CPU provider being 1: median of the rounds' ratios.
        difference: Largest difference from the CPU provider, in the output's unit.
    """

    graph: str
    provider: Provider
    micros: dict[int, float]
    ratios: dict[int, float]
    difference: float


def measure_providers(
    bundle: Bundle, *, sizes: Sequence[int] = SIZES, rounds: int = 200
) -> tuple[list[Timed], dict[str, str]]:
    """Time every provider that the installed ONNX Runtime offers, on one thread.

    Args:
        bundle: Whose graphs.
        sizes: Rows of an execution.
        rounds: In each of which every provider runs every size once.

    Returns:
        What was measured, the CPU provider first for each graph; and, by "graph
        provider", why one that is offered could not run.
    """
    offered = [one for one, name in RUNTIME_NAMES.items() if name in _available()]
    measured, missing = [], {}
    for graph in GRAPHS:
        facts = bundle.manifest.graphs[graph]
        runners: dict[Provider, SessionRunner] = {}
        for provider in offered:
            try:
                session = open_session(bundle.graph(graph), provider, strict=True, threads=1)
            except ProviderError as error:
                missing[f"{graph} {provider}"] = str(error)
            else:
                runners[provider] = SessionRunner(session, facts.input, facts.output)
        inputs = {size: _records(bundle.contract, size) for size in sizes}
        measured += _timed(graph, runners, inputs, rounds)
    return measured, missing


def _timed(
    graph: str, runners: dict[Provider, SessionRunner], inputs: dict[int, Floats], rounds: int
) -> list[Timed]:
    differences = dict.fromkeys(runners, 0.0)
    for values in inputs.values():  # which warms them up, too
        expected = runners[_BASE].run(values)
        for way, runner in runners.items():
            apart = float(np.abs(runner.run(values) - expected).max())
            differences[way] = max(differences[way], apart)
    spent: dict[tuple[Provider, int], list[float]] = {
        (way, size): [] for way in runners for size in inputs
    }
    for _ in range(rounds):
        for size, values in inputs.items():
            for way, runner in runners.items():
                runner.run(values)  # or it would pay for what ran before: cold caches, other shapes
                started = perf_counter()
                runner.run(values)
                spent[way, size].append(perf_counter() - started)
    return [
        Timed(
            graph=graph,
            provider=way,
            micros={size: statistics.median(spent[way, size]) * 1e6 for size in inputs},
            ratios={
                size: statistics.median(
                    base / own
                    for base, own in zip(spent[_BASE, size], spent[way, size], strict=True)
                )
                for size in inputs
            },
            difference=differences[way],
        )
        for way in runners
    ]


def _records(contract: Contract, rows: int) -> Floats:
    """Draw complete histories that the contract allows, then one value in ten missing."""
    students = StudentSource(contract, complete=True).students(rows)
    values = np.array(Intake(contract).read(students).values)
    values[np.random.default_rng(rows).random(values.shape) < 0.1] = np.nan
    return values


def _available() -> list[str]:
    return list(onnxruntime.get_available_providers())


def lines(measured: Sequence[Timed]) -> list[str]:
    """Lay the figures out as a table in Markdown."""
    sizes = list(measured[0].micros)
    heads = [f"{size} µs" for size in sizes] + [f"{size} speed" for size in sizes]
    head = ["graph", "provider", *heads, "largest difference"]
    rows = [head, ["---"] * len(head)]
    for one in measured:
        figures = [f"{one.micros[size]:,.0f}" for size in sizes]
        figures += [f"{one.ratios[size]:.2f}" for size in sizes]
        rows.append([one.graph, one.provider.value, *figures, f"{one.difference:.1e}"])
    return [f"| {' | '.join(row)} |" for row in rows]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table, and which providers could not run and why."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.micro.providers", description=__doc__
    )
    parser.add_argument("bundle", type=Path, help="Bundle folder.")
    parser.add_argument("--rounds", type=int, default=200)
    given = parser.parse_args(arguments)
    try:
        bundle = read_bundle(given.bundle)
    except BellwetherError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{describe_machine()}\nONNX Runtime {onnxruntime.__version__}\n\n")
    measured, missing = measure_providers(bundle, rounds=given.rounds)
    sys.stdout.write("\n".join(lines(measured)) + "\n")
    for name, why in missing.items():
        sys.stdout.write(f"\n{name}: {why}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
