"""`bellwether report`: a run as a page to read and print."""

from pathlib import Path
from typing import Annotated

import typer

from cli.console import console, progress
from cli.options import FinishedRun


def report(
    run: FinishedRun,
    out: Annotated[
        Path | None, typer.Option(help="Folder to write (default: RUN with '-report' behind it).")
    ] = None,
    complexity: Annotated[
        bool,
        typer.Option(
            "--complexity",
            help="Also measure time and memory of the score models against students and periods "
            "(minutes); kept in the run, so that later reports show it too.",
        ),
    ] = False,
) -> None:
    """Write a run's report: one HTML file, every table as CSV, every figure as SVG and PNG."""
    from records.files.replace import check_free
    from report.write import REPORT, measure_complexity, report_folder, write_report
    from training.run_folder import RunFolder

    folder = out or report_folder(run)
    finished = RunFolder(run)
    check_free(folder, REPORT, overwrite=True)
    with progress() as tell:
        if complexity:
            measure_complexity(finished, tell)
        page = write_report(finished, folder, progress=tell)
    console.print(f"Report: {page}")
