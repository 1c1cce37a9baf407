"""From a cohort to a run folder: split, learn, judge, write.

TensorFlow is imported only once the cohort has been found good enough to train on, so that a
message about what is missing comes at once.
"""

import itertools
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from records.cohort import Cohort
from records.progress import Progress
from training.baselines import RISK_BASELINES, SCORE_BASELINES, fit_baselines
from training.environment import environment
from training.figures import RiskTable, RunMetrics, ScoreTable
from training.metrics import THRESHOLD, risk_report, score_report
from training.parts import Baseline
from training.prepare import Prepared, prepare
from training.run_folder import RunFolder, RunRecord, check_free, new_run_folder
from training.settings import TrainingSettings
from training.write_run import write_run


def train(
    cohort: Cohort,
    out: Path,
    settings: TrainingSettings,
    *,
    data: str,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> RunFolder:
    """Fit both networks and all baselines, judge them on the test part, and write a run folder.

    Args:
        cohort: All records.
        out: Folder to write. It appears only when the run is complete.
        settings: See `training.settings.settings_for` for sensible ones.
        data: What the cohort is, for the record: a named data set or the path of a table.
        overwrite: Whether a run that is in `out` gives way.
        progress: Called with stage, step and number of steps.

    Raises:
        CohortError: Something that training needs is missing; the message says what.
        RunFolderError: `out` is in use.
        FitError: A network diverged.
    """
    started, clock = datetime.now(UTC), time.monotonic()
    report = progress or (lambda *_: None)
    check_free(out, overwrite=overwrite)
    report("Splitting and learning statistics", 0, 1)
    prepared = prepare(cohort, settings)
    report("Splitting and learning statistics", 1, 1)

    report("Starting TensorFlow", 0, 1)
    from training.fit_networks import fit_risk, fit_score  # noqa: PLC0415 - takes seconds

    report("Starting TensorFlow", 1, 1)
    fitted = {
        "risk": fit_risk(prepared, settings, _epochs(report, "Fitting the risk network")),
        "score": fit_score(prepared, settings, _epochs(report, "Fitting the score network")),
    }
    risk_baselines, score_baselines = _fit_baselines(prepared, settings.seed, report)
    test = prepared.parts.test
    metrics = RunMetrics(
        threshold=THRESHOLD,
        risk=RiskTable(
            network=risk_report(test, fitted["risk"].predicted),
            baselines={k: risk_report(test, v.predicted) for k, v in risk_baselines.items()},
        ),
        score=ScoreTable(
            network=score_report(test, fitted["score"].predicted),
            baselines={k: score_report(test, v.predicted) for k, v in score_baselines.items()},
        ),
    )
    record = RunRecord(
        name=out.name,
        data=data,
        contract=cohort.contract.name,
        settings=settings,
        seed=settings.seed,
        fingerprint=cohort.fingerprint(),
        parts={name: len(rows) for name, rows in prepared.split.parts().items()},
        outlying=int(prepared.outlying.sum()),
        networks={name: one.summary for name, one in fitted.items()},
        selection=prepared.selection,
        baselines={
            "risk": {name: baseline.reads for name, baseline in risk_baselines.items()},
            "score": {name: baseline.reads for name, baseline in score_baselines.items()},
        },
        notes=prepared.notes,
        environment=environment(),
        started=started,
        seconds=time.monotonic() - clock,
    )
    report("Writing the run", 0, 1)
    with new_run_folder(out, overwrite=overwrite) as folder:
        write_run(
            folder,
            cohort,
            prepared,
            networks={name: one.network for name, one in fitted.items()},
            histories={name: one.history for name, one in fitted.items()},
            metrics=metrics,
            record=record,
        )
    report("Writing the run", 1, 1)
    return RunFolder(out)


def _epochs(report: Progress, stage: str) -> Callable[[int, int], None]:
    return lambda epoch, epochs: report(stage, epoch, epochs)


def _fit_baselines(
    prepared: Prepared, seed: int, report: Progress
) -> tuple[dict[str, Baseline], dict[str, Baseline]]:
    total = len(RISK_BASELINES) + len(SCORE_BASELINES)
    done = itertools.count(1)

    def on_fitted() -> None:
        report("Fitting the baselines", next(done), total)

    report("Fitting the baselines", 0, total)
    return (
        fit_baselines(RISK_BASELINES, prepared.parts, seed=seed, on_fitted=on_fitted),
        fit_baselines(SCORE_BASELINES, prepared.parts, seed=seed, on_fitted=on_fitted),
    )
