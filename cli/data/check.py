"""`bellwether check`: check a table against its contract."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from rich.table import Table

from cli.console import console, progress
from cli.options import InsistOption, OnErrorOption, reads_tables
from records.contract import load_contract
from records.errors import CohortError
from records.tables.options import ReadOptions

if TYPE_CHECKING:
    from records.cohort import Cohort


@reads_tables
def check(
    table: Annotated[
        Path, typer.Argument(help="CSV, Excel, Parquet or Arrow, one row per record and period.")
    ],
    contract: Annotated[
        str, typer.Option(help="Name of a shipped contract or a .toml file.")
    ] = "simulated",
    on_error: OnErrorOption = "fail",
    rejects: Annotated[
        Path | None,
        typer.Option(help="Where to set bad rows aside (default: TABLE.rejected.csv beside it)."),
    ] = None,
    bundle: Annotated[
        str | None,
        typer.Option(help="Compare the columns' values with what training this bundle saw."),
    ] = None,
    insist: InsistOption = False,
    *,
    options: ReadOptions,
) -> None:
    """Check a table against a contract, row by row, and summarise what it holds."""
    from records.load import row_policy
    from records.tables.read_write import read_table

    with progress() as report:
        cohort = read_table(
            table,
            load_contract(contract),
            on_error=row_policy(on_error),
            rejects=rejects,
            insist=insist,
            options=options,
            progress=report,
        )
    kept = "keeps" if on_error == "fail" else "without its rejected rows keeps"
    name = cohort.contract.name
    summary = Table("what", "value", title=f"{table.name} {kept} the contract '{name}'")
    summary.add_row("records", f"{len(cohort):,}")
    summary.add_row("students", f"{len(set(cohort.students.tolist())):,}")
    summary.add_row(f"{cohort.contract.periods.name}s observed", f"{int(cohort.lengths.sum()):,}")
    for row in _targets(cohort):
        summary.add_row(*row)
    observed = cohort.values[cohort.observed]
    for position, feature in enumerate(cohort.contract.features):
        missing = np.isnan(observed[:, position]).mean()
        summary.add_row(f"missing: {feature.label}", f"{missing:.1%}")
    console.print(summary)
    for line in _scales(cohort, bundle):
        console.print(f"Warning: {line}", soft_wrap=True)
    for line in _persons(cohort):
        console.print(f"Warning: {line}", soft_wrap=True)
    for line in _sufficiency(cohort):
        console.print(line, soft_wrap=True)


def _persons(cohort: "Cohort") -> list[str]:
    """Name columns of text that look as if they named persons."""
    from records.identity.personal import personal_values

    columns = {"id": cohort.ids, "student": cohort.students, **cohort.audit}
    found = {name: personal_values(values[:5000].tolist()) for name, values in columns.items()}
    return [
        f"'{name}' looks like {kind}; `bellwether pseudonymize` replaces ids and leaves out the rest."
        for name, kind in found.items()
        if kind is not None
    ]


def _sufficiency(cohort: "Cohort") -> list[str]:
    """Say before any training what would keep it from starting, and where it would be thin."""
    from training.data.sufficiency import missing_to_train, thin_spots

    missing = missing_to_train(cohort)
    lines = [f"Not enough to train on: {line}" for line in missing]
    lines += [f"Note: {line}" for line in thin_spots(cohort)] if len(cohort) else []
    return lines if missing else ["Enough to train on.", *lines]


def _scales(cohort: "Cohort", bundle: str | None) -> list[str]:
    """Name columns that seem to be on another scale."""
    from records.learnt.scales import ScaleCounts, narrow_columns
    from scoring.bundle.reader import read_bundle
    from service.bundle_store import find_bundle

    lines = narrow_columns(cohort)
    if bundle is not None:
        trained = read_bundle(find_bundle(bundle))
        if trained.contract.fingerprint != cohort.contract.fingerprint:
            raise CohortError(f"the bundle follows another contract than '{cohort.contract.name}'.")
        lines += ScaleCounts.of_values(cohort.values, trained.reference).unusual(cohort.contract)
    return lines


def _targets(cohort: "Cohort") -> list[tuple[str, str]]:
    """Say what there is to learn from: whatever is 0 here keeps training from starting."""
    known = cohort.eligible & ~np.isnan(cohort.risk)
    outcomes = cohort.risk[known]
    scores = cohort.eligible[:, :, None] & ~np.isnan(cohort.score)
    at_risk = f" ({outcomes.mean():.1%} at risk)" if outcomes.size else ""
    names = sorted(set(cohort.cohorts.tolist()) - {""})
    shown = ", ".join(names if len(names) <= 6 else [*names[:2], "…", *names[-2:]])
    return [
        ("cohorts, the earliest first", shown or "none named"),
        ("known outcomes", f"{outcomes.size:,}{at_risk}"),
        ("known next scores", f"{int(scores.sum()):,}"),
    ]
