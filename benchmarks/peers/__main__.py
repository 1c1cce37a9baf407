"""`python -m benchmarks.peers BUNDLE`: Bellwether and its peers side by side."""

import csv
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from benchmarks.cores import choose_cores
from benchmarks.load.closed_loop import client_name
from benchmarks.machine import describe_machine
from benchmarks.peers.contenders import BELLWETHER, PEERS, Contender
from benchmarks.peers.environments import PeerError, prepare
from benchmarks.peers.rounds import (
    COHORTS,
    SCENARIOS,
    Course,
    Floats64,
    Measurement,
    Payloads,
    answers,
    check_agreement,
    cohort_answers,
    make_payloads,
    measure,
    medians,
)
from benchmarks.server import ServerError
from records.errors import BellwetherError
from scoring.bundle.reader import read_bundle

console = Console(width=132)


def main(
    bundle: Annotated[Path, typer.Argument(help="Bundle folder.", exists=True, file_okay=False)],
    *,
    rounds: Annotated[int, typer.Option(help="Interleaved rounds.", min=1)] = 3,
    seconds: Annotated[float, typer.Option(help="Length of each scenario.", min=1)] = 5.0,
    only: Annotated[list[str] | None, typer.Option(help="Peers to compare with, by key.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for results and logs.")] = Path("out/peers"),
) -> None:
    """Measure Bellwether beside its peers: one worker on one core, load from the other core."""
    chosen = [peer for peer in PEERS if not only or peer.key in only]
    if len(chosen) < len(set(only or [])):
        raise typer.BadParameter(f"known peers are {', '.join(peer.key for peer in PEERS)}")
    cores = choose_cores()
    course = Course(read_bundle(bundle), seconds=seconds, cores=cores, logs=out)
    console.print(describe_machine())
    where = "unpinned" if cores.server is None else f"core {cores.server}, client {cores.client}"
    console.print(f"Servers on {where}; closed loops by {client_name()}.")
    absent: list[str] = []
    with console.status("Installing and comparing answers …"):
        agreed = _agree(course, chosen, absent)
    measurements = _rounds(course, agreed, absent, rounds)
    _write(measurements, out / "rounds.csv")
    report(measurements)
    for reason in absent:
        console.print(f"[yellow]Not compared:[/] {reason}")


def _agree(
    course: Course, peers: Sequence[Contender], absent: list[str]
) -> list[tuple[Contender, Payloads]]:
    """Keep those that start and answer as Bellwether does; tell why the others are absent."""
    sizes = sorted({scenario.students for scenario in SCENARIOS})
    agreed: list[tuple[Contender, Payloads]] = []
    expected: Floats64 | None = None
    for contender in (BELLWETHER, *peers):
        payloads = make_payloads(course.bundle, contender, sizes)
        try:
            if contender is not BELLWETHER:
                prepare(contender)
            with course.started(contender) as server:
                risks = answers(server, contender, payloads)
                expected = risks if expected is None else expected
                difference = check_agreement(contender.title, risks, expected)
                for title, found in cohort_answers(server, payloads).items():
                    check_agreement(title, found, expected[-found.size :])
        except (PeerError, ServerError) as error:
            if contender is BELLWETHER:
                raise
            absent.append(str(error))
            continue
        agreed.append((contender, payloads))
        console.print(
            f"{contender.title}: {risks.size:,} answers, largest difference {difference:.1e}"
        )
    return agreed


def _rounds(
    course: Course, agreed: Sequence[tuple[Contender, Payloads]], absent: list[str], rounds: int
) -> list[Measurement]:
    measurements: list[Measurement] = []
    for number in range(1, rounds + 1):
        for contender, payloads in agreed:
            with console.status(f"Round {number} of {rounds}: {contender.title} …"):
                try:
                    measurements += measure(course, contender, payloads, number=number)
                except ServerError as error:
                    absent.append(f"round {number}: {error}")
    return measurements


def report(measurements: Sequence[Measurement]) -> None:
    """Print the medians of every scenario, and how many times the peers' goodput Bellwether has."""
    typical = medians(measurements)
    for scenario in SCENARIOS:
        known = {BELLWETHER.title, *(peer.title for peer in PEERS)}
        rows = [
            entry
            for (title, name), entry in typical.items()
            if title == scenario.title and name in known
        ]
        ours = typical.get((scenario.title, BELLWETHER.title))
        table = Table(title=scenario.title, title_justify="left", title_style="bold")
        table.add_column("server", no_wrap=True)
        for name in ("requests/s", "students/s", "not answered", "p50 ms", "p99 ms", "MiB"):
            table.add_column(name, justify="right")
        table.add_column("client lag ms" if scenario.rate else "client CPU", justify="right")
        table.add_column("Bellwether is", justify="right")
        for entry in sorted(rows, key=lambda row: -row.students):
            times = ours.students / entry.students if ours and entry.students else math.nan
            table.add_row(
                entry.contender,
                f"{entry.requests:,.0f}",
                f"{entry.students:,.0f}",
                f"{entry.other:.1%}",
                f"{entry.p50:.2f}",
                f"{entry.p99:.2f}",
                f"{entry.memory:,.0f}",
                f"{entry.client:.2f}" if scenario.rate else f"{entry.client:.0%}",
                f"{times:.2f} x",
            )
        console.print(table)
    console.print(cohort_table(typical))


def cohort_table(typical: Mapping[tuple[str, str], Measurement]) -> Table:
    """Say how many times the peers' goodput Bellwether has when asked for whole cohorts."""
    entries = {name: one for (title, name), one in typical.items() if title == COHORTS.title}
    peers = [peer.title for peer in PEERS if peer.title in entries]
    table = Table(
        *("asked for", "students/s", *(f"times {peer}" for peer in peers)),
        title=f"Bellwether by format: {COHORTS.title}",
        title_justify="left",
        title_style="bold",
    )
    for name, one in entries.items():
        if name not in peers:
            times = [one.students / (entries[peer].students or math.nan) for peer in peers]
            table.add_row(name, f"{one.students:,.0f}", *(f"{ratio:.2f}" for ratio in times))
    return table


def _write(measurements: Sequence[Measurement], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Measurement)])
        writer.writeheader()
        writer.writerows(asdict(entry) for entry in measurements)


if __name__ == "__main__":
    try:
        typer.run(main)
    except BellwetherError as error:
        console.print(f"[red]{escape(str(error))}[/]")
        sys.exit(1)
