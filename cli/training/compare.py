"""`bellwether compare`: many models x seeds x splits side by side."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer
from rich.table import Table

from cli.console import console, progress
from cli.options import ContractOption, Data, DataDir, Students, Workers
from records.errors import CohortError

if TYPE_CHECKING:
    from training.settings import SplitKind
    from training.studies.study_tables import StudyTable


def compare(
    data: Data = "simulated",
    data_dir: DataDir = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the study (default: runs/compare/DATA).")
    ] = None,
    contract: ContractOption = None,
    students: Students = 4000,
    risk_models: Annotated[
        str,
        typer.Option(help="Names in [bold]bellwether models[/], by commas; '' for none."),
    ] = "base_rate,last_value,svm,random_forest,ann,boosting,boosting_by_horizon,lstm",
    score_models: Annotated[
        str, typer.Option(help="Likewise for the next score.")
    ] = "mean,last_score,mean_so_far,ridge,svr,dnn,boosting,boosting_by_horizon,attention-lstm",
    splits: Annotated[
        str | None,
        typer.Option(help="By commas; by default what suits the data.", show_default=False),
    ] = None,
    test_cohorts: Annotated[
        str, typer.Option(help="Of the temporal split, by commas (default: the latest).")
    ] = "",
    seeds: Annotated[int, typer.Option(help="How many seeds of each model.", min=1)] = 3,
    horizons: Annotated[
        str | None,
        typer.Option(help="Periods to judge at, by commas (default: all, or every fourth)."),
    ] = None,
    workers: Workers = 1,
) -> None:
    """Fit many models with several seeds and print their figures by horizon.

    What is there already is not fitted again: an interrupted comparison goes on, and one asked for
    more models or seeds fits only those.
    """
    from records.load import load_cohort
    from training.baselines.boosting import horizons as usual_horizons
    from training.settings import settings_for
    from training.studies.study import Plan
    from training.studies.study_fit import run_study
    from training.studies.study_summary import summarise

    target = out or Path("runs") / "compare" / Path(data).name.partition(".")[0]
    with progress() as report:
        cohort = load_cohort(
            data, data_dir=data_dir, students=students, contract=contract, progress=report
        )
        maximum = cohort.contract.periods.maximum
        plan = Plan(
            data=data,
            models={"risk": _names(risk_models), "score": _names(score_models)},
            splits=_splits(splits) or (settings_for(cohort).split.kind,),
            seeds=tuple(range(seeds)),
            horizons=_periods(horizons, maximum) or usual_horizons(maximum),
            test_cohorts=_names(test_cohorts),
        )
        run_study(cohort, target, plan, workers=workers, progress=report)
    for table in summarise(cohort, target, plan):
        print_table(table)
    console.print(f"Tables as CSV and Markdown: {target}/tables")


# Mean and spread of seven figures side by side: wider than 80 columns, however narrow the file.
_WIDTH = 132


def print_table(table: "StudyTable") -> None:
    """Lay a table out for the terminal."""
    shown = Table(title=table.title, title_justify="left")
    for number, column in enumerate(table.columns):
        shown.add_column(
            column if number else "", justify="right" if number else "left", no_wrap=not number
        )
    for row in table.rows:
        shown.add_row(*row)
    # `print(…, width=…)` only makes narrower.
    width, console.width = console.width, max(console.width, _WIDTH)
    console.print(shown)
    console.width = width


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _splits(text: str | None) -> "tuple[SplitKind, ...]":
    from training.settings import SplitKind

    named = _names(text or "")
    wrong = sorted(set(named) - set(get_args(SplitKind)))
    if wrong:
        raise CohortError(f"--splits are of {', '.join(get_args(SplitKind))}; not {wrong[0]}.")
    return tuple(kind for kind in get_args(SplitKind) if kind in named)


def _periods(text: str | None, maximum: int) -> tuple[int, ...]:
    named = _names(text or "")
    if not all(name.isdigit() and 1 <= int(name) <= maximum for name in named):
        raise CohortError(f"--horizons are periods from 1 to {maximum}, by commas.")
    return tuple(sorted({int(name) for name in named}))
