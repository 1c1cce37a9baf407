"""`bellwether evaluate`: a finished bundle on any cohort, without fitting anything."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from cli.console import console, errors, progress
from cli.options import (
    ContractOption,
    Data,
    DataDir,
    InsistOption,
    OnErrorOption,
    Outcome,
    ReferenceOption,
    Seed,
    Students,
    reads_tables,
)
from records.errors import CohortError
from records.tables.options import ReadOptions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evaluation.evaluate import Evaluation
    from evaluation.figures import NaiveFacts
    from records.arrays import Floats
    from records.cohort import Cohort
    from scoring.bundle.reader import Bundle

FORMATS = ("table", "json", "csv")
_THE_SAME = (
    "these are the very records that the bundle was made from: figures flatter it, unless "
    "--cohort names intakes that it was only tested on."
)


@reads_tables
def evaluate(
    bundle: Annotated[Path, typer.Argument(help="Bundle folder.", file_okay=False)],
    data: Data = "simulated",
    data_dir: DataDir = None,
    contract: ContractOption = None,
    on_error: OnErrorOption = "fail",
    students: Students = 4000,
    seed: Seed = 0,
    risk: Outcome = None,
    cohort: Annotated[
        str | None,
        typer.Option(help="Only these intakes, separated by commas, such as [bold]2014B[/]."),
    ] = None,
    reference: ReferenceOption = "batch",
    horizons: Annotated[
        str | None,
        typer.Option(help="Periods to print, such as [bold]4,8,12,16[/]; by default six of them."),
    ] = None,
    run: Annotated[
        Path | None,
        typer.Option(
            help="Run folder of the bundle: tells by id which records it was fitted on.",
            file_okay=False,
        ),
    ] = None,
    form: Annotated[
        str, typer.Option("--format", help="What to print: table, json or csv.")
    ] = "table",
    out: Annotated[
        Path | None,
        typer.Option(help="Folder to write: evaluation.json, every table as CSV, predictions."),
    ] = None,
    insist: InsistOption = False,
    *,
    options: ReadOptions,
) -> None:
    """Score a cohort with a finished bundle and print its figures by horizon: no fitting."""
    from evaluation.csv_tables import csv_tables
    from evaluation.evaluate import EVALUATION
    from evaluation.evaluate import evaluate as judge
    from records.files.replace import check_free
    from records.learnt.scales import ScaleCounts
    from records.load import load_cohort, row_policy
    from scoring.bundle.reader import read_bundle
    from scoring.runtime.scorer import Scorer

    if form not in FORMATS:
        raise CohortError(f"--format is one of {', '.join(FORMATS)}.")
    if out is not None:
        check_free(out, EVALUATION, overwrite=True)
    opened = read_bundle(bundle)
    own = opened.contract if Path(data).suffix and contract is None else None
    with progress() as report:
        records = load_cohort(
            data,
            data_dir=data_dir,
            students=students,
            seed=seed,
            contract=bundle / "contract.toml" if own else contract,
            on_error=row_policy(on_error),
            insist=insist,
            options=options,
            risk=risk,
            progress=report,
        )
        _check_contract(records, opened)
        chosen = _take(records, cohort)
        notes = _overlap(records, chosen, opened, run)
        scales = ScaleCounts.of_values(chosen.values, opened.reference)
        notes += tuple(scales.unusual(chosen.contract))
        shown = _horizons(horizons, chosen)
        report("Scoring", 0, 1)
        known = _completed(chosen, opened, reference)
        scores = Scorer(opened).score(known.values, known.lengths)
        report("Scoring", 1, 1)
        report("Judging", 0, 1)
        found, risks, forecasts = judge(
            chosen,
            scores.risk,
            scores.score,
            model=f"{opened.manifest.name} {opened.version}",
            data=data,
            naive=_naive(opened),
            notes=notes,
            horizons=shown,
            seed=seed,
        )
        report("Judging", 1, 1)
    if out is not None:
        _write(out, found, chosen, risks, forecasts)
    if form == "json":
        typer.echo(found.model_dump_json(indent=2))
    elif form == "csv":
        typer.echo(csv_tables(found.metrics)["figures"], nl=False)
    else:
        _print(found, chosen, shown)
    for note in found.notes:
        errors.print(f"Note: {note}", soft_wrap=True)
    if out is not None:
        errors.print(f"Wrote {out}.")


def _check_contract(cohort: "Cohort", bundle: "Bundle") -> None:
    if cohort.contract.fingerprint != bundle.contract.fingerprint:
        raise CohortError(
            f"the records follow the contract '{cohort.contract.name}' version "
            f"{cohort.contract.version}, the bundle '{bundle.contract.name}' version "
            f"{bundle.contract.version}, and they are not the same; choose the bundle's data, or "
            "pass its contract.toml (--contract)."
        )


def _completed(cohort: "Cohort", bundle: "Bundle", reference: str) -> "Cohort":
    """Fill relative features in, from the cohort itself or as the service would without it."""
    from records.learnt.relative import fill_relatives, with_own_relatives, without_relatives
    from records.learnt.relative_reference import read_reference
    from scoring.students.relatives import Relatives

    if reference == "batch":
        return with_own_relatives(cohort)
    found = bundle.reference.relative
    if reference != "bundle":
        found = read_reference(Path(reference), bundle.contract)
    relatives = Relatives.from_contract(bundle.contract, found)
    if relatives is None:
        return cohort
    if relatives.default is None:
        raise CohortError(
            "this bundle carries nothing to compare relative features with; export it again from "
            "a run of this version, or pass --reference batch or a file."
        )
    values, _ = fill_relatives(without_relatives(cohort).values, relatives.default)
    return replace(cohort, values=values)


def _overlap(
    records: "Cohort", chosen: "Cohort", bundle: "Bundle", run: Path | None
) -> tuple[str, ...]:
    """Tell whether the records taught the bundle, as far as that is known."""
    if run is not None:
        from pyarrow import parquet

        from training.run_folder import SPLITS, RunFolder

        folder = RunFolder(run)
        if folder.record.fingerprint != bundle.manifest.data_fingerprint:
            raise CohortError(f"{run} is not the run that this bundle was exported from.")
        table = parquet.read_table(folder.path / SPLITS, columns=["id", "part"]).to_pydict()
        taught = [
            record
            for record, part in zip(table["id"], table["part"], strict=True)
            if part in {"train", "validation", "outlying"}
        ]
        known = int(np.isin(chosen.ids, np.array(taught, np.str_)).sum())
        if known:
            taught_it = f"{known:,} of the {len(chosen):,} records taught this bundle"
            return (f"{taught_it}: figures that include them flatter it.",)
        return ()
    if records.fingerprint() == bundle.manifest.data_fingerprint:
        return (_THE_SAME,)
    return ()


def _take(records: "Cohort", names: str | None) -> "Cohort":
    if names is None:
        return records
    wanted = [name.strip() for name in names.split(",")]
    there = sorted(set(records.cohorts.tolist()) - {""})
    if absent := [name for name in wanted if name not in there]:
        raise CohortError(
            f"no record belongs to cohort {', '.join(absent)}; there are {', '.join(there)}."
        )
    return records.take(np.isin(records.cohorts, wanted))


def _horizons(text: str | None, cohort: "Cohort") -> list[int]:
    from evaluation.known import known_risk, known_score
    from evaluation.metrics import spread_horizons

    counting = known_risk(cohort).any(axis=0) | known_score(cohort).any(axis=(0, 2))
    there = (np.flatnonzero(counting) + 1).tolist()
    if text is None:
        return spread_horizons(there)
    clock, last = cohort.contract.periods.name, cohort.contract.periods.maximum
    try:
        wanted = sorted({int(part) for part in text.split(",")})
    except ValueError:
        wanted = []
    if not wanted or wanted[0] < 1 or wanted[-1] > last:
        raise CohortError(f"--horizons are {clock}s from 1 to {last}, such as 1,{last}.")
    return wanted


def _naive(bundle: "Bundle") -> "NaiveFacts | None":
    from evaluation.figures import NaiveFacts

    facts = bundle.manifest.metrics.get("naive")
    return None if facts is None else NaiveFacts.model_validate(facts)


def _write(
    out: Path,
    found: "Evaluation",
    cohort: "Cohort",
    risks: "Mapping[str, Floats]",
    forecasts: "Mapping[str, Floats]",
) -> None:
    from evaluation.csv_tables import csv_tables
    from evaluation.evaluate import EVALUATION, JSON, PREDICTIONS
    from evaluation.predictions import risk_predictions, score_predictions, write_predictions
    from records.files.replace import new_folder

    with new_folder(out, EVALUATION, overwrite=True) as folder:
        (folder / JSON).write_text(found.model_dump_json(indent=2), encoding="utf-8")
        for name, text in csv_tables(found.metrics).items():
            (folder / f"{name}.csv").write_text(text, encoding="utf-8")
        write_predictions(risk_predictions(cohort, risks), folder / PREDICTIONS["risk"])
        write_predictions(score_predictions(cohort, forecasts), folder / PREDICTIONS["score"])


def _print(found: "Evaluation", cohort: "Cohort", horizons: list[int]) -> None:
    from cli.bundles.horizon_tables import comparison_tables, fairness_tables, horizon_tables

    contract = cohort.contract
    intakes = ", ".join(found.cohorts) or "no named intake"
    console.print(
        f"{found.model} on {found.data} ({intakes}): {found.records:,} records, "
        f"{found.judged:,} of them judged."
    )
    # Brier score and RMSE are compared in JSON and CSV.
    shown = [one for one in found.metrics.comparisons if one.figure in {"auc", "mae"}]
    tables = [
        *horizon_tables(found.metrics, contract, horizons),
        *comparison_tables(shown),
    ]
    if found.metrics.fairness is not None:
        tables += fairness_tables(found.metrics.fairness)
    for table in tables:
        console.print(table)
