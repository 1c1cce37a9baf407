"""`bellwether simulate`: write a simulated cohort of any size."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from cli.console import console, progress
from cli.options import Seed, Students
from records.cohort import Cohort
from records.errors import CohortError


def simulate(
    out: Annotated[Path, typer.Argument(help="Table to write: .parquet, .csv or .csv.gz.")],
    model: Annotated[
        str, typer.Option(help="[bold]simulated[/] (one term) or [bold]semesters[/] (six).")
    ] = "simulated",
    students: Students = 4000,
    seed: Seed = 0,
) -> None:
    """Write a simulated cohort, streamed: memory does not grow with the number of students."""
    from records.sources import semesters, simulated
    from records.tables.read_write import write_table

    sources = {"simulated": simulated.simulate, "semesters": semesters.simulate}
    if model not in sources:
        raise CohortError(f"--model is one of {', '.join(sources)}.")
    with progress() as report:

        def counted() -> Iterator[Cohort]:
            done = 0
            for chunk in sources[model](students, seed=seed):
                yield chunk
                done += len(chunk)
                report("Simulating records", done, max(done, students))

        write_table(counted(), out)
    console.print(f"Wrote {out}.")
    console.print(f"Next: bellwether train --data {out} --contract {model}")
