"""A whole training, from a cohort to a run folder."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet

from evaluation.metrics import risk_figures, risk_report, score_figures, score_report
from records.cohort import Cohort
from records.errors import CohortError
from records.files.replace import ReplaceError
from tests.training.small_cohort import HOURS, small_cohort
from training.networks.builders import load_network, predict
from training.run_folder import FILES, RunFolder
from training.settings import (
    RISK_PRESETS,
    SCORE_PRESETS,
    Schedule,
    SplitSettings,
    TrainingSettings,
)
from training.train import train

SHORT = {"units": 4, "schedule": Schedule(epochs=2, patience=1, learning_rate=0.01)}
SETTINGS = TrainingSettings(
    risk=RISK_PRESETS["large"].model_copy(update=SHORT),
    score=SCORE_PRESETS["large"].model_copy(update={**SHORT, "heads": 2, "key_size": 2}),
    split=SplitSettings(kind="temporal"),
    score_selection=0.3,
    outlying_limit=1,
    seed=5,
)


def _cohort() -> Cohort:
    """Records of which four of the first intake are outlying."""
    cohort = small_cohort(220, students=180)
    values = cohort.values.copy()
    values[np.flatnonzero(cohort.cohorts == "2001")[:4], 0, HOURS] = 10_000
    return replace(cohort, values=values)


COHORT = _cohort()
STEPS: list[tuple[str, int, int]] = []


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A tiny run on a small cohort."""
    out = tmp_path_factory.mktemp("runs") / "small"
    STEPS.clear()
    return train(COHORT, out, SETTINGS, data="small", progress=lambda *step: STEPS.append(step))


def test_every_file_is_there_and_nothing_else(run: RunFolder) -> None:
    assert sorted(path.name for path in run.path.iterdir()) == sorted(FILES)
    assert [path.name for path in run.path.parent.iterdir()] == ["small"]


def test_the_record_says_what_was_trained_on_what(run: RunFolder) -> None:
    record = run.record
    assert (record.name, record.data, record.contract, record.seed) == (
        "small",
        "small",
        "small",
        5,
    )
    assert record.settings == SETTINGS
    assert record.fingerprint == COHORT.fingerprint()
    assert sum(record.parts.values()) == len(COHORT)
    assert {"tensorflow", "keras", "numpy", "scikit-learn", "python"} <= set(record.environment)
    assert record.networks["risk"].epochs <= 2
    assert record.networks["risk"].parameters > 0
    assert record.baselines["score"]["last_score"] == "maths: mark, reading: mark"
    dropped = [
        feature.feature for feature in record.selection["score"].features if not feature.kept
    ]
    assert "hours" in dropped
    assert record.seconds > 0


def test_contract_fences_and_reference_are_those_of_the_cohort(run: RunFolder) -> None:
    assert run.contract.fingerprint == COHORT.contract.fingerprint
    assert set(run.fences.lower) == {"mark", "hours"}
    assert run.reference.features == COHORT.contract.feature_names


def test_splits_tell_the_part_of_every_record(run: RunFolder) -> None:
    table = parquet.read_table(run.path / "splits.parquet").to_pydict()
    assert table["id"] == COHORT.ids.tolist()
    counts = {part: table["part"].count(part) for part in set(table["part"])}
    parts = run.record.parts
    assert counts["test"] == parts["test"]
    assert counts["validation"] == parts["validation"]
    assert counts["train"] + counts["outlying"] == parts["train"]
    assert counts["outlying"] == run.record.outlying > 0


def test_the_held_out_part_is_the_test_part_exactly(run: RunFolder) -> None:
    heldout = run.heldout()
    rows = np.flatnonzero(np.isin(COHORT.ids, heldout.ids))
    assert len(heldout) == run.record.parts["test"]
    assert heldout.fingerprint() == COHORT.take(rows).fingerprint()


def test_the_saved_networks_give_the_printed_figures(run: RunFolder) -> None:
    heldout = run.heldout()
    risk, score = (load_network(run.path / f"{name}.keras") for name in ("risk", "score"))
    assert risk_report(heldout, predict(risk, heldout.values)) == run.metrics.risk.network
    assert score_report(heldout, predict(score, heldout.values)) == run.metrics.score.network


def test_the_written_predictions_give_the_printed_figures(run: RunFolder) -> None:
    risk, score = run.predictions("risk"), run.predictions("score")
    tables = run.metrics.risk, run.metrics.score
    assert list(risk.models) == ["network", *tables[0].baselines]
    assert list(score.models) == ["network", *tables[1].baselines]
    last = risk.last()
    for name, column in last.models.items():
        report = tables[0].network if name == "network" else tables[0].baselines[name]
        assert risk_figures(last.actual, column) == report.last
    for name, column in score.models.items():
        forecast = tables[1].network if name == "network" else tables[1].baselines[name]
        assert score_figures(score.actual, column) == forecast.overall


def test_the_networks_are_compared_with_the_best_baseline(run: RunFolder) -> None:
    comparisons = {one.figure: one for one in run.metrics.comparisons}
    assert set(comparisons) == {"auc", "brier", "mae", "rmse"}
    mean = comparisons["auc"].mean
    assert mean is not None
    assert mean.low <= mean.difference <= mean.high
    for period, found in comparisons["mae"].horizons.items():
        assert found is not None
        best = min(one.by_period[period].mae or 0 for one in run.metrics.score.baselines.values())
        assert found.other == pytest.approx(best)


def test_baselines_are_judged_on_the_same_steps(run: RunFolder) -> None:
    tables = run.metrics.risk, run.metrics.score
    assert {"base_rate", "last_value", "boosting"} == set(tables[0].baselines)
    assert {"mean", "last_score", "mean_so_far", "boosting"} == set(tables[1].baselines)
    for baseline in tables[0].baselines.values():
        assert baseline.last.records == tables[0].network.last.records
    for forecast in tables[1].baselines.values():
        assert forecast.overall.scores == tables[1].network.overall.scores


def test_the_history_has_a_row_for_each_network_and_epoch(run: RunFolder) -> None:
    with (run.path / "history.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for name, summary in run.record.networks.items():
        epochs = [row for row in rows if row["network"] == name]
        assert [int(row["epoch"]) for row in epochs] == list(range(1, summary.epochs + 1))
        assert [int(row["epoch"]) for row in epochs if row["kept"] == "1"] == [summary.best]
        assert all(float(row["loss"]) > 0 and float(row["validation_loss"]) > 0 for row in epochs)
    assert all((row["accuracy"] != "") == (row["network"] == "risk") for row in rows)


def test_progress_goes_from_start_to_end_of_every_stage(run: RunFolder) -> None:
    assert run.path.exists()
    stages = list(dict.fromkeys(stage for stage, _, _ in STEPS))
    assert "Fitting the risk network" in stages
    for stage in stages:
        steps = [step for name, step, _ in STEPS if name == stage]
        totals = {total for name, _, total in STEPS if name == stage}
        assert steps == sorted(steps)
        assert {steps[-1]} == totals


def test_a_cohort_that_teaches_nothing_is_refused_and_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(CohortError, match="students"):
        train(COHORT.take(np.arange(20)), tmp_path / "run", SETTINGS, data="few")
    assert list(tmp_path.iterdir()) == []


def test_a_run_in_the_way_is_seen_before_anything_is_computed(run: RunFolder) -> None:
    before = STEPS.copy()
    with pytest.raises(ReplaceError, match="holds a run already"):
        train(COHORT, run.path, SETTINGS, data="small", progress=lambda *step: STEPS.append(step))
    assert before == STEPS
