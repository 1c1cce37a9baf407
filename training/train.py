"""From a cohort to a run folder: split, learn, judge, write.

TensorFlow is imported only once the cohort has been found good enough to train on, so that a
message about what is missing comes at once.
"""

import itertools
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np

from evaluation.metrics import run_metrics
from evaluation.naive import learn_naive
from evaluation.predictions import risk_predictions, score_predictions
from records.cohort import Cohort
from records.files.replace import check_free, new_folder
from records.progress import Progress
from training.data.prepare import Prepared, prepare
from training.data.targets import known_risk, known_score
from training.environment import environment
from training.fitting.serving_models import fit_served
from training.model import TARGETS, Fitted, FittedNetwork, Target
from training.registry import baselines
from training.run_folder import RUN, FitSummary, RunFolder, RunRecord
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
        CohortError: Something that training needs is missing; the message names it.
        ReplaceError: Something is in the way at `out`.
        FitError: A network diverged.
    """
    started, clock = datetime.now(UTC), time.monotonic()
    report = progress or (lambda *_: None)
    check_free(out, RUN, overwrite=overwrite)
    report("Splitting and learning statistics", 0, 1)
    prepared = prepare(cohort, settings)
    report("Splitting and learning statistics", 1, 1)

    report("Starting TensorFlow", 0, 1)
    import training.fitting.fit_networks  # noqa: F401, PLC0415 - takes seconds, here as a stage of its own

    report("Starting TensorFlow", 1, 1)
    served = fit_served(prepared, settings, partial(_epochs, report))
    fitted, networks = served.fitted, served.networks
    beside = _fit_baselines(prepared, settings, report)
    test = prepared.parts.test
    report("Judging on the test part", 0, 1)
    risk = {"network": fitted["risk"].predict(test)} | {
        name: one.predict(test, known_risk(test)) for name, one in beside["risk"].items()
    }
    counting = np.asarray(known_score(test).any(axis=2))
    score = {"network": fitted["score"].predict(test)} | {
        name: one.predict(test, counting) for name, one in beside["score"].items()
    }
    metrics = run_metrics(
        test,
        risk,
        score,
        uncalibrated=served.uncalibrated.predict(test),
        naive=learn_naive(prepared.parts.train),
        seed=settings.seed,
    )
    report("Judging on the test part", 1, 1)
    record = RunRecord(
        name=out.name,
        data=data,
        contract=cohort.contract.name,
        settings=settings,
        seed=settings.seed,
        fingerprint=cohort.fingerprint(),
        parts={name: len(rows) for name, rows in prepared.split.parts().items()},
        outlying=int(prepared.outlying.sum()),
        networks={name: _summary(one) for name, one in networks.items()},
        selection=prepared.selection,
        baselines={
            target: {name: one.reads for name, one in rows.items()}
            for target, rows in beside.items()
        },
        notes=prepared.notes,
        environment=environment(),
        started=started,
        seconds=time.monotonic() - clock,
    )
    report("Writing the run", 0, 1)
    with new_folder(out, RUN, overwrite=overwrite) as folder:
        write_run(
            folder,
            cohort,
            prepared,
            networks={name: one.keras for name, one in networks.items()},
            histories={name: one.history for name, one in networks.items()},
            calibration=served.calibration,
            intervals=served.intervals,
            metrics=metrics,
            predictions=(risk_predictions(test, risk), score_predictions(test, score)),
            record=record,
        )
    report("Writing the run", 1, 1)
    return RunFolder(out)


def _epochs(report: Progress, stage: str) -> Callable[[int, int], None]:
    return lambda epoch, epochs: report(stage, epoch, epochs)


def _fit_baselines(
    prepared: Prepared, settings: TrainingSettings, report: Progress
) -> dict[Target, dict[str, Fitted]]:
    """Fit what stands beside the networks; what the contract gives no ground for is absent."""
    chosen = {target: baselines(target, settings.baselines) for target in TARGETS}
    total = sum(map(len, chosen.values()))
    done = itertools.count(1)
    report("Fitting the baselines", 0, total)
    found: dict[Target, dict[str, Fitted]] = {target: {} for target in TARGETS}
    for target, models in chosen.items():
        for model in models:
            fitted = model.fit(prepared, settings.seed, lambda *_: None)
            if fitted is not None:
                found[target][model.name] = fitted
            report("Fitting the baselines", next(done), total)
    return found


def _summary(network: FittedNetwork) -> FitSummary:
    history = network.history
    return FitSummary(
        preset=network.preset.name,
        parameters=int(network.keras.count_params()),
        epochs=len(history.epochs),
        best=history.best,
        stopped_early=history.stopped_early,
        seconds=history.seconds,
    )
