"""`python -m benchmarks.load.explanations BUNDLE`: plain scores with and without reasons beside them.

Rounds alternate between plain single students alone and the same with a second client that keeps
asking for reasons, so that slow spells of a shared machine fall on both alike.
"""

import json
import multiprocessing
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.command import print_table, run_command
from benchmarks.cores import choose_cores
from benchmarks.load.closed_loop import Closed, drive
from benchmarks.server import bellwether, running
from benchmarks.students import StudentSource
from scoring.bundle.reader import read_bundle
from service.routes import SCORE

PLAIN, ASKING = 32, 4
_VARIANTS = 64


@dataclass(frozen=True, slots=True)
class Compared:
    """Plain scores alone and beside reasons, medians of the rounds.

    Attributes:
        alone: Plain scores a second.
        beside: The same while reasons are asked for.
        alone_p99: 99% of the plain scores took at most so long, ms.
        beside_p99: The same while reasons are asked for.
        explained: Answers with reasons a second meanwhile.
        alone_cpu: Plain scores alone for each second of the server's processor time, which other
            programs of a shared machine do not change.
        beside_cpu: The same while reasons are asked for.
    """

    alone: float
    beside: float
    alone_p99: float
    beside_p99: float
    explained: float
    alone_cpu: float
    beside_cpu: float


def compare(bundle: Path, *, rounds: int = 5, seconds: float = 3.0) -> Compared:
    """Measure plain scores with and without reasons beside them.

    Args:
        bundle: Folder of a bundle.
        rounds: How often each is measured.
        seconds: Of one measurement.

    Raises:
        ServerError: The server does not come up.
    """
    cores = choose_cores()
    source = StudentSource(read_bundle(bundle).contract, complete=True)
    plain = source.bodies(1, _VARIANTS)
    alone: list[tuple[Closed, float]] = []
    beside: list[tuple[Closed, float]] = []
    explained: list[float] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        running(bellwether(bundle), log=Path(folder) / "log", core=cores.server) as server,
    ):

        def measured() -> tuple[Closed, float]:
            before = server.cpu_seconds()
            seen = drive(
                server.port,
                SCORE.path,
                plain,
                in_parallel=PLAIN,
                seconds=seconds,
                core=cores.client,
            )
            return seen, seen.goodput * seconds / (server.cpu_seconds() - before)

        for _ in range(rounds):
            alone.append(measured())
            with _asking(server.port, _with_reasons(source), seconds + 1, cores.client) as answered:
                beside.append(measured())
            explained.append(answered[0])
    return Compared(
        alone=statistics.median(seen.goodput for seen, _ in alone),
        beside=statistics.median(seen.goodput for seen, _ in beside),
        alone_p99=statistics.median(seen.p99 for seen, _ in alone),
        beside_p99=statistics.median(seen.p99 for seen, _ in beside),
        explained=statistics.median(explained),
        alone_cpu=statistics.median(by_cpu for _, by_cpu in alone),
        beside_cpu=statistics.median(by_cpu for _, by_cpu in beside),
    )


def _with_reasons(source: StudentSource) -> list[bytes]:
    return [
        json.dumps({"students": source.students(1), "reasons": True}).encode()
        for _ in range(_VARIANTS)
    ]


@contextmanager
def _asking(
    port: int, bodies: Sequence[bytes], seconds: float, core: int | None
) -> Iterator[list[float]]:
    """Ask for reasons in a process of its own; the list gets the answers a second at the end."""
    answered: list[float] = []
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    asking = context.Process(target=_ask, args=(port, bodies, seconds, core, queue))
    asking.start()
    queue.get()  # it has started
    try:
        yield answered
    finally:
        answered.append(queue.get())
        asking.join()


def _ask(
    port: int,
    bodies: Sequence[bytes],
    seconds: float,
    core: int | None,
    queue: "multiprocessing.Queue[float]",
) -> None:
    queue.put(0.0)
    seen = drive(port, SCORE.path, bodies, in_parallel=ASKING, seconds=seconds, core=core)
    queue.put(seen.goodput)


def main(
    bundle: Annotated[Path, typer.Argument(help="Bundle folder.")],
    rounds: Annotated[int, typer.Option(min=1, help="How often each is measured.")] = 5,
    seconds: Annotated[float, typer.Option(min=0.5, help="Of one measurement.")] = 3.0,
) -> None:
    """Print plain scores with and without reasons beside them."""

    def rows() -> Iterator[Sequence[str]]:
        found = compare(bundle, rounds=rounds, seconds=seconds)
        kept, kept_cpu = found.beside / found.alone, found.beside_cpu / found.alone_cpu
        yield (
            *("alone", f"{found.alone:,.0f}", ""),
            *(f"{found.alone_cpu:,.0f}", "", f"{found.alone_p99:.1f}", ""),
        )
        yield (
            *("beside reasons", f"{found.beside:,.0f}", f"{kept:.0%}"),
            *(f"{found.beside_cpu:,.0f}", f"{kept_cpu:.0%}"),
            *(f"{found.beside_p99:.1f}", f"{found.explained:,.0f}"),
        )

    columns = (
        *("plain scores", "per second", "kept", "per CPU second", "kept"),
        *("p99 (ms)", "explained per second"),
    )
    title = f"{PLAIN} plain clients, {ASKING} that ask for reasons; medians of {rounds} rounds"
    print_table(title, columns, rows)


if __name__ == "__main__":
    run_command(main)
