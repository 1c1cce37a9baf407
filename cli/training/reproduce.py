"""`bellwether reproduce`: every table of the documents, by one command."""

from pathlib import Path
from typing import Annotated

import typer

from cli.console import console, progress
from cli.options import Workers
from cli.training.compare import print_table

_OFFICIAL = {"oulad", "midfield"}


def reproduce(
    data_dir: Annotated[
        Path | None,
        typer.Option(help="Folder that holds oulad/ and midfield/.", file_okay=False),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder to write, or to go on with.")] = Path(
        "runs/reproduce"
    ),
    only: Annotated[
        str, typer.Option(help="Runs, by commas: simulated, semesters, oulad, midfield, …")
    ] = "",
    workers: Workers = 1,
    smoke: Annotated[
        bool, typer.Option("--smoke", help="Few models, few students: shows only that it works.")
    ] = False,
) -> None:
    """Fit all models of both papers on all data, and print and write every table.

    What is there already is not fitted again: an interrupted reproduction goes on.
    """
    from records.errors import CohortError
    from training.studies.reproduce import RUNS, results, small
    from training.studies.reproduce import reproduce as make

    names = [name.strip() for name in only.split(",") if name.strip()]
    if wrong := sorted(set(names) - {run.name for run in RUNS}):
        raise CohortError(f"no run is named '{wrong[0]}': {', '.join(run.name for run in RUNS)}.")
    made = []
    for run in RUNS:
        if names and run.name not in names:
            continue
        folder = data_dir / run.data if data_dir is not None else None
        if run.data in _OFFICIAL and (folder is None or not folder.is_dir()):
            console.print(f"Skipped {run.name}: it needs the files of {run.data} (--data-dir).")
            continue
        chosen = small(run) if smoke else run
        with progress() as report:
            tables = make(
                chosen,
                out,
                data_dir=folder if run.data in _OFFICIAL else None,
                workers=workers,
                progress=report,
            )
        console.rule(run.title)
        for table in tables:
            print_table(table)
        made.append((chosen, tables))
        (out / "results.md").write_text(results(made), encoding="utf-8")
    console.print(f"Tables: {out}/results.md, and as CSV in {out}/RUN/tables")
