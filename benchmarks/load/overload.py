"""`python -m benchmarks.load.overload BUNDLE`: what is left of the capacity when more is asked.

Each round measures the capacity in a closed loop, then every load, then the capacity again: a load
is held against the mean of the capacities before and after it, so that a machine that grows slower
hits both alike.
"""

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.command import run_command
from benchmarks.cores import Cores, choose_cores
from benchmarks.load.closed_loop import drive
from benchmarks.load.storm import PROBES, Seen, Storm, raise_storm
from benchmarks.load.sweep import PATH
from benchmarks.machine import describe_machine
from benchmarks.server import RunningServer, bellwether, running
from benchmarks.students import StudentSource
from scoring.bundle.reader import read_bundle

console = Console(width=120)
LOADS = (1.5, 2.0, 3.0)
_VARIANTS = 32
_IN_PARALLEL = 32
# A connection asks about so often, answers included: often enough to load, seldom enough that a
# refusal that is held for a quarter of a second does not lower the load.
_PERIOD_SECONDS = 0.6
_USUAL_ANSWER_SECONDS = 0.15


@dataclass(frozen=True, slots=True)
class Capacity:
    """What a closed loop got.

    Attributes:
        rate: Requests a second.
        per_cpu: Requests a processor second of the server.
    """

    rate: float
    per_cpu: float


@dataclass(frozen=True, slots=True)
class Point:
    """One storm beside the capacity before and after it.

    Attributes:
        load: What was to be offered, as a share of the capacity.
        capacity: The mean of the two.
        seen: What the storm did.
    """

    load: float
    capacity: Capacity
    seen: Seen

    @property
    def offered(self) -> float:
        """What was offered, as a share of the capacity."""
        return self.seen.offered / self.capacity.rate

    @property
    def goodput(self) -> float:
        """Requests answered in time, as a share of the capacity."""
        return self.seen.answered * self.seen.in_time / self.capacity.rate

    @property
    def goodput_per_cpu(self) -> float:
        """The same of the server's processor time: what others took of its core is left out."""
        return self.seen.answered * self.seen.in_time / self.seen.cpu / self.capacity.per_cpu


def measure(
    server: RunningServer,
    bodies: Sequence[bytes],
    loads: Sequence[float],
    *,
    rounds: int,
    seconds: float,
    deadline: float,
    cores: Cores,
) -> Iterator[Point]:
    """Measure every load, round after round; arguments as those of `main`.

    How long answers take decides how often a connection asks: what a load really came to in one
    round corrects its connections in the next.
    """
    corrections = dict.fromkeys(loads, 1.0)
    before = measure_capacity(server, bodies, seconds, cores)
    for _ in range(rounds):
        for load in loads:
            storm = Storm(
                connections=round(load * before.rate * _PERIOD_SECONDS * corrections[load]),
                pause=_PERIOD_SECONDS - _USUAL_ANSWER_SECONDS,
                seconds=seconds,
            )
            seen = raise_storm(server, bodies, storm, deadline=deadline, cores=cores)
            after = measure_capacity(server, bodies, seconds, cores)
            mean = Capacity((before.rate + after.rate) / 2, (before.per_cpu + after.per_cpu) / 2)
            yield (point := Point(load, mean, seen))
            corrections[load] *= load / point.offered
            before = after


def measure_capacity(
    server: RunningServer, bodies: Sequence[bytes], seconds: float, cores: Cores
) -> Capacity:
    """Measure what the server answers where it is asked for no more than it can do."""
    before = server.cpu_seconds()
    seen = drive(
        server.port, PATH, bodies, in_parallel=_IN_PARALLEL, seconds=seconds, core=cores.client
    )
    used = server.cpu_seconds() - before
    return Capacity(seen.goodput, seen.goodput * max(1, round(seconds)) / used)


def main(
    bundle: Annotated[Path, typer.Argument(help="Bundle folder.", exists=True, file_okay=False)],
    *,
    loads: Annotated[list[float] | None, typer.Option("--load", help="Of the capacity.")] = None,
    students: Annotated[int, typer.Option(help="In a request.", min=1)] = 30,
    rounds: Annotated[int, typer.Option(help="Of all loads.", min=1)] = 3,
    seconds: Annotated[float, typer.Option(help="Length of each measurement.", min=1)] = 5.0,
    deadline: Annotated[float, typer.Option(help="Seconds; later is no goodput.")] = 0.25,
    out: Annotated[Path, typer.Option(help="Folder for the server's log.")] = Path("out/overload"),
) -> None:
    """Offer more than the capacity; print goodput, latencies of each kind, health and faults."""
    cores, wanted = choose_cores(), loads or list(LOADS)
    console.print(describe_machine())
    where = "unpinned" if cores.server is None else f"core {cores.server}, client {cores.client}"
    console.print(f"Server on {where}; {students} students a request.")
    bodies = StudentSource(read_bundle(bundle).contract).bodies(students, _VARIANTS)
    points: list[Point] = []
    with (
        running(bellwether(bundle), log=out / "server.log", core=cores.server) as server,
        console.status("Storms …"),
    ):
        points.extend(
            measure(
                server,
                bodies,
                wanted,
                rounds=rounds,
                seconds=seconds,
                deadline=deadline,
                cores=cores,
            )
        )
    for table in (_goodput_table(points, wanted, rounds), _latency_table(points, wanted)):
        console.print(table)
    lag = max(point.seen.lag_p99 for point in points)
    fewest = min(point.seen.accepted for point in points)
    console.print(
        f"Each p99 rests on at least {fewest} accepted requests; 99% of our client's requests "
        f"were sent at most {lag:.1f} ms late."
    )


def _goodput_table(points: Sequence[Point], loads: Sequence[float], rounds: int) -> Table:
    table = Table(title=f"Overload, medians of {rounds} rounds", title_justify="left")
    for name in (
        *("load", "capacity, 1/s", "offered", "goodput", "of server's CPU time"),
        *("refused", "faults"),
    ):
        table.add_column(name, justify="right")
    for load in loads:
        those = [point for point in points if point.load == load]
        table.add_row(
            f"{load:g}",
            f"{statistics.median(point.capacity.rate for point in those):,.0f}",
            f"{statistics.median(point.offered for point in those):.2f}",
            f"{statistics.median(point.goodput for point in those):.0%}",
            f"{statistics.median(point.goodput_per_cpu for point in those):.0%}",
            f"{statistics.median(1 - p.seen.answered / p.seen.offered for p in those):.0%}",
            f"{sum(point.seen.faults for point in those):,}",
        )
    table.caption = "offered and goodput as shares of the capacity before and after"
    return table


def _latency_table(points: Sequence[Point], loads: Sequence[float]) -> Table:
    table = Table(title="Latencies, ms", title_justify="left")
    for name in (
        *("load", "accepted p50", "p99", "refused p50", "p99"),
        *(f"{path} p99" for path in PROBES),
    ):
        table.add_column(name, justify="right")
    for load in loads:
        those = [point.seen for point in points if point.load == load]
        table.add_row(
            f"{load:g}",
            *(
                f"{statistics.median(getattr(seen, name) for seen in those):.1f}"
                for name in ("p50", "p99", "refusal_p50", "refusal_p99")
            ),
            *(
                f"{statistics.median(seen.probe_p99[path] for seen in those):.1f}"
                for path in PROBES
            ),
        )
    return table


if __name__ == "__main__":
    run_command(main)
