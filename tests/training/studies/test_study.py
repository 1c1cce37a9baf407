"""A comparison: every cell once, resumable, and its tables."""

import csv
import dataclasses
from pathlib import Path

import numpy as np
import pytest

from evaluation.known import known_risk, known_score
from evaluation.metrics import risk_report
from tests.training.small_cohort import small_cohort
from training.data.prepare import prepare
from training.fitting.calibration_data import HeldOutPredictions
from training.fitting.intervals import learn_intervals
from training.registry import MODELS, model
from training.studies.study import Plan, StudyError, cells, judged, predictions, split_settings
from training.studies.study_fit import run_study
from training.studies.study_intervals import differences
from training.studies.study_summary import summarise
from training.studies.study_tables import figures, tables

COHORT = small_cohort(400, students=350)
PLAN = Plan(
    data="small",
    models={
        "risk": ("base_rate", "random_forest", "boosting"),
        "score": ("last_score", "ridge", "svr"),
    },
    splits=("temporal", "stratified-80-20"),
    seeds=(0, 1),
    horizons=(2, 4),
)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_study(COHORT, tmp_path_factory.mktemp("studies") / "small", PLAN)


def _stamps(study: Path) -> dict[str, int]:
    return {str(path.relative_to(study)): path.stat().st_mtime_ns for path in study.rglob("*.npz")}


def test_every_model_split_and_seed_is_a_cell_and_models_without_chance_have_one_seed(
    study: Path,
) -> None:
    # (1 + 2 + 2) + (1 + 1 + 2), on each of two splits.
    assert len(list(cells(PLAN))) == len(_stamps(study)) == 18


def test_what_is_there_is_not_fitted_again_and_what_is_new_is(study: Path) -> None:
    before = _stamps(study)
    steps: list[tuple[str, int, int]] = []
    run_study(COHORT, study, PLAN, progress=lambda *step: steps.append(step))
    assert _stamps(study) == before
    assert steps == [("Fitting small", 18, 18)]
    (study / "cells/risk/temporal/random_forest-1.json").unlink()
    run_study(COHORT, study, PLAN)
    changed = {name for name, stamp in _stamps(study).items() if stamp != before[name]}
    assert changed == {"cells/risk/temporal/random_forest-1.npz"}


def test_other_data_makes_every_cell_anew(study: Path) -> None:
    with pytest.raises(StudyError, match="run the comparison again"):
        list(predictions(small_cohort(400, seed=3), study, PLAN))


def test_stored_predictions_are_those_of_the_model(study: Path) -> None:
    prepared = prepare(COHORT, split_settings(COHORT, PLAN, "temporal"))
    fitted = model("risk", "random_forest").fit(prepared, 1, lambda *_: None)
    assert fitted is not None
    test = prepared.parts.test
    steps = judged(test, "risk", PLAN.horizons)
    (found,) = (
        one
        for one in predictions(COHORT, study, PLAN)
        if (one.cell.split, one.cell.model, one.cell.seed) == ("temporal", "random_forest", 1)
    )
    np.testing.assert_array_equal(found.predicted, fitted.predict(test, steps))
    assert (
        risk_report(found.cohort, found.predicted).by_period[2]
        == (risk_report(test, fitted.predict(test)).by_period[2])
    )


def test_the_last_step_that_counts_is_judged_beside_the_horizons() -> None:
    known, steps = known_risk(COHORT), judged(COHORT, "risk", (2,))
    assert (steps <= known).all()
    np.testing.assert_array_equal(steps[:, 1], known[:, 1])
    assert (steps.sum(axis=1) <= 2).all()
    np.testing.assert_array_equal(steps.any(axis=1), known.any(axis=1))


def test_tables_hold_mean_and_spread_over_the_seeds(study: Path) -> None:
    printed = {table.name: table for table in summarise(COHORT, study, PLAN)}
    auc = printed["risk-temporal-auc"]
    assert auc.columns == ("model", "week 2", "week 4", "mean")
    rows = {row[0]: row[1:] for row in auc.rows}
    assert "±" in rows["random_forest"][0]
    assert "±" not in rows["base_rate"][0]
    by_seed = [
        risk_report(one.cohort, one.predicted).by_period[2].auc or 0
        for one in predictions(COHORT, study, PLAN)
        if (one.cell.split, one.cell.model) == ("temporal", "random_forest")
    ]
    assert rows["random_forest"][0] == f"{np.mean(by_seed):.4f} ± {np.std(by_seed, ddof=1):.4f}"
    with (study / "tables/figures.csv").open(encoding="utf-8", newline="") as file:
        long = list(csv.DictReader(file))
    judged_on = {
        part: figures(predictions(COHORT, study, PLAN, part), PLAN, part)
        for part in ("test", "validation")
    }
    for part, rows_of in judged_on.items():
        of = [row for row in long if row["part"] == part]
        intervals = [row for row in of if row["figure"] in {"coverage", "width"}]
        assert len(of) - len(intervals) == len(rows_of)
        assert bool(intervals) == (part == "test")
    assert {row["horizon"] for row in long} == {
        *("2", "4", "last", "all", "mean", "maths", "reading"),
    }
    assert (study / "tables/score-temporal-mae.csv").is_file()
    assert "**AUC: small, temporal, test part**" in (study / "tables/tables.md").read_text()


def test_validation_stands_beside_test(study: Path) -> None:
    printed = {table.name: table for table in summarise(COHORT, study, PLAN)}
    parts = printed["risk-temporal-parts"]
    assert parts.columns[:3] == ("model", "AUC validation", "AUC test")
    rows = {row[0]: row[1:] for row in parts.rows}
    by_horizon = printed["risk-temporal-auc-validation"]
    for row in by_horizon.rows:
        assert row[-1] == rows[row[0]][0]
    by_seed = [
        risk_report(one.cohort, one.predicted).by_period[4].auc or 0
        for one in predictions(COHORT, study, PLAN, "validation")
        if (one.cell.split, one.cell.model) == ("temporal", "random_forest")
    ]
    (forest,) = [row for row in by_horizon.rows if row[0] == "random_forest"]
    assert forest[2] == f"{np.mean(by_seed):.4f} ± {np.std(by_seed, ddof=1):.4f}"
    assert rows["random_forest"][1] == next(
        row[-1] for row in printed["risk-temporal-auc"].rows if row[0] == "random_forest"
    )


def test_intervals_learnt_on_validation_are_judged_on_test(study: Path) -> None:
    """By hand: the conformal quantile of the absolute residuals, and who lies within."""
    printed = {table.name: table for table in summarise(COHORT, study, PLAN)}
    said = {
        part: next(
            one
            for one in predictions(COHORT, study, PLAN, part)
            if (one.cell.split, one.cell.model) == ("temporal", "ridge")
        )
        for part in ("validation", "test")
    }
    intervals = learn_intervals(
        HeldOutPredictions(said["validation"].predicted, said["validation"].cohort, "")
    )
    one = said["test"]
    known = known_score(one.cohort)[:, 3]
    error = np.abs(one.cohort.score[:, 3] - one.predicted[:, 3])
    held = (error <= np.array(intervals.half_width)[3])[known].mean()
    ends = intervals.around(one.predicted[:, 3], np.full(len(one.cohort), 4))
    (share,) = [row for row in printed["score-temporal-coverage"].rows if row[0] == "ridge"]
    (width,) = [row for row in printed["score-temporal-width"].rows if row[0] == "ridge"]
    assert printed["score-temporal-coverage"].columns == ("model", "week 2", "week 4", "mean")
    assert share[2] == f"{held:.3f}"
    assert width[2] == f"{(ends[1] - ends[0])[known].mean():.1f}"
    assert 0.7 < held <= 1


def test_processes_predict_what_one_process_predicts(study: Path, tmp_path: Path) -> None:
    plan = PLAN.model_copy(
        update={"models": {"risk": ("random_forest",), "score": ("ridge",)}, "seeds": (0,)}
    )
    apart = run_study(COHORT, tmp_path / "apart", plan, workers=2)
    for together, alone in zip(
        predictions(COHORT, apart, plan), predictions(COHORT, study, plan), strict=True
    ):
        assert together.cell == alone.cell
        np.testing.assert_allclose(together.predicted, alone.predicted, rtol=1e-6)


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(StudyError, match="is no study"):
        run_study(COHORT, tmp_path, PLAN)


def test_networks_are_bounded_against_the_best_baseline(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = list(predictions(COHORT, study, PLAN))
    assert differences(found, PLAN, "week") == []  # no network among them
    forest = dataclasses.replace(MODELS["risk", "random_forest"], family="recurrent")
    monkeypatch.setitem(MODELS, ("risk", "random_forest"), forest)
    auc, brier, *_ = differences(found, PLAN, "week", resamples=50)
    assert auc.name == "risk-temporal-auc-difference"
    assert "above 0 is better" in auc.title
    assert "below 0 is better" in brier.title
    ((name, *cells),) = auc.rows
    assert name == "random_forest"
    assert all(" boosting" in cell or " base_rate" in cell for cell in cells)
    by_model = {
        one.cell.model: risk_report(one.cohort, one.predicted).by_period[2].auc or 0
        for one in found
        if one.cell.target == "risk" and one.cell.split == "temporal" and one.cell.seed == 0
    }
    expected = by_model["random_forest"] - max(by_model["boosting"], by_model["base_rate"])
    assert float(cells[0].split()[0]) == pytest.approx(expected, abs=1e-4)


def test_a_hyperparameter_that_is_not_used_leaves_a_cell_as_it_is(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ridge = MODELS["score", "ridge"]
    for extra, missing in ((None, False), (2, True)):
        changed = dataclasses.replace(
            ridge, hyperparameters={**ridge.hyperparameters, "new": extra}
        )
        monkeypatch.setitem(MODELS, ("score", "ridge"), changed)
        if missing:
            with pytest.raises(StudyError, match="ridge"):
                list(predictions(COHORT, study, PLAN))
        else:
            list(predictions(COHORT, study, PLAN))


def test_a_horizon_at_which_nothing_counts_has_no_column(study: Path) -> None:
    rows = [row for row in figures(predictions(COHORT, study, PLAN), PLAN) if row.horizon != "4"]
    assert all("week 4" not in table.columns for table in tables(rows, PLAN, "week"))
