"""Too little data: `train` refuses and `check` tells beforehand, in the same plain words."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from cli.main import app
from records.cohort import Cohort
from records.contract import load_contract
from records.errors import CohortError
from records.sources.simulated import simulate_cohort
from records.tables.read_write import write_table


def _few(cohort: Cohort) -> Cohort:
    return cohort.take(np.arange(12))


def _one_class(cohort: Cohort) -> Cohort:
    return cohort.take(np.nanmax(cohort.risk, axis=1) == 0)


def _hardly_two_classes(cohort: Cohort) -> Cohort:
    failed = np.nanmax(cohort.risk, axis=1) == 1
    return cohort.take(np.r_[np.flatnonzero(failed)[:2], np.flatnonzero(~failed)])


def _nobody_eligible(cohort: Cohort) -> Cohort:
    return replace(cohort, eligible=np.zeros_like(cohort.eligible))


def _no_outcome(cohort: Cohort) -> Cohort:
    return replace(cohort, risk=np.full_like(cohort.risk, np.nan))


def _no_score(cohort: Cohort) -> Cohort:
    return replace(cohort, score=np.full_like(cohort.score, np.nan))


def _no_variation(cohort: Cohort) -> Cohort:
    first = cohort.values[:1, :1]
    return replace(cohort, values=np.where(cohort.observed[:, :, None], first, np.float32(np.nan)))


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (_few, "there are only 12 students with a known outcome to train on; at least 30"),
        (_one_class, "all of the records are not at risk; records of both outcomes"),
        (_hardly_two_classes, "only 2 students in the records are at risk; at least 5"),
        (_nobody_eligible, "the records have no eligible period"),
        (_no_outcome, "no eligible period with a known outcome (risk)"),
        (_no_score, "no eligible period with a known next score (score)"),
    ],
)
def test_what_is_missing_is_said_by_train_and_by_check(
    spoil: Callable[[Cohort], Cohort], says: str, tmp_path: Path
) -> None:
    table, out = tmp_path / "students.parquet", tmp_path / "run"
    write_table(spoil(simulate_cohort(120, seed=3)), table)
    trained = CliRunner().invoke(
        app, ["train", "--data", str(table), "--contract", "simulated", "--out", str(out)]
    )
    assert isinstance(trained.exception, CohortError)
    assert says in str(trained.exception)
    assert not out.exists()
    checked = CliRunner().invoke(app, ["check", str(table)])
    assert checked.exit_code == 0
    assert "Not enough to train on: " in checked.output
    assert says in checked.output
    assert "Enough to train on." not in checked.output


def test_records_without_variation_are_refused_and_told(tmp_path: Path) -> None:
    table = tmp_path / "students.parquet"
    write_table(_no_variation(simulate_cohort(120, seed=3)), table)
    trained = CliRunner().invoke(
        app,
        ["train", "--data", str(table), "--contract", "simulated", "--out", str(tmp_path / "run")],
    )
    assert isinstance(trained.exception, CohortError)
    assert "no feature varies, so nothing can be learnt" in str(trained.exception)
    printed = CliRunner().invoke(app, ["check", str(table)]).output
    features = len(load_contract("simulated").features)
    assert (
        printed.count("has one and the same value") + printed.count("is never observed") == features
    )


def test_enough_is_said_too(tmp_path: Path) -> None:
    table = tmp_path / "students.parquet"
    write_table(simulate_cohort(200, seed=3), table)
    assert "Enough to train on." in CliRunner().invoke(app, ["check", str(table)]).output
