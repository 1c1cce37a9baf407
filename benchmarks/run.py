"""`python -m benchmarks.run BUNDLE`: ceiling, latency against load, cohorts, Locust's profiles."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.bulk import measure_bulk
from benchmarks.command import run_command
from benchmarks.cores import Cores, choose_cores, pinned
from benchmarks.load.closed_loop import client_name, drive
from benchmarks.load.load_test import LoadTest, run_profile
from benchmarks.load.profiles import Profile
from benchmarks.load.sweep import LOADS, PATH, Point, plot, sweep, write_csv
from benchmarks.machine import describe_machine
from benchmarks.micro.ceiling import Ceiling, Peak, measure_ceiling, measure_peak
from benchmarks.micro.memory import MemoryCourse
from benchmarks.server import RunningServer, bellwether, running
from benchmarks.students import StudentSource
from records.contract import Contract
from scoring.bundle.reader import read_bundle

console = Console(width=120)
# Students in a request, requests under way at once.
_CLOSED = ((1, 1), (1, 32), (1, 128), (30, 32), (256, 8), (1024, 4), (30, 1500))
_VARIANTS = 32
_COHORT_SECONDS = 1.0
_MINUTE = 60.0
_CLASS = 30
# Beyond the capacity the open loop, a Python program on one core, would measure itself: overload in
# classes is offered by the closed loop of 1,500 connections, which ask again as soon as refused.
_CLASS_LOADS = (0.25, 0.5, 0.7, 0.8, 0.9)


def main(
    bundle: Annotated[Path, typer.Argument(help="Bundle folder.", exists=True, file_okay=False)],
    *,
    seconds: Annotated[float, typer.Option(help="Length of each load of the sweep.", min=1)] = 5.0,
    profile_seconds: Annotated[float, typer.Option(help="Length of each profile.", min=2)] = 20.0,
    profiles: Annotated[list[Profile] | None, typer.Option("--profile", help="Which ones.")] = None,
    peak: Annotated[int, typer.Option(help="Highest rate of the profiles, 1/s.", min=1)] = 100,
    deadline: Annotated[float, typer.Option(help="Seconds; later is no goodput.")] = 0.25,
    out: Annotated[Path, typer.Option(help="Folder for results.")] = Path("out/bench"),
) -> None:
    """Measure the scorer and the service: one worker on one core, load from another."""
    loaded, cores = read_bundle(bundle), choose_cores()
    out.mkdir(parents=True, exist_ok=True)
    console.print(describe_machine())
    where = "unpinned" if cores.server is None else f"core {cores.server}, client {cores.client}"
    console.print(f"Server on {where}; closed loops by {client_name()}.")
    table = _new_table()
    with console.status("In process …"), pinned(cores.server):
        _add_ceiling(table, measure_ceiling(loaded), measure_peak(loaded))
    with running(bellwether(bundle), log=out / "server.log", core=cores.server) as server:
        with console.status("Closed loops …"):
            held = server.memory()
            capacity = _closed_loops(table, server, loaded.contract, seconds, cores)
        with console.status("Sweep …"):
            for students, loads in ((1, LOADS), (_CLASS, _CLASS_LOADS)):
                points = sweep(
                    server,
                    StudentSource(loaded.contract).bodies(students, _VARIANTS),
                    capacity[students],
                    loads=loads,
                    seconds=seconds,
                    deadline=deadline,
                    cores=cores,
                )
                _add_sweep(table, points, students)
                name = "sweep" if students == 1 else "sweep-classes"
                write_csv(points, out / f"{name}.csv")
                plot(points, out / f"{name}.svg")
        with console.status("Whole cohorts …"):
            cohorts = measure_bulk(
                bundle, server.port, cores, seconds=min(seconds, _COHORT_SECONDS)
            )
        tests = []
        for profile in profiles or list(Profile):
            with console.status(f"Locust: {profile} …"):
                tests.append(
                    run_profile(
                        server, profile, seconds=profile_seconds, peak=peak, out=out, cores=cores
                    )
                )
        _add_profiles(table, tests)
        memory = server.memory()
    table.caption = (
        f"{table.caption}. "
        "Closed loops do not tell refusals from failures: both are under 'failed'."
    )
    console.print(table)
    console.print(cohorts)
    console.print(
        f"The server's processes held {held:,.0f} MiB when ready, {memory:,.0f} at the end."
    )
    for test in tests:
        if test.profile is Profile.SOAK:
            console.print(_memory_table(test.memory))
            console.print(_verdict(test.memory))
    console.print(f"Plot, CSV and Locust's reports: {out}")
    if not all(test.met for test in tests):
        for test in tests:
            for line in test.not_met:
                console.print(f"[red]{test.profile}: {line}[/]")
        raise typer.Exit(1)


def _new_table() -> Table:
    table = Table(title="Bellwether", title_justify="left")
    table.add_column("measurement")
    for name in ("requests/s", "students/s", "p50 ms", "p99 ms", "refused", "failed"):
        table.add_column(name, justify="right")
    return table


def _add_ceiling(table: Table, ceilings: Sequence[Ceiling], peak: Peak) -> None:
    for at in ceilings:
        name = f"in process, {at.rows:,} a run"
        table.add_row(
            f"{name}: ONNX Runtime, risk", "", f"{at.risk_rate:,.0f}", f"{at.risk_us / 1e3:.3f}"
        )
        table.add_row(
            f"{name}: Scorer, risk + score",
            "",
            f"{at.scorer_rate:,.0f}",
            f"{at.scorer_us / 1e3:.3f}",
        )
    table.add_row(
        f"arithmetic: {peak.gflops:.0f} GFLOP/s, {peak.flop:,} FLOP a student (risk)",
        "",
        f"{peak.rate:,.0f}",
        end_section=True,
    )


def _closed_loops(
    table: Table, server: RunningServer, contract: Contract, seconds: float, cores: Cores
) -> dict[int, float]:
    """Add the closed loops to the table; return requests/s at 32 in parallel, by their students."""
    source, capacity = StudentSource(contract), {}
    for students, in_parallel in _CLOSED:
        bodies = source.bodies(students, _VARIANTS if students < 512 else 4)
        seen = drive(
            server.port, PATH, bodies, in_parallel=in_parallel, seconds=seconds, core=cores.client
        )
        if in_parallel == 32:
            capacity[students] = seen.goodput
        table.add_row(
            f"closed loop: {students:,} a request, {in_parallel} in parallel",
            f"{seen.goodput:,.0f}",
            f"{seen.goodput * students:,.0f}",
            f"{seen.p50:.2f}",
            f"{seen.p99:.2f}",
            *("", f"{seen.other / ((seen.goodput + seen.other) or 1.0):.1%}"),
            end_section=(students, in_parallel) == _CLOSED[-1],
        )
    return capacity


def _add_sweep(table: Table, points: Sequence[Point], students: int) -> None:
    lag = max(point.summary.lag_p99 for point in points)
    for point in points:
        seen = point.summary
        table.add_row(
            f"open loop, {students} a request: {point.load:.0%} of capacity, "
            f"{point.rate:,.0f}/s offered",
            f"{seen.goodput:,.0f}",
            f"{seen.goodput * students:,.0f}",
            f"{seen.p50:.2f}",
            f"{seen.p99:.2f}",
            f"{seen.refused:.1%}",
            f"{seen.failed + seen.unanswered:.1%}",
            end_section=point is points[-1],
        )
    table.caption = (
        f"{table.caption or 'Open loops sent 99% of their requests at most'}"
        f"{',' if table.caption else ''} {lag:.2f} ms late ({students} a request)"
    )


def _add_profiles(table: Table, tests: Sequence[LoadTest]) -> None:
    for test in tests:
        for name, kind in test.figures["accepted"].items():
            table.add_row(
                f"Locust, {test.profile}: {name}",
                f"{kind['requests'] / test.figures['seconds']:,.1f}",
                "",
                f"{kind['p50']:,.0f}",
                f"{kind['p99']:,.0f}",
                f"{test.figures['refused']:.1%}",
                f"{test.figures['failed']:.1%}",
            )


def _memory_table(memory: MemoryCourse) -> Table:
    """Lay the soak's memory out: start, each minute (or tenth, of a short one), end."""
    table = Table("after, s", "MiB", title="Memory of the soak", title_justify="left")
    for at, held in memory.marks(min(_MINUTE, memory.at[-1] / 10)):
        table.add_row(f"{at:,.0f}", f"{held:,.1f}")
    return table


def _verdict(memory: MemoryCourse) -> str:
    return (
        f"{'Flat' if memory.is_flat else 'NOT FLAT'}: {memory.slope * _MINUTE:+.2f} MiB a minute "
        f"after the first third, {memory.growth:+.1f} MiB in all."
    )


if __name__ == "__main__":
    run_command(main)
