"""`bellwether report`: a run as a page to read and print."""

from pathlib import Path
from typing import Annotated

import typer

from cli.console import console


def report(
    run: Annotated[Path, typer.Argument(help="Run folder, made by `bellwether train`.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder to write (default: RUN with '-report' behind it).")
    ] = None,
) -> None:
    """Write a run's report: one HTML file, every table as CSV, every figure as SVG and PNG."""
    from report.write import write_report
    from training.run_folder import RunFolder

    folder = out or run.with_name(f"{run.name}-report")
    page = write_report(RunFolder(run), folder)
    console.print(f"Report: {page}")
