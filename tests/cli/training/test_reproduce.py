"""`bellwether reproduce`: one command, resumable, all tables."""

import csv
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from records.errors import CohortError
from training.registry import MODELS
from training.studies.papers import REPORTED
from training.studies.reproduce import RUNS


def _reproduce(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["reproduce", *map(str, arguments)])


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The simulated runs, made small."""
    folder = tmp_path_factory.mktemp("reproduced")
    result = _reproduce("--smoke", "--out", folder)
    assert result.exit_code == 0, result.output
    printed = " ".join(result.output.split())
    assert "Skipped oulad: it needs the files of oulad" in printed
    assert "AUC: simulated, stratified-80-20, test part" in printed
    return folder


def test_every_table_is_in_one_document_and_a_file_of_its_own(out: Path) -> None:
    text = (out / "results.md").read_text()
    for title in ("Paper A's models", "Paper B's models", "MAE by subject", "RMSE"):
        assert title in text
    for title in ("Expected calibration error", "Share held by the 90% interval", "Mean width of"):
        assert title in text
    assert text.count("Validation beside test") == 2
    with (out / "simulated/tables/beside-the-paper.csv").open(newline="") as file:
        rows = {row["model"]: row for row in csv.DictReader(file)}
    assert rows["lstm"]["accuracy paper A"] == "0.924"
    assert 0 < float(rows["lstm"]["accuracy here"]) <= 1
    assert rows["svm"]["accuracy here"] == "n/a"


def test_going_on_fits_nothing_again(out: Path) -> None:
    cells = {path: path.stat().st_mtime_ns for path in out.rglob("*.npz")}
    before = (out / "results.md").read_text()
    assert _reproduce("--smoke", "--out", out).exit_code == 0
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.npz")} == cells
    assert (out / "results.md").read_text() == before


def test_an_unknown_run_is_told_the_known_ones(tmp_path: Path) -> None:
    result = _reproduce("--only", "oulade", "--out", tmp_path)
    assert isinstance(result.exception, CohortError)
    assert "midfield" in str(result.exception)


def test_every_run_names_models_of_the_registry() -> None:
    for run in RUNS:
        for target, names in run.models.items():
            assert {(target, name) for name in names} <= set(MODELS)
    for paper, target in (("paper A", "risk"), ("paper B", "score")):
        assert all(
            (target, name) in MODELS
            for of, table in REPORTED.items()
            if of == paper
            for name in table
        )
