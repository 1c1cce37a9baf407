"""`bellwether export`: from a run to a bundle, through the gate."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from cli.console import console, progress
from cli.options import FinishedRun, Overwrite
from scoring.bundle.manifest import ExplanationChecks, GapLimit, Manifest, Variant
from scoring.precision import VARIANTS, Precision


def export(
    run: FinishedRun,
    out: Annotated[
        Path | None, typer.Option(help="Bundle folder to write (default: build/bundles/RUN).")
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option(
            help="Policy to pack: a shipped name or a .toml file (default: its contract's)."
        ),
    ] = None,
    max_gap: Annotated[
        str | None,
        typer.Option(
            help="Refuse where groups of an audit attribute differ by more, and tell the limits in "
            "manifest and card: such as "
            "[bold]recall=0.1,false_positive_rate=0.1[/]; also of precision, auc, abroca, "
            "expected_calibration_error and calibration_bias."
        ),
    ] = None,
    portable: Annotated[
        bool,
        typer.Option(
            "--portable",
            help="Use only operators that nearly every execution provider has: for OpenVINO, and "
            "for CUDA before ONNX Runtime 1.25.",
        ),
    ] = False,
    precision: Annotated[
        list[Precision] | None,
        typer.Option(
            help="Also try the graphs in this precision, and pack those that win; repeatable."
        ),
    ] = None,
    max_changed: Annotated[
        float,
        typer.Option(min=0, max=1, help="Share of tiers that another precision may change."),
    ] = 0.005,
    overwrite: Overwrite = False,
    save: Annotated[
        bool, typer.Option("--save/--no-save", help="Also save it to the BentoML model store.")
    ] = True,
) -> None:
    """Turn a run into a bundle; stop with the record, the step and the distance if not equal."""
    from export.export import export_run
    from export.gate.fairness import read_limits
    from export.gate.variants import Limits
    from scoring.bundle.reader import read_bundle
    from service.bundle_store import save_bundle
    from training.run_folder import RunFolder

    limits = read_limits(max_gap) if max_gap else None
    target = out or Path("build/bundles") / run.resolve().name
    with progress() as report:
        folder = export_run(
            RunFolder(run),
            target,
            policy=policy,
            overwrite=overwrite,
            max_gaps=limits,
            portable=portable,
            precisions=[one for one in precision or () if one in VARIANTS],
            limits=Limits(changed=max_changed),
            progress=report,
        )
    manifest = read_bundle(folder).manifest
    console.print(parity_table(manifest))
    for row in manifest.variants:
        console.print(variant_line(row), soft_wrap=True)
    for held in manifest.gap_limits:
        console.print(limit_line(held), soft_wrap=True)
    if manifest.explanations:
        for line in explanation_lines(manifest.explanations):
            console.print(line, soft_wrap=True)
    console.print(f"Wrote {folder}.")
    if save:
        console.print(f"Saved as [bold]{save_bundle(folder)}[/] in the BentoML model store.")
    console.print(f"Next: bellwether serve {folder}")


def variant_line(row: Variant) -> str:
    """Say in one line what a precision gained and cost, and whether it is packed."""
    fate = f"not packed: {row.why}" if row.why else "packed"
    line = f"{row.precision} {row.graph} on {row.provider}: {fate}."
    if row.speed:
        speeds = ", ".join(f"{ratio:.2f} at {rows} rows" for rows, ratio in row.speed.items())
        line += f" Speed {speeds}; largest difference {row.largest_difference:.2g}"
        line += f", {row.changed:.2%} of tiers changed." if row.decisions else "."
    return line


def explanation_lines(checks: ExplanationChecks) -> list[str]:
    """Say what was checked of reasons and what-if."""
    lines = []
    if checks.explained:
        ordered, other = checks.ordered[1], checks.random[1]
        lines.append(
            f"Reasons: without the first group the logit changes by {ordered:.2f}, without a random "
            f"one by {other:.2f} ({checks.explained} records)."
        )
    hidden = [lever for lever in checks.levers if lever.hidden]
    lines += [
        f"What-if hides '{lever.name}': its improvement raised the estimate of {lever.raised:.0%} "
        f"of {lever.records} records."
        for lever in hidden
    ]
    return lines


def limit_line(held: GapLimit) -> str:
    """Say in one line what a gap between groups was held against."""
    measured = "cannot be judged" if held.measured is None else f"{held.measured:.3f}"
    figure = held.figure.replace("_", " ")
    return f"Gap of {figure} by '{held.attribute}': {measured}, at most {held.limit:g} allowed."


def parity_table(manifest: Manifest) -> Table:
    """Lay out what the gate proved, one row for each graph, provider and path."""
    table = Table(title="Equal to Keras on held-out records", title_justify="left")
    for column in (
        "graph",
        "provider",
        "path",
        "values",
        "difference",
        "allowed",
        "tiers",
    ):
        table.add_column(column, no_wrap=True)
    for row in manifest.parity:
        decisions = "all equal" if row.decisions else ""
        if row.at_threshold:
            decisions = f"{row.at_threshold} at threshold"
        table.add_row(
            row.graph,
            row.provider.removesuffix("ExecutionProvider"),
            row.path,
            f"{row.values:,}",
            f"{row.largest_difference:.1e}",
            f"{row.tolerance:.0e}",
            decisions,
        )
    return table
