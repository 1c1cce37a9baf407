"""Reproduce every table of the documents: the papers' models on public and simulated data.

Each run is a comparison (`training.studies.study`) in a folder of its own, so that all of it can be
interrupted and goes on where it stopped.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from records.load import load_cohort
from records.progress import Progress
from training.model import Target
from training.settings import SplitKind
from training.studies.papers import Paper
from training.studies.study import Plan
from training.studies.study_fit import run_study
from training.studies.study_summary import summarise
from training.studies.study_tables import StudyTable

_NAIVE_SCORE = ("mean", "last_score", "mean_so_far")
_PAPER_B = ("linear_regression", "ridge", "svr", "dnn")
_BOOSTING = ("boosting", "boosting_by_horizon")
_RISK = ("base_rate", "last_value", "svm", "random_forest", "ann", *_BOOSTING)
_SCORE = (*_NAIVE_SCORE, *_PAPER_B, *_BOOSTING)
_NETWORKS = ("lstm", "stacked-lstm", "attention-lstm", "lstm-attention", "self-attention")
_LARGE = tuple(f"{name}-large" for name in _NETWORKS)
# Of these the tables show that they are no better, not how much chance is in them.
_ONCE = (
    *("svm", "svr", "boosting_by_horizon"),
    *("stacked-lstm", "lstm-attention", "self-attention"),
    *("lstm-calibrated", "distilled-lstm-calibrated"),
    *("stacked-lstm-large", "lstm-attention-large", "self-attention-large"),
)


@dataclass(frozen=True)
class Run:
    """One comparison of the reproduction.

    Attributes:
        name: Of its folder.
        title: What it shows.
        data: A named data set.
        models: 'risk' and 'score' -> names in the registry.
        splits: See `training.settings.SplitSettings`.
        horizons: Periods to judge at.
        seeds: How many.
        students: To simulate.
        test_cohorts: Of the temporal split.
        paper: Whose figures stand beside ours.
    """

    name: str
    title: str
    data: str
    models: dict[Target, tuple[str, ...]]
    splits: tuple[SplitKind, ...]
    horizons: tuple[int, ...]
    seeds: int = 3
    students: int = 4000
    test_cohorts: tuple[str, ...] = ()
    paper: Paper | None = None

    @property
    def plan(self) -> Plan:
        """The comparison's plan."""
        return Plan(
            data=self.data,
            models=self.models,
            splits=self.splits,
            seeds=tuple(range(self.seeds)),
            once=_ONCE,
            horizons=self.horizons,
            test_cohorts=self.test_cohorts,
        )


RUNS = (
    Run(
        name="simulated",
        title="Paper A's models on simulated students",
        data="simulated",
        models={"risk": (*_RISK, *_NETWORKS, "lstm-calibrated"), "score": ()},
        splits=("stratified-80-20",),
        horizons=(2, 4, 6, 8),
        paper="paper A",
    ),
    Run(
        name="semesters",
        title="Paper B's models on simulated semesters, by subject",
        data="semesters",
        models={"risk": (), "score": (*_SCORE, *_NETWORKS)},
        splits=("stratified-70-15-15",),
        horizons=(1, 2, 3, 4, 5, 6),
        students=1000,
        paper="paper B",
    ),
    Run(
        name="oulad",
        title="Open University: risk and next tutor-marked score, trained on 2013, tested on 2014B",
        data="oulad",
        models={
            "risk": (*_RISK, *_LARGE, "distilled-lstm", "distilled-lstm-calibrated"),
            "score": (*_SCORE, *_LARGE, "attention-lstm-huber", "attention-lstm-quantile"),
        },
        splits=("temporal",),
        horizons=(4, 8, 12, 16),
        test_cohorts=("2014B",),
    ),
    Run(
        name="midfield",
        title="MIDFIELD: next term's grade point average x 25 after one to six terms",
        data="midfield",
        models={
            "risk": (),
            "score": (*_SCORE, *_LARGE, "attention-lstm-huber", "attention-lstm-quantile-many"),
        },
        splits=("temporal",),
        horizons=(1, 2, 3, 4, 5, 6),
        seeds=2,
    ),
    Run(
        name="oulad-stratified",
        title="Open University, split at random as the papers did: easier than a later cohort",
        data="oulad",
        models={"risk": ("base_rate", "boosting", "lstm-large"), "score": ()},
        splits=("stratified-80-20", "stratified-70-15-15"),
        horizons=(4, 8, 12, 16),
        seeds=1,
    ),
)


def small(run: Run) -> Run:
    """Return a run that shows in a minute that everything works; its figures mean nothing."""
    quick = ("base_rate", "mean", "last_score", "ridge", "random_forest", "lstm")
    models: dict[Target, tuple[str, ...]] = {
        target: tuple(name for name in names if name in quick)
        for target, names in run.models.items()
    }
    return replace(run, models=models, students=160, seeds=1, horizons=run.horizons[:2])


def reproduce(
    run: Run,
    out: Path,
    *,
    data_dir: Path | None = None,
    workers: int = 1,
    progress: Progress | None = None,
) -> list[StudyTable]:
    """Make one run, or what of it is missing, and return its tables.

    Args:
        run: What to compare.
        out: Folder of the whole reproduction; the run is in the folder of its name.
        data_dir: Folder of the run's official files, for `oulad` and `midfield`.
        workers: Processes that fit at the same time.
        progress: Called with stage, step and number of steps.
    """
    cohort = load_cohort(
        run.data, data_dir=data_dir, students=run.students, seed=0, progress=progress
    )
    plan, folder = run.plan, out / run.name
    run_study(cohort, folder, plan, workers=workers, progress=progress)
    return summarise(cohort, folder, plan, paper=run.paper)


def results(found: Iterable[tuple[Run, list[StudyTable]]]) -> str:
    """Return all tables as one Markdown document."""
    parts = []
    for run, printed in found:
        parts += [f"## {run.title}", "", *(table.markdown() for table in printed)]
    return "\n".join(parts)
