"""`bellwether request`: write an example request from a held-out record of a run."""

import json
import math
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from cli.console import console
from records.cohort import Cohort
from records.contract import Feature, Kind


def request(
    run: Annotated[Path, typer.Argument(help="Run folder.", exists=True, file_okay=False)],
    out: Annotated[Path, typer.Option(help="JSON file to write.")] = Path("request.json"),
    students: Annotated[int, typer.Option(help="How many records.", min=1)] = 1,
    period: Annotated[
        int | None, typer.Option(help="Last period to include [default: half of the records].")
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
    body = {"students": [_student(cohort, int(row)) for row in rows]}
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(body, indent=2) + "\n", encoding="utf-8")
    console.print(f"Wrote {len(rows)} held-out record(s) up to {cutoff} to {out}.")


def _student(cohort: Cohort, row: int) -> dict[str, Any]:
    features = cohort.contract.features
    periods = []
    for position in range(int(cohort.lengths[row])):
        cells = zip(features, cohort.values[row, position].tolist(), strict=True)
        observed = {f.name: _value(f, value) for f, value in cells if not math.isnan(value)}
        periods.append({"period": position + 1, **observed})
    return {"id": f"example-{row + 1}", "periods": periods}


def _value(feature: Feature, code: float) -> float | str | bool:
    if feature.kind is Kind.FLAG:
        return bool(code)
    if feature.levels:
        return feature.levels[int(code)]
    # The shortest decimal that gives the same float32 back.
    return float(str(np.float32(code)))
