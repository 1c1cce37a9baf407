"""`bellwether train`: from records to a fitted run."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from cli.console import console, progress
from cli.options import ContractOption, Data, DataDir, Seed, Students


def train(
    data: Data = "simulated",
    data_dir: DataDir = None,
    out: Annotated[
        Path | None, typer.Option(help="Run folder to write [default: runs/<data>].")
    ] = None,
    contract: ContractOption = None,
    students: Students = 4000,
    seed: Seed = 0,
) -> None:
    """Fit the risk classifier and the score model, and write a run folder."""
    from records.load import load_cohort
    from training.settings import settings_for
    from training.train import train as fit

    with progress() as report:
        report("Reading records", 0, 1)
        cohort = load_cohort(
            data, data_dir=data_dir, students=students, seed=seed, contract=contract
        )
        report("Reading records", 1, 1)
        target = out or Path("runs") / Path(data).stem
        run = fit(cohort, target, settings_for(cohort, seed=seed), data=data, progress=report)
    console.print(run.metrics)
    console.print(f"Wrote {target}. Next: bellwether export {target}")
    _ = Table
