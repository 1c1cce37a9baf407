"""`bellwether compare`: models side by side, by horizon."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from records.errors import BellwetherError


def _compare(*arguments: str | Path) -> Result:
    given = ("compare", "--students", "300", *arguments)
    return CliRunner().invoke(app, [str(argument) for argument in given])


def test_models_are_printed_by_horizon_and_written(tmp_path: Path) -> None:
    result = _compare(
        *("--out", tmp_path / "study", "--risk-models", "base_rate,random_forest", "--seeds", "1"),
        *("--score-models", "last_score,ridge", "--horizons", "2,4", "--splits", "temporal"),
    )
    assert result.exit_code == 0, result.output
    printed = " ".join(result.output.split())
    assert "AUC: simulated, temporal, test part" in printed
    assert "random_forest" in printed
    assert (tmp_path / "study/tables/risk-temporal-auc.csv").is_file()


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--splits", "random", "stratified-80-20"),
        ("--horizons", "2,forty", "periods from 1 to"),
        ("--risk-models", "base_rat", "did you mean 'base_rate'"),
    ],
)
def test_a_wrong_choice_is_told_the_right_ones(
    option: str, value: str, message: str, tmp_path: Path
) -> None:
    result = _compare("--out", tmp_path / "study", option, value)
    assert isinstance(result.exception, BellwetherError)
    assert message in str(result.exception)
