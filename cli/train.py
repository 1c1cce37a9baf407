"""`bellwether train`: from records to a fitted run."""

from pathlib import Path
from typing import Annotated

import typer

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
    risk: Annotated[
        str | None,
        typer.Option(
            help="MIDFIELD's outcome: [bold]low_gpa[/] next term (the default) or "
            "[bold]no_degree[/] in six years; the latter wants a policy of its own."
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a run that is there already.")
    ] = False,
) -> None:
    """Fit the risk classifier and the score model, print their figures, write a run folder."""
    from cli.metrics_table import metrics_tables
    from records.load import load_cohort
    from training.run_folder import check_free
    from training.settings import settings_for
    from training.train import train as fit

    target = out or Path("runs") / Path(data).stem
    check_free(target, overwrite=overwrite)
    with progress() as report:
        cohort = load_cohort(
            data,
            data_dir=data_dir,
            students=students,
            seed=seed,
            contract=contract,
            risk=risk,
            progress=report,
        )
        settings = settings_for(cohort, seed=seed)
        run = fit(cohort, target, settings, data=data, overwrite=overwrite, progress=report)
    for table in metrics_tables(run.metrics, run.contract):
        console.print(table)
    for note in run.record.notes:
        console.print(f"Note: {note}")
    console.print(f"Wrote {target}. Next: bellwether export {target}")
