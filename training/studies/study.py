"""A comparison: many models x seeds x splits, every cell fitted once and kept on disk.

    study.json                             what was compared, on what
    cells/TARGET/SPLIT/MODEL-SEED.npz      one fitted model's predictions for validation and test part
    cells/TARGET/SPLIT/MODEL-SEED.json     how long it took; written last, so that a cell is whole

A study that was interrupted goes on where it stopped; one that is asked for more fits only that.
The split is the same for all seeds: what differs between them is the model's own chance.
"""

import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from evaluation.known import known_risk, known_score, last_known
from records.arrays import Bools, Floats
from records.cohort import Cohort
from records.errors import BellwetherError
from training.data.prepare import prepare
from training.model import TARGETS, Target
from training.registry import model
from training.settings import SplitKind, SplitSettings, TrainingSettings, settings_for

STUDY, CELLS = "study.json", "cells"
PARTS = ("validation", "test")

# Nothing in them is drawn at random.
_WITHOUT_CHANCE = {"naive", "linear"}


class StudyError(BellwetherError):
    """A study cannot be made or read where it was asked for."""


class Plan(BaseModel):
    """What to compare.

    Attributes:
        data: What the cohort is, for the record.
        models: 'risk' and 'score' -> names in the registry; an empty list leaves a target out.
        splits: Each is a comparison of its own.
        seeds: Of the models; those without chance are fitted with the first only.
        once: Models that the first seed is enough for: costly ones beside the point.
        horizons: Periods to judge at, from 1; each record's last counting period is judged beside
            them.
        test_cohorts: Of the temporal split; empty for the latest.
        split_seed: Decides who is in which part of a stratified split.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: str
    models: dict[Target, tuple[str, ...]]
    splits: tuple[SplitKind, ...]
    seeds: tuple[int, ...] = (0, 1, 2)
    once: tuple[str, ...] = ()
    horizons: tuple[int, ...]
    test_cohorts: tuple[str, ...] = ()
    split_seed: int = 0


@dataclass(frozen=True)
class Cell:
    """One model on one split with one seed."""

    target: Target
    split: SplitKind
    model: str
    seed: int

    def path(self, out: Path, suffix: str) -> Path:
        """Return where its predictions (`.npz`) or facts (`.json`) lie."""
        return out / CELLS / self.target / self.split / f"{self.model}-{self.seed}{suffix}"


class CellFacts(BaseModel):
    """How one cell was made.

    Attributes:
        key: Of everything that decides its predictions; another key means another cell.
        absent: Whether the contract gives the model no ground, so that there are no predictions.
        seconds: Wall-clock time of the fit.
        epochs: Of a network, how many were run.
        best: Of a network, the epoch whose weights were kept.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    absent: bool
    seconds: float
    epochs: int | None = None
    best: int | None = None


def cells(plan: Plan) -> Iterator[Cell]:
    """Return every cell of a plan, quick families first."""
    for split, target in itertools.product(plan.splits, TARGETS):
        for name in plan.models.get(target, ()):
            seeds = plan.seeds
            if name in plan.once or model(target, name).family in _WITHOUT_CHANCE:
                seeds = seeds[:1]
            for seed in seeds:
                yield Cell(target, split, name, seed)


def split_settings(cohort: Cohort, plan: Plan, split: SplitKind) -> TrainingSettings:
    """Return the settings of one split of a study."""
    settings = settings_for(cohort, seed=plan.split_seed)
    tested = plan.test_cohorts if split == "temporal" else ()
    divided = SplitSettings(kind=split, test_cohorts=tested)
    return settings.model_copy(update={"split": divided})


def judged(cohort: Cohort, target: Target, horizons: tuple[int, ...]) -> Bools:
    """Tell which steps of a part are judged: (records, periods).

    Those that count at the horizons, and each record's last that counts.
    """
    known = known_risk(cohort) if target == "risk" else known_score(cohort).any(axis=2)
    period = np.arange(known.shape[1]) + 1
    chosen = known & np.isin(period, horizons)
    last = last_known(np.asarray(known))
    rows = np.flatnonzero(last >= 0)
    chosen[rows, last[rows]] = True
    return np.asarray(chosen)


@dataclass(frozen=True, eq=False)
class Prediction:
    """One cell's predictions for one part.

    Attributes:
        cell: Which one.
        facts: How it was made.
        cohort: The part, eligible only where it was judged.
        predicted: (records, periods[, subjects]), NaN elsewhere.
    """

    cell: Cell
    facts: CellFacts
    cohort: Cohort
    predicted: Floats


def predictions(cohort: Cohort, out: Path, plan: Plan, part: str = "test") -> Iterator[Prediction]:
    """Read a finished study's predictions for a part, cell by cell; absent models are left out.

    Raises:
        StudyError: A cell is missing, or was made from other data or other hyperparameters.
    """
    for (one,) in of_parts(cohort, out, plan, (part,)):
        yield one


def of_parts(
    cohort: Cohort, out: Path, plan: Plan, parts: tuple[str, ...] = PARTS
) -> Iterator[tuple[Prediction, ...]]:
    """Read a finished study's predictions for several parts, cell by cell; absent models are left out.

    Yields:
        One prediction for each of `parts`, in their order.

    Raises:
        StudyError: A cell is missing, or was made from other data or other hyperparameters.
    """
    fingerprint = cohort.fingerprint()
    for split in plan.splits:
        divided = prepare(cohort, split_settings(cohort, plan, split)).parts
        for cell in cells(plan):
            if cell.split != split:
                continue
            facts = read_facts(out, cell, cell_key(cell, plan, cohort, fingerprint))
            if facts is None:
                raise StudyError(f"{out} lacks {cell}; run the comparison again to complete it.")
            if not facts.absent:
                with np.load(cell.path(out, ".npz")) as found:
                    yield tuple(
                        _laid_out(cell, facts, getattr(divided, part), found[part], plan)
                        for part in parts
                    )


def _laid_out(cell: Cell, facts: CellFacts, of: Cohort, flat: Floats, plan: Plan) -> Prediction:
    """Put the judged steps of a part, (steps[, subjects]), back in their places."""
    steps = judged(of, cell.target, plan.horizons)
    predicted = np.full((*steps.shape, *flat.shape[1:]), np.nan, np.float32)
    predicted[steps] = flat
    return Prediction(cell, facts, replace(of, eligible=of.eligible & steps), predicted)


def cell_key(cell: Cell, plan: Plan, cohort: Cohort, fingerprint: str) -> str:
    """Hash everything that decides what a cell predicts, and where."""
    settings = split_settings(cohort, plan, cell.split)
    # What is not used decides nothing: a hyperparameter that other models learn to have leaves the
    # cells of those without it as they are.
    used = model(cell.target, cell.model).hyperparameters.items()
    decides: Mapping[str, Any] = {
        "data": fingerprint,
        "model": {name: value for name, value in used if value is not None},
        "split": settings.split.model_dump(),
        "selection": [settings.risk_selection, settings.score_selection],
        "outlying": [settings.fence_reach, settings.outlying_limit],
        "split_seed": plan.split_seed,
        "horizons": plan.horizons,
    }
    return hashlib.sha256(json.dumps(decides, sort_keys=True, default=str).encode()).hexdigest()


def read_facts(out: Path, cell: Cell, key: str) -> CellFacts | None:
    """Read how a cell was made; None where it is missing or something else decided it."""
    path = cell.path(out, ".json")
    if not path.is_file():
        return None
    facts = CellFacts.model_validate_json(path.read_bytes())
    return facts if facts.key == key else None
