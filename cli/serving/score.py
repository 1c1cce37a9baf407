"""`bellwether score`: score a table of any size."""

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.table import Table

from cli.console import console, errors, progress
from cli.options import ReferenceOption, reads_tables
from records.errors import CohortError
from records.tables.options import ReadOptions

SOME_REFUSED = 3


@reads_tables
def score(
    table: Annotated[
        Path,
        typer.Argument(
            help="CSV, Excel, Parquet or Arrow: one row per student and period, each student's rows "
            "together, periods ascending."
        ),
    ],
    bundle: Annotated[
        str, typer.Option(help="Bundle folder, or tag in the BentoML model store.")
    ] = "bellwether:latest",
    out: Annotated[
        Path, typer.Option(help="File to write: .csv, .parquet, .arrow or .jsonl.")
    ] = Path("scores.parquet"),
    kind: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="[bold]csv[/], [bold]parquet[/], [bold]arrow[/] or [bold]jsonl[/]; by default "
            "what the name of --out ends with.",
        ),
    ] = None,
    recommendations: Annotated[bool, typer.Option(help="Whether to say what is advised.")] = True,
    forecast: Annotated[bool, typer.Option(help="Whether to forecast the next score.")] = True,
    reference: ReferenceOption = "bundle",
    workers: Annotated[
        int | None, typer.Option(help="Processes (default: one a core).", min=1)
    ] = None,
    part: Annotated[
        int, typer.Option(help="Students in a part, the most that an interruption loses.", min=1)
    ] = 4096,
    exact_ids: Annotated[
        bool,
        typer.Option(
            "--exact-ids",
            help="Keep ids as they are in CSV, even those that a spreadsheet would run as a formula.",
        ),
    ] = False,
    *,
    options: ReadOptions,
) -> None:
    """Score a table on all cores; run the same command again to continue after an interruption.

    Students with faults are listed beside the output, in OUT.rejected.csv, and the exit code is 3.
    """
    from batch.local import ScoreJob, score_file
    from records.learnt.relative_reference import RelativeReference, read_reference
    from records.tables.formats import WRITABLE, TableFormat
    from scoring.bundle.reader import read_bundle
    from scoring.tables.assessor import Wanted
    from service.bundle_store import find_bundle

    named = kind or out.suffix.removeprefix(".")
    if named not in WRITABLE:
        known = ", ".join(WRITABLE)
        raise CohortError(f"'{named}' is no format to write; choose --format from {known}.")
    folder = find_bundle(bundle)
    refer: RelativeReference | Literal["batch"] | None = None
    if reference == "batch":
        refer = "batch"
    elif reference != "bundle":
        refer = read_reference(Path(reference), read_bundle(folder).contract)
    job = ScoreJob(
        table=table,
        bundle=folder,
        reference=refer,
        out=out,
        kind=TableFormat(named),
        wanted=Wanted(recommendations, forecast),
        workers=workers,
        part=part,
        options=options,
        exact_ids=exact_ids,
    )
    with progress() as report:
        done = score_file(job, report)
    shown = Table("what", "value", title=f"{table.name} → {out}")
    shown.add_row("students", f"{done.students:,}")
    for tier, number in done.tiers.items():
        shown.add_row(f"tier {tier}", f"{number:,}")
    for status, number in sorted(done.statuses.items()):
        shown.add_row(status.replace("_", " "), f"{number:,}")
    shown.add_row("seconds", f"{done.seconds:.1f}")
    if done.resumed:
        shown.add_row("parts resumed", f"{done.resumed:,} of {done.parts:,}")
    shown.add_row("students a second", f"{done.students / done.seconds:,.0f}")
    console.print(shown)
    for warning in done.warnings:
        errors.print(f"Warning: {warning}", soft_wrap=True)
    if done.refused:
        errors.print(f"{done.refused:,} students were refused; {job.rejects} says why.")
        raise typer.Exit(SOME_REFUSED)
