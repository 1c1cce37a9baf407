"""Command-line options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

Data = Annotated[
    str,
    typer.Option(
        help="[bold]simulated[/], [bold]semesters[/], [bold]oulad[/], [bold]midfield[/], or the "
        "path of a CSV or Parquet table (one row per record and period).",
    ),
]
DataDir = Annotated[
    Path | None,
    typer.Option(help="Folder of the official files, for oulad and midfield.", file_okay=False),
]
Students = Annotated[int, typer.Option(help="How many students to simulate.", min=1)]
Seed = Annotated[int, typer.Option(help="Seed of everything random.", min=0, max=2**32 - 1)]
OnErrorOption = Annotated[
    str,
    typer.Option(
        "--on-error",
        help="What bad rows of a table lead to: [bold]fail[/] shows all of them, "
        "[bold]reject-rows[/] sets them aside with the reasons and goes on.",
    ),
]
ReferenceOption = Annotated[
    str,
    typer.Option(
        help="What relative features are compared with where they are absent: [bold]bundle[/], "
        "[bold]batch[/] (the students of the table itself), or the file that `bellwether "
        "reference` wrote.",
    ),
]
ContractOption = Annotated[
    str | None,
    typer.Option(
        "--contract",
        help="What a table's columns mean: the name of a shipped contract or a .toml file. "
        "Named data sets bring their own.",
    ),
]
Outcome = Annotated[
    str | None,
    typer.Option(
        help="MIDFIELD's outcome: [bold]low_gpa[/] next term (the default) or "
        "[bold]no_degree[/] in six years; the latter wants a policy of its own."
    ),
]
Workers = Annotated[int, typer.Option(help="Models fitted at the same time.", min=1)]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is there already.")]
FinishedRun = Annotated[
    Path, typer.Argument(help="Run folder, made by `bellwether train`.", file_okay=False)
]
