"""`bellwether evaluate` on a later presentation of real students."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from cli.main import app
from evaluation.evaluate import Evaluation
from export.export import export_run
from records.load import load_cohort
from training.settings import Schedule, settings_for
from training.train import train


@pytest.mark.slow
def test_a_bundle_of_two_presentations_is_judged_on_the_later_one(
    oulad_dir: Path, tmp_path: Path
) -> None:
    cohort = load_cohort("oulad", data_dir=oulad_dir)
    random = np.random.default_rng(0)
    later = cohort.cohorts == "2014B"
    rows = [random.choice(np.flatnonzero(of), 500, replace=False) for of in (later, ~later)]
    few = cohort.take(np.sort(np.concatenate(rows)))
    chosen = settings_for(few)
    short = {"schedule": Schedule(batch_size=64, epochs=1)}
    chosen = chosen.model_copy(
        update={
            "risk": chosen.risk.model_copy(update=short),
            "score": chosen.score.model_copy(update=short),
            "baselines": "none",
        }
    )
    run = train(few, tmp_path / "run", chosen, data="oulad")
    bundle = export_run(run, tmp_path / "bundle")
    result = CliRunner().invoke(
        app,
        [
            *("evaluate", str(bundle), "--data", "oulad", "--data-dir", str(oulad_dir)),
            *("--cohort", "2014B", "--horizons", "4,8", "--format", "json"),
            *("--run", str(run.path)),
        ],
    )
    assert result.exit_code == 0, result.output
    found = Evaluation.model_validate_json(result.stdout)
    assert (found.cohorts, found.records) == (("2014B",), int(later.sum()))
    # Those who have left are not predicted: fewer in every later week.
    weeks = found.metrics.risk.network.by_period
    assert weeks[4].records > weeks[8].records > weeks[16].records > 5_000
    assert found.metrics.fairness is not None
    assert {one.attribute for one in found.metrics.fairness.attributes} >= {"gender", "disability"}
    assert "taught" not in result.stderr
