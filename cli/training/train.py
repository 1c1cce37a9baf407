"""`bellwether train`: from records to a fitted run."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from cli.console import console, progress
from cli.options import (
    ContractOption,
    Data,
    DataDir,
    InsistOption,
    OnErrorOption,
    Outcome,
    Overwrite,
    Seed,
    Students,
    reads_tables,
)
from records.contract import SHIPPED
from records.errors import CohortError
from records.tables.options import ReadOptions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from records.cohort import Cohort
    from training.model import Target
    from training.run_folder import RunFolder
    from training.settings import TrainingSettings


@reads_tables
def train(
    data: Data = "simulated",
    data_dir: DataDir = None,
    out: Annotated[
        Path | None, typer.Option(help="Run folder to write (default: runs/DATA).")
    ] = None,
    contract: ContractOption = None,
    on_error: OnErrorOption = "fail",
    rejects: Annotated[
        Path | None,
        typer.Option(help="Where to set bad rows aside (default: beside the run folder)."),
    ] = None,
    students: Students = 4000,
    seed: Seed = 0,
    risk: Outcome = None,
    preset: Annotated[
        str | None,
        typer.Option(
            help="[bold]papers[/] (both papers' networks and scaling) or [bold]large[/] (departs "
            "from them for long histories); by default what suits the data.",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="Network for both, by its name in [bold]bellwether models[/]: lstm, stacked-lstm, "
            "attention-lstm, lstm-attention, self-attention, each also as …-large.",
        ),
    ] = None,
    risk_model: Annotated[str | None, typer.Option(help="Network for the risk alone.")] = None,
    score_model: Annotated[str | None, typer.Option(help="Network for the score alone.")] = None,
    from_study: Annotated[
        Path | None,
        typer.Option(help="Take the best hyperparameters of a search.", file_okay=False),
    ] = None,
    baselines: Annotated[
        str,
        typer.Option(
            help="What stands beside the networks: [bold]usual[/] (naive rows and boosting), "
            "[bold]papers[/] (and the papers' own baselines), [bold]all[/] or [bold]none[/].",
        ),
    ] = "usual",
    split: Annotated[
        str | None,
        typer.Option(
            help="[bold]stratified-80-20[/], [bold]stratified-70-15-15[/] (both by student) or "
            "[bold]temporal[/] (test on the latest cohorts); by default what suits the data."
        ),
    ] = None,
    select_above: Annotated[
        float | None,
        typer.Option(
            help="Let each network read only the features whose Pearson |r| with its target "
            "reaches this; by default all (semesters: 0.1 for the score).",
            min=0,
            max=0.99,
        ),
    ] = None,
    missing_indicators: Annotated[
        bool | None,
        typer.Option(
            "--missing-indicators/--no-missing-indicators",
            help="Also tell the networks which values were missing; by default for large data.",
        ),
    ] = None,
    iqr_reach: Annotated[
        float,
        typer.Option(
            help="Interquartile ranges beyond the quartiles at which a value is an outlier.",
            min=0.1,
        ),
    ] = 3.0,
    iqr_max_share: Annotated[
        float,
        typer.Option(
            help="Training records with outliers are removed where they are at most this share.",
            min=0,
            max=1,
        ),
    ] = 0.05,
    calibrate: Annotated[
        bool,
        typer.Option(
            "--calibration/--no-calibration",
            help="Calibrate probabilities on held-out records, or serve the network's own (paper A).",
        ),
    ] = True,
    reports: Annotated[
        bool,
        typer.Option(
            "--report/--no-report",
            help="Also write the report, into a folder beside the run (a few seconds).",
        ),
    ] = True,
    overwrite: Overwrite = False,
    insist: InsistOption = False,
    *,
    options: ReadOptions,
) -> None:
    """Fit the risk classifier and the score model, print their figures, write run and report."""
    from cli.bundles.horizon_tables import comparison_tables
    from cli.training.metrics_table import metrics_tables
    from cli.training.split_summary import split_summary
    from records.files.replace import check_free, check_not_an_input
    from records.learnt.scales import narrow_columns
    from records.load import load_cohort, row_policy
    from report.write import REPORT, report_folder, write_report
    from training.run_folder import RUN
    from training.train import train as fit

    target = out or Path("runs") / Path(data).name.partition(".")[0]
    check_free(target, RUN, overwrite=overwrite)
    if reports:
        check_free(report_folder(target), REPORT, overwrite=True)
    policy = row_policy(on_error)
    if policy == "reject-rows" and rejects is None:
        target.parent.mkdir(parents=True, exist_ok=True)
        rejects = target.with_name(f"{target.name}.rejected.csv")
    if rejects is not None:
        check_not_an_input(rejects, [Path(data)])
    with progress() as report:
        cohort = load_cohort(
            data,
            data_dir=data_dir,
            students=students,
            seed=seed,
            contract=contract,
            on_error=policy,
            rejects=rejects,
            insist=insist,
            options=options,
            risk=risk,
            progress=report,
        )
        for line in narrow_columns(cohort):
            console.print(f"Warning: {line}", soft_wrap=True)
        settings = _settings(
            cohort,
            seed,
            preset=preset,
            models={"risk": risk_model or model, "score": score_model or model},
            from_study=from_study,
            baselines=baselines,
            split=split,
            select_above=select_above,
            missing_indicators=missing_indicators,
        ).model_copy(
            update={
                "fence_reach": iqr_reach,
                "outlying_limit": iqr_max_share,
                "calibrate": calibrate,
            }
        )
        run = fit(cohort, target, settings, data=data, overwrite=overwrite, progress=report)
        page = write_report(run, report_folder(target), progress=report) if reports else None
    compared = [one for one in run.metrics.comparisons if one.figure in {"auc", "mae"}]
    for table in [*metrics_tables(run.metrics, run.contract), *comparison_tables(compared)]:
        console.print(table)
    for line in [*split_summary(run), _presets(run), *_left_out(run)]:
        console.print(line)
    for note in run.record.notes:
        console.print(f"Note: {note}")
    policy_option = "" if run.contract.name in SHIPPED else " --policy YOUR-POLICY.toml"
    hint = f"{page}" if page else f"bellwether report {target}"
    console.print(f"Wrote {target}. Tables and figures: {hint}", soft_wrap=True)
    console.print(f"Next: bellwether export {target}{policy_option}")


def _settings(
    cohort: "Cohort",
    seed: int,
    *,
    preset: str | None,
    models: "Mapping[Target, str | None]",
    from_study: Path | None,
    baselines: str,
    split: str | None,
    select_above: float | None,
    missing_indicators: bool | None,
) -> "TrainingSettings":
    """Take the settings that suit the cohort, changed where an option is given."""
    from training.settings import (
        BaselineChoice,
        SplitKind,
        TrainingSettings,
        settings_for,
    )

    chosen = settings_for(cohort, seed=seed).model_dump()
    _choose_networks(chosen, preset, models)
    if from_study is not None:
        from training.studies.search import read_best

        best = read_best(from_study)
        chosen[best.target] = best.preset.model_dump()
    if baselines not in (choices := get_args(BaselineChoice)):
        raise CohortError(f"--baselines is one of {', '.join(choices)}.")
    chosen["baselines"] = baselines
    if split is not None:
        if split not in (kinds := get_args(SplitKind)):
            raise CohortError(f"--split is one of {', '.join(kinds)}.")
        chosen["split"]["kind"] = split
    if select_above is not None:
        chosen["risk_selection"] = chosen["score_selection"] = select_above
    if missing_indicators is not None:
        for target in models:
            chosen[target]["missing_indicators"] = missing_indicators
    return TrainingSettings.model_validate(chosen)


def _choose_networks(
    chosen: dict[str, Any], preset: str | None, models: "Mapping[Target, str | None]"
) -> None:
    """Put the hyperparameters of the named networks into `chosen`."""
    from training.registry import network
    from training.settings import RISK_PRESETS, SCORE_PRESETS

    if preset is not None:
        presets = {"papers": ("paper-a", "paper-b"), "large": ("large", "large")}
        if preset not in presets:
            raise CohortError(f"--preset is one of {', '.join(presets)}.")
        risk, score = presets[preset]
        chosen["risk"] = RISK_PRESETS[risk].model_dump()
        chosen["score"] = SCORE_PRESETS[score].model_dump()
    for target, name in models.items():
        if name is not None:
            found = network(target, name).preset
            chosen[target] = found.model_dump() if found is not None else None


def _presets(run: "RunFolder") -> str:
    """Say which hyperparameters and which scaling the networks had."""
    risk, score = run.record.settings.risk, run.record.settings.score
    return f"Presets: risk {risk.name} ({risk.scaling}), score {score.name} ({score.scaling})"


def _left_out(run: "RunFolder") -> list[str]:
    """Say which features selection kept from the networks."""
    lines = []
    for network, selection in run.record.selection.items():
        names = [feature.feature for feature in selection.features if not feature.kept]
        if names:
            below = f"|r| below {selection.threshold:g}"
            lines.append(f"Not read by the {network} network ({below}): {', '.join(names)}")
    return lines
