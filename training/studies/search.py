"""Search hyperparameters: a grid as in paper B, or Optuna's sampler; resumable and parallel.

    search.json   what is searched, on what
    study.db      Optuna's study in SQLite: every trial, as soon as it is finished
    trials.csv    the same as a table
    best.json     the best hyperparameters, which `train --from-study` reads
    figures/      history, importances, slices and parallel coordinates

A trial is judged by its validation loss alone; the test part is never looked at.
"""

import csv
import json
import os
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Literal

import optuna
from optuna.trial import FrozenTrial, TrialState
from pydantic import BaseModel, ConfigDict, ValidationError

from records.cohort import Cohort
from records.errors import BellwetherError
from records.progress import Progress
from training.data.prepare import Prepared, prepare
from training.model import Target
from training.registry import fit_preset
from training.settings import NetworkPreset, TrainingSettings
from training.studies.search_space import SearchSpace, preset_at

SEARCH, STORAGE, TRIALS, BEST = "search.json", "study.db", "trials.csv", "best.json"
Sampler = Literal["grid", "tpe"]


class SearchError(BellwetherError):
    """A search cannot be made or read where it was asked for."""


class Search(BaseModel):
    """What is searched; kept in `search.json`.

    Attributes:
        target: Whose network.
        sampler: `grid`: every combination (paper B); `tpe`: tree-structured Parzen estimator.
        space: What is tried.
        base: All other hyperparameters.
        settings: Of split and selection.
        trials: How many the sampler draws; a grid has as many as it has points.
        seed: Of the sampler and of every network.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    target: Target
    sampler: Sampler
    space: SearchSpace
    base: NetworkPreset
    settings: TrainingSettings
    trials: int = 30
    seed: int = 0


class Best(BaseModel):
    """The best trial: `best.json`.

    Attributes:
        target: Whose network.
        validation_loss: Its best epoch's.
        trial: Its number.
        trials: How many were finished.
        preset: Its hyperparameters.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    target: Target
    validation_loss: float
    trial: int
    trials: int
    preset: NetworkPreset


@dataclass(frozen=True)
class Judged:
    """How a trial's fit went."""

    loss: float
    epochs: int
    seconds: float
    parameters: int


def run_search(
    cohort: Cohort,
    out: Path,
    search: Search,
    *,
    workers: int = 1,
    progress: Progress | None = None,
) -> Best:
    """Try what `out` does not hold yet, and write tables, figures and the best hyperparameters.

    Args:
        cohort: All records.
        out: Folder of the search, new or one to go on with (also with more trials).
        search: What to search.
        workers: Networks that are fitted at the same time, each in a process.
        progress: Called with stage, step and number of steps.

    Raises:
        SearchError: `out` holds another search, or no trial could be fitted.
        CohortError: Something that training needs is missing.
    """
    from training.studies.search_figures import draw_search  # noqa: PLC0415 - Altair takes a second

    _claim(out, search, cohort.fingerprint())
    study = open_study(out, search)
    prepared = prepare(cohort, search.settings)
    report = progress or (lambda *_: None)
    total = len(search.space.grid()) if search.sampler == "grid" else search.trials
    done = len(study.get_trials(states=[TrialState.COMPLETE]))
    report("Searching", min(done, total), total)
    for _ in _tried(study, search, prepared, total - done, workers):
        done += 1
        report("Searching", min(done, total), total)
    finished = study.get_trials(states=[TrialState.COMPLETE])
    if not finished:
        raise SearchError("no trial could be fitted; lower the learning rates.")
    _write_trials(finished, out / TRIALS)
    draw_search(study, out / "figures")
    number = study.best_trial.number
    best = Best(
        target=search.target,
        validation_loss=study.best_value,
        trial=number,
        trials=len(finished),
        preset=preset_at(study.best_params, search.base, name=f"{out.name}-{number}"),
    )
    (out / BEST).write_text(best.model_dump_json(indent=2), encoding="utf-8")
    return best


def read_best(folder: Path) -> Best:
    """Read the best hyperparameters of a search.

    Raises:
        SearchError: There are none.
    """
    try:
        return Best.model_validate_json((folder / BEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SearchError(
            f"{folder} holds no finished search; make one with `bellwether search`."
        ) from None
    except ValidationError as error:
        raise SearchError(f"{folder / BEST} is not what this version writes.\n{error}") from None


def open_study(out: Path, search: Search) -> optuna.Study:
    """Open or make the study, and give back what an interrupted search left unfinished."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        storage=f"sqlite:///{out / STORAGE}",
        study_name=search.target,
        direction="minimize",
        sampler=optuna.samplers.TPESampler(seed=search.seed),
        load_if_exists=True,
    )
    for trial in study.get_trials(states=[TrialState.RUNNING]):
        study.tell(trial.number, state=TrialState.FAIL)
        study.enqueue_trial(trial.params)
    if search.sampler == "grid":
        for point in search.space.grid():
            study.enqueue_trial(dict(point), skip_if_exists=True)
    return study


def _claim(out: Path, search: Search, fingerprint: str) -> None:
    """Write what is searched, or compare it with what is there."""
    asked = {"fingerprint": fingerprint, **search.model_dump(mode="json", exclude={"trials"})}
    path = out / SEARCH
    if path.is_file():
        if json.loads(path.read_text(encoding="utf-8")) != asked:
            raise SearchError(f"{out} holds a search of something else; choose another folder.")
        return
    if out.exists() and any(out.iterdir()):
        raise SearchError(f"{out} exists and is no search; choose another folder.")
    out.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asked, indent=2), encoding="utf-8")


def _tried(
    study: optuna.Study, search: Search, prepared: Prepared, missing: int, workers: int
) -> Iterator[None]:
    """Ask for points, fit them, tell their losses; only this process touches the study."""
    grid = search.sampler == "grid"
    running: dict[Future[Judged], optuna.Trial] = {}
    with _pool(prepared, search, workers) as pool:
        while missing > 0 or running:
            while missing > 0 and len(running) < workers:
                trial = study.ask()
                point = search.space.suggest(trial, grid=grid)
                preset = preset_at(point, search.base, name=f"trial-{trial.number}")
                running[pool.submit(_fit, preset)] = trial
                missing -= 1
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                trial = running.pop(future)
                error = future.exception()
                if isinstance(error, BellwetherError):  # it diverged: a result, too
                    study.tell(trial, state=TrialState.FAIL)
                else:
                    _tell(study, trial, future.result())
                yield


def _tell(study: optuna.Study, trial: optuna.Trial, judged: Judged) -> None:
    for name in ("epochs", "seconds", "parameters"):
        trial.set_user_attr(name, getattr(judged, name))
    study.tell(trial, judged.loss)


def _pool(prepared: Prepared, search: Search, workers: int) -> ProcessPoolExecutor:
    # TensorFlow does not survive a fork.
    return ProcessPoolExecutor(
        workers,
        mp_context=get_context("spawn"),
        initializer=_start,
        initargs=(prepared, search.target, search.seed),
    )


_given: tuple[Prepared, Target, int] | None = None


def _start(prepared: Prepared, target: Target, seed: int) -> None:
    global _given  # noqa: PLW0603 - a process of its own
    for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ[name] = "1"
    _given = prepared, target, seed


def _fit(preset: NetworkPreset) -> Judged:
    if _given is None:
        raise RuntimeError("the process was not started for a search")
    prepared, target, seed = _given
    network = fit_preset(prepared, target, preset, seed, lambda *_: None).network
    if network is None:
        raise RuntimeError("a preset fits a network")
    history = network.history
    return Judged(
        loss=history.epochs[history.best - 1].validation_loss,
        epochs=len(history.epochs),
        seconds=history.seconds,
        parameters=int(network.keras.count_params()),
    )


def _write_trials(trials: list[FrozenTrial], path: Path) -> None:
    names = list(dict.fromkeys(name for trial in trials for name in trial.params))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["trial", "validation_loss", *names, "epochs", "seconds", "parameters"])
        for trial in trials:
            attributes = (
                trial.user_attrs.get(name) for name in ("epochs", "seconds", "parameters")
            )
            values = (trial.params.get(name) for name in names)
            writer.writerow([trial.number, trial.value, *values, *attributes])
