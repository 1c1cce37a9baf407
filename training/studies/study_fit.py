"""Fit the cells of a comparison, one after the other or in several processes."""

import json
import multiprocessing
import os
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from records.arrays import Floats
from records.cohort import Cohort
from records.progress import Progress
from training.data.prepare import Prepared, prepare
from training.environment import environment
from training.registry import model
from training.settings import SplitKind
from training.studies.study import (
    PARTS,
    STUDY,
    Cell,
    CellFacts,
    Plan,
    StudyError,
    cell_key,
    cells,
    judged,
    read_facts,
    split_settings,
)


def run_study(
    cohort: Cohort,
    out: Path,
    plan: Plan,
    *,
    workers: int = 1,
    progress: Progress | None = None,
) -> Path:
    """Fit every cell that `out` does not hold yet.

    Args:
        cohort: All records.
        out: Folder of the study, new or one to go on with.
        plan: What to compare.
        workers: Processes that fit at the same time; each holds the cohort.
        progress: Called with stage, step and number of steps.

    Returns:
        `out`.

    Raises:
        StudyError: `out` holds something else.
        CohortError: Something that training needs is missing.
        UnknownModelError: A name that is not in the registry.
        FitError: A network diverged.
    """
    if out.exists() and any(out.iterdir()) and not (out / STUDY).is_file():
        raise StudyError(f"{out} exists and is no study; choose another folder.")
    todo = list(cells(plan))
    fingerprint = cohort.fingerprint()
    out.mkdir(parents=True, exist_ok=True)
    record = {"plan": plan.model_dump(), "fingerprint": fingerprint, "environment": environment()}
    _write(out / STUDY, json.dumps(record, indent=2).encode())
    missing = [
        cell
        for cell in todo
        if read_facts(out, cell, cell_key(cell, plan, cohort, fingerprint)) is None
    ]
    report = progress or (lambda *_: None)
    stage, total = f"Fitting {plan.data}", len(todo)
    report(stage, total - len(missing), total)
    work = _Work(cohort, out, plan, fingerprint)
    several = workers > 1 and len(missing) > 1
    done = _in_processes(work, missing, workers) if several else _here(work, missing)
    for number, _ in enumerate(done, start=1):
        report(stage, total - len(missing) + number, total)
    return out


@dataclass(frozen=True, eq=False)
class _Work:
    """What a process needs to fit cells."""

    cohort: Cohort
    out: Path
    plan: Plan
    fingerprint: str

    @cache  # noqa: B019 - lives as long as the process
    def prepared(self, split: SplitKind) -> Prepared:
        return prepare(self.cohort, split_settings(self.cohort, self.plan, split))

    def fit(self, cell: Cell) -> None:
        prepared = self.prepared(cell.split)
        row = model(cell.target, cell.model)
        started = time.monotonic()
        fitted = row.fit(prepared, cell.seed, lambda *_: None)
        seconds = time.monotonic() - started
        predicted: dict[str, Floats] = {}
        if fitted is not None:
            for part in PARTS:
                of: Cohort = getattr(prepared.parts, part)
                steps = judged(of, cell.target, self.plan.horizons)
                predicted[part] = fitted.predict(of, steps)[steps]
        history = fitted.network.history if fitted is not None and fitted.network else None
        facts = CellFacts(
            key=cell_key(cell, self.plan, self.cohort, self.fingerprint),
            absent=fitted is None,
            seconds=seconds,
            epochs=len(history.epochs) if history else None,
            best=history.best if history else None,
        )
        path = cell.path(self.out, ".npz")
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{uuid.uuid4().hex}.npz")
        np.savez_compressed(unfinished, allow_pickle=False, **predicted)
        unfinished.rename(path)
        _write(cell.path(self.out, ".json"), facts.model_dump_json(indent=2).encode())


def _here(work: _Work, missing: list[Cell]) -> Iterator[Cell]:
    for cell in missing:
        work.fit(cell)
        yield cell


_work: _Work | None = None


def _start(work: _Work) -> None:
    global _work  # noqa: PLW0603 - a process of its own
    # One thread each: the processes share the cores.
    for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ[name] = "1"
    _work = work


def _fit(cell: Cell) -> Cell:
    if _work is None:
        raise RuntimeError("the process was not started for a study")
    _work.fit(cell)
    return cell


def _in_processes(work: _Work, missing: list[Cell], workers: int) -> Iterator[Cell]:
    # TensorFlow does not survive a fork.
    context = multiprocessing.get_context("spawn")
    count = min(workers, len(missing))
    with ProcessPoolExecutor(
        count, mp_context=context, initializer=_start, initargs=(work,)
    ) as pool:
        futures = [pool.submit(_fit, cell) for cell in missing]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _write(path: Path, content: bytes) -> None:
    unfinished = path.with_name(f".{uuid.uuid4().hex}")
    unfinished.write_bytes(content)
    unfinished.rename(path)
