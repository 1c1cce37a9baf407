"""`bellwether train`: options reach the run, and the run's results are printed."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from records.errors import CohortError
from records.files.replace import ReplaceError
from training.registry import UnknownModelError
from training.run_folder import RunFolder


def _invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """150 simulated students, one of whom has an attendance above 100 in row 2."""
    path = tmp_path / "marks.csv"
    assert _invoke("simulate", path, "--students", "150", "--seed", "3").exit_code == 0
    header, first, *others = path.read_text().splitlines()
    cells = first.split(",")
    cells[header.split(",").index('"attendance"')] = "180"
    path.write_text("\n".join([header, ",".join(cells), *others]) + "\n")
    return path


def test_options_reach_the_run_and_rejects_lie_beside_it(table: Path, tmp_path: Path) -> None:
    out = tmp_path / "runs" / "mine"
    result = _invoke(
        *("train", "--data", table, "--contract", "simulated", "--out", out, "--seed", "5"),
        *("--on-error", "reject-rows", "--split", "temporal", "--select-above", "0.2"),
        *("--missing-indicators", "--preset", "large", "--risk-model", "self-attention-large"),
        *("--baselines", "none"),
    )
    assert result.exit_code == 0, result.output
    settings = RunFolder(out).record.settings
    assert settings.split.kind == "temporal"
    assert (settings.risk_selection, settings.score_selection, settings.seed) == (0.2, 0.2, 5)
    assert settings.risk.missing_indicators
    assert settings.score.missing_indicators
    (row,) = (tmp_path / "runs" / "mine.rejected.csv").read_text().splitlines()[1:]
    assert row.startswith('2,"attendance: Attendance must be a number from 0 to 100')
    printed = " ".join(result.output.split())
    page = tmp_path / "runs" / "mine-report" / "report.html"
    assert f"Tables and figures: {page}" in printed
    assert "Report of the run" in page.with_name("report.md").read_text()
    assert (page.parent / "tables" / "risk.csv").is_file()
    assert "Split: temporal, by student" in printed
    assert "(2023B)" in printed
    assert "Presets: risk self-attention-large (z-score), score large (z-score)" in printed


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--split", "random", "stratified-80-20, stratified-70-15-15, temporal"),
        ("--preset", "huge", "papers, large"),
        ("--baselines", "many", "usual, papers, all, none"),
        ("--on-error", "ignore", "'fail' or 'reject-rows'"),
    ],
)
def test_a_wrong_choice_is_told_the_right_ones(
    option: str, value: str, message: str, tmp_path: Path
) -> None:
    result = _invoke("train", "--students", "50", option, value, "--out", tmp_path / "run")
    assert isinstance(result.exception, CohortError)
    assert message in str(result.exception)


def test_a_baseline_cannot_be_the_served_network(tmp_path: Path) -> None:
    result = _invoke("train", "--students", "50", "--risk-model", "svm", "--out", tmp_path / "run")
    assert isinstance(result.exception, UnknownModelError)
    assert "cannot be exported" in str(result.exception)


def test_the_registry_is_listed_with_its_hyperparameters() -> None:
    printed = " ".join(_invoke("models", "--details").output.split())
    for words in ("random_forest", "support vector regression", "gamma: 0.01", "paper B", "yes"):
        assert words in printed


def test_a_report_that_cannot_be_written_is_told_before_training(tmp_path: Path) -> None:
    (tmp_path / "run-report").write_text("mine")
    result = _invoke("train", "--students", "50", "--out", tmp_path / "run")
    assert isinstance(result.exception, ReplaceError)
    assert not (tmp_path / "run").exists()
