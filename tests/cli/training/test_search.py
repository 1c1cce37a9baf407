"""`bellwether search`: what it found trains."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from records.errors import BellwetherError
from training.run_folder import RunFolder


def _invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_what_was_found_can_be_trained(tmp_path: Path) -> None:
    data = ("--data", "semesters", "--students", "120")
    searched = _invoke(
        *("search", *data, "--out", tmp_path / "found", "--heads", "1,2", "--units", "4"),
        *("--learning-rates", "0.01", "--epochs", "2", "--attention", "after"),
    )
    assert searched.exit_code == 0, searched.output
    assert "Best of 2 trials" in searched.output
    trained = _invoke(
        *("train", *data, "--out", tmp_path / "run", "--from-study", tmp_path / "found"),
        *("--baselines", "none", "--risk-model", "self-attention", "--no-report"),
    )
    assert trained.exit_code == 0, trained.output
    assert "Tables and figures: bellwether report" in " ".join(trained.output.split())
    assert not (tmp_path / "run-report").exists()
    preset = RunFolder(tmp_path / "run").record.settings.score
    assert preset.name.startswith("found-")
    assert (preset.attention, preset.units, preset.schedule.epochs) == ("after", 4, 2)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--target", "grade", "risk, score"),
        ("--sampler", "random", "grid, tpe"),
        ("--heads", "two", "heads"),
        ("--attention", "beside", "attention"),
    ],
)
def test_a_wrong_choice_is_told(option: str, value: str, message: str, tmp_path: Path) -> None:
    result = _invoke("search", "--students", "60", "--out", tmp_path / "s", option, value)
    assert isinstance(result.exception, BellwetherError)
    assert message in str(result.exception)
