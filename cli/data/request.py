"""`bellwether request`: write an example request from a held-out record of a run."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from cli.console import console
from records.files.replace import json_object_with, write_file
from scoring.students.writing import students_of


def request(
    run: Annotated[Path, typer.Argument(help="Run folder.", exists=True, file_okay=False)],
    out: Annotated[Path, typer.Option(help="JSON file to write.")] = Path("request.json"),
    students: Annotated[int, typer.Option(help="How many records.", min=1)] = 1,
    period: Annotated[
        int | None,
        typer.Option(help="Last period to include [default: half of the records].", min=1),
    ] = None,
) -> None:
    """Write a request for `score` from held-out records, such as a caller would send."""
    from training.run_folder import RunFolder

    folder = RunFolder(run)
    cutoff = period or (folder.contract.periods.maximum + 1) // 2
    heldout = folder.heldout()
    cohort = heldout.at(cutoff)
    rows = np.flatnonzero(cohort.eligible[:, cutoff - 1])
    # Those who did get into trouble first: they show more of what an answer holds.
    troubled = heldout.risk[rows, cutoff - 1] == 1
    rows = rows[np.argsort(~troubled, kind="stable")][:students]
    chosen = cohort.take(rows)
    chosen = replace(chosen, ids=np.array([f"example-{n + 1}" for n in range(len(rows))]))
    body = {"students": students_of(chosen)}
    write_file(
        out,
        json.dumps(body, indent=2) + "\n",
        name="request",
        recognise=lambda path: json_object_with(path, {"students"}),
    )
    console.print(f"Wrote {len(rows)} held-out record(s) up to {cutoff} to {out}.")
