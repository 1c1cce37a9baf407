"""A search: every point once, resumable, judged by the validation loss alone."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import optuna
import pytest

from tests.training.small_cohort import small_cohort
from training.data.prepare import prepare
from training.registry import fit_preset
from training.settings import SCORE_PRESETS, Schedule, SplitSettings, TrainingSettings
from training.studies.search import Best, Search, SearchError, open_study, read_best, run_search
from training.studies.search_space import SearchSpace, preset_at

COHORT = small_cohort(150)
BASE = SCORE_PRESETS["paper-b"].model_copy(
    update={"key_size": 2, "dense_units": 4, "schedule": Schedule(epochs=2, patience=1)}
)
GRID = Search(
    target="score",
    sampler="grid",
    space=SearchSpace(heads=(1, 2), units=(3,), learning_rates=(0.001, 0.02), layers=(1,)),
    base=BASE,
    settings=TrainingSettings(split=SplitSettings(kind="stratified-70-15-15")),
)


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Best]:
    """A grid of four points, by two processes."""
    out = tmp_path_factory.mktemp("searches") / "grid"
    return out, run_search(COHORT, out, GRID, workers=2)


def _trials(out: Path) -> list[dict[str, str]]:
    with (out / "trials.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_grid_tries_every_point_once_and_names_the_best(searched: tuple[Path, Best]) -> None:
    out, best = searched
    rows = _trials(out)
    points = {(row["heads"], row["learning_rate"]) for row in rows}
    assert points == {("1", "0.001"), ("1", "0.02"), ("2", "0.001"), ("2", "0.02")}
    assert len(rows) == best.trials == 4
    losses = {int(row["trial"]): float(row["validation_loss"]) for row in rows}
    assert best.validation_loss == min(losses.values()) == losses[best.trial]
    assert read_best(out) == best
    assert best.preset.key_size == 2


def test_the_loss_is_that_of_the_network_on_the_validation_part(
    searched: tuple[Path, Best],
) -> None:
    _, best = searched
    prepared = prepare(COHORT, GRID.settings)
    # A test part of strangers changes nothing: it is not read.
    parts = replace(prepared.parts, test=small_cohort(30, seed=8))
    again = fit_preset(replace(prepared, parts=parts), "score", best.preset, 0, lambda *_: None)
    assert again.network is not None
    history = again.network.history
    found = history.epochs[history.best - 1].validation_loss
    assert found == pytest.approx(best.validation_loss, rel=1e-4)


def test_figures_are_drawn(searched: tuple[Path, Best]) -> None:
    drawn = {path.stem: path.read_text() for path in (searched[0] / "figures").iterdir()}
    assert set(drawn) == {"history", "slices", "parallel-coordinates", "importances"}
    assert all(text.startswith("<svg") for text in drawn.values())
    assert "learning rate" in drawn["importances"]


def test_a_finished_grid_tries_nothing_again(searched: tuple[Path, Best]) -> None:
    out, best = searched
    steps: list[tuple[str, int, int]] = []
    assert run_search(COHORT, out, GRID, progress=lambda *step: steps.append(step)) == best
    assert steps == [("Searching", 4, 4)]


def test_what_was_interrupted_is_tried_again(tmp_path: Path) -> None:
    study = open_study(tmp_path, GRID)
    interrupted = study.ask()
    GRID.space.suggest(interrupted, grid=True)
    again = open_study(tmp_path, GRID)
    waiting = again.get_trials(states=[optuna.trial.TrialState.WAITING])
    points = [trial.system_attrs["fixed_params"] for trial in waiting]
    assert interrupted.params in points
    assert len({str(sorted(point.items())) for point in points}) == 4


def test_another_search_is_not_mixed_in(searched: tuple[Path, Best], tmp_path: Path) -> None:
    out, _ = searched
    with pytest.raises(SearchError, match="something else"):
        run_search(small_cohort(150, seed=4), out, GRID)
    with pytest.raises(SearchError, match="no finished search"):
        read_best(tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(SearchError, match="is no search"):
        run_search(COHORT, tmp_path, GRID)


def test_a_sampler_draws_within_the_space_and_goes_on_for_more(tmp_path: Path) -> None:
    space = SearchSpace(
        heads=(1, 2),
        units=(2, 3),
        learning_rates=(0.001, 0.05),
        layers=(1, 2),
        attention=("none", "before", "after", "only"),
    )
    search = GRID.model_copy(update={"sampler": "tpe", "space": space, "trials": 2})
    run_search(COHORT, tmp_path / "tpe", search)
    more = run_search(COHORT, tmp_path / "tpe", search.model_copy(update={"trials": 3}))
    rows = _trials(tmp_path / "tpe")
    assert more.trials == len(rows) == 3
    assert all(0.001 <= float(row["learning_rate"]) <= 0.05 for row in rows)
    assert {row["attention"] for row in rows} <= set(space.attention)


def test_points_that_differ_in_what_is_not_there_are_one() -> None:
    space = SearchSpace(
        heads=(1, 2),
        units=(8, 16),
        learning_rates=(0.001,),
        attention=("none", "before", "only"),
    )
    grid = space.grid()
    counts = {
        attention: sum(point["attention"] == attention for point in grid)
        for attention in space.attention
    }
    assert counts == {"none": 2, "before": 4, "only": 2}
    preset = preset_at(next(p for p in grid if p["attention"] == "only"), BASE, name="one")
    assert (preset.attention, preset.heads, preset.units) == ("only", 1, 8)
    assert preset.schedule.learning_rate == 0.001
    assert np.isfinite(preset.dropout)
