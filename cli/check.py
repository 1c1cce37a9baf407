"""`bellwether check`: tell whether a table keeps its contract."""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.table import Table

from cli.console import console, progress
from records.contract import load_contract


def check(
    table: Annotated[Path, typer.Argument(help="CSV or Parquet, one row per record and period.")],
    contract: Annotated[
        str, typer.Option(help="Name of a shipped contract or a .toml file.")
    ] = "simulated",
    on_error: Annotated[
        str,
        typer.Option(help="[bold]fail[/], or [bold]reject-rows[/]: set bad rows aside and go on."),
    ] = "fail",
) -> None:
    """Check a table against a contract, row by row, and summarise what it holds."""
    from records.load import row_policy
    from records.tables import read_table

    with progress() as report:
        cohort = read_table(
            table, load_contract(contract), on_error=row_policy(on_error), progress=report
        )
    summary = Table("what", "value", title=f"{table.name} keeps the contract '{contract}'")
    summary.add_row("records", f"{len(cohort):,}")
    summary.add_row("students", f"{len(set(cohort.students.tolist())):,}")
    summary.add_row(f"{cohort.contract.periods.name}s observed", f"{int(cohort.lengths.sum()):,}")
    observed = cohort.values[cohort.observed]
    for position, feature in enumerate(cohort.contract.features):
        missing = np.isnan(observed[:, position]).mean()
        summary.add_row(f"missing: {feature.label}", f"{missing:.1%}")
    console.print(summary)
