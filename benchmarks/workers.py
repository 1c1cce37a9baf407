"""`python -m benchmarks.workers BUNDLE`: what a second worker brings, in interleaved rounds.

The load generator needs a core too: classes and cohorts are sent, whose answers cost the service
far more than `wrk`, and the share of a core that it used is printed beside the ratio; so is how
many connections each worker had halfway through every round.
"""

import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.command import run_command
from benchmarks.load.closed_loop import Closed, client_name, drive
from benchmarks.load.sweep import PATH
from benchmarks.machine import describe_machine
from benchmarks.server import RunningServer, bellwether, running
from benchmarks.students import StudentSource
from records.contract import Contract
from scoring.bundle.reader import read_bundle

# Students in a request, requests under way at once.
SCENARIOS = ((30, 32), (256, 8))
_VARIANTS = 16

Scenario = tuple[int, int]
# Scenario and number of workers -> what each round saw.
Seen = dict[tuple[Scenario, int], list[Closed]]
# Scenario -> connections that each worker had, for each round.
Splits = dict[Scenario, list[tuple[int, ...]]]


@dataclass(frozen=True, slots=True)
class Course:
    """What is the same in every round.

    Attributes:
        bundle: Bundle folder.
        contract: Its contract.
        seconds: Length of each scenario.
        out: Folder for the server's log.
    """

    bundle: Path
    contract: Contract
    seconds: float
    out: Path


def measure(course: Course, *, workers: int, rounds: int) -> tuple[Seen, Splits, float]:
    """Serve with one worker and with `workers`, in turn.

    Returns:
        What was seen; how connections fell on several workers; and the MiB that each of several
        workers held, at most.
    """
    seen: Seen = {}
    splits: Splits = {}
    held = 0.0
    for _ in range(rounds):
        for count in (1, workers):
            launch = bellwether(course.bundle, workers=count)
            with running(launch, log=course.out / "workers.log") as server:
                server.await_workers(count)
                for scenario in SCENARIOS:
                    closed, split = _drive(course, server, scenario, count)
                    seen.setdefault((scenario, count), []).append(closed)
                    if count > 1:
                        splits.setdefault(scenario, []).append(split)
                if count > 1:
                    held = max(held, server.memory() / count)
    return seen, splits, held


def _drive(
    course: Course, server: RunningServer, scenario: Scenario, workers: int
) -> tuple[Closed, tuple[int, ...]]:
    students, in_parallel = scenario
    bodies = StudentSource(course.contract).bodies(students, _VARIANTS)

    def look_halfway() -> tuple[int, ...]:
        time.sleep(course.seconds / 2)
        return server.connections(workers)

    with ThreadPoolExecutor(1) as beside:
        split = beside.submit(look_halfway)
        closed = drive(
            server.port,
            PATH,
            bodies,
            in_parallel=in_parallel,
            seconds=course.seconds,
            core=None,
        )
        return closed, split.result()


def main(
    bundle: Annotated[Path, typer.Argument(help="Bundle folder.", exists=True, file_okay=False)],
    *,
    workers: Annotated[int, typer.Option(help="To compare with one.", min=2)] = 2,
    rounds: Annotated[int, typer.Option(help="Interleaved.", min=1)] = 3,
    seconds: Annotated[float, typer.Option(help="Length of each scenario.", min=1)] = 5.0,
    out: Annotated[Path, typer.Option(help="Folder for the server's log.")] = Path("out/workers"),
) -> None:
    """Compare one worker with several; nothing is pinned."""
    console = Console(width=120)
    console.print(describe_machine())
    console.print(f"Unpinned; closed loops by {client_name()}.")
    course = Course(bundle, read_bundle(bundle).contract, seconds, out)
    with console.status("Serving …"):
        seen, splits, held = measure(course, workers=workers, rounds=rounds)
    table = Table(title=f"Workers, medians of {rounds} rounds", title_justify="left")
    table.add_column("students a request, in parallel")
    for name in ("1 worker, students/s", f"{workers} workers", "ratio"):
        table.add_column(name, justify="right")
    for name in ("connections", "client CPU", "failed"):
        table.add_column(name, justify="right")
    for scenario in SCENARIOS:
        one, several = seen[scenario, 1], seen[scenario, workers]
        ratios = [many.goodput / single.goodput for single, many in zip(one, several, strict=True)]
        rate = [statistics.median(each.goodput for each in them) for them in (one, several)]
        table.add_row(
            f"{scenario[0]}, {scenario[1]}",
            *(f"{each * scenario[0]:,.0f}" for each in rate),
            f"{statistics.median(ratios):.2f}",
            ", ".join(":".join(map(str, split)) for split in splits[scenario]),
            f"{statistics.median(each.client_cpu for each in several):.0%}",
            f"{sum(each.other for each in (*one, *several)):,.0f}",
        )
    console.print(table)
    console.print(
        f"Each of {workers} workers held at most {held:,.0f} MiB, the supervisor's share added."
    )


if __name__ == "__main__":
    run_command(main)
