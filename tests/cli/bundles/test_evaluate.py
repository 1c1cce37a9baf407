"""`bellwether evaluate`: the exported graph on records it has not seen, and nothing fitted."""

import csv
import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from evaluation.evaluate import Evaluation
from evaluation.metrics import risk_report
from evaluation.predictions import read_predictions
from records.errors import CohortError
from records.load import load_cohort
from scoring.bundle.reader import read_bundle, write_manifest
from scoring.runtime.scorer import Scorer
from training.run_folder import RECORD, RunFolder


def _evaluate(bundle: Path, *arguments: str | Path) -> Result:
    words = ["evaluate", bundle, "--students", "250", "--seed", "99", *arguments]
    return CliRunner().invoke(app, [str(word) for word in words])


def test_the_figures_are_those_of_the_exported_graph(bundle_dir: Path) -> None:
    result = _evaluate(bundle_dir, "--format", "json")
    assert result.exit_code == 0, result.output
    found = Evaluation.model_validate_json(result.stdout)
    cohort = load_cohort("simulated", students=250, seed=99)
    scores = Scorer(read_bundle(bundle_dir)).score(cohort.values, cohort.lengths)
    assert found.metrics.risk.network == risk_report(cohort, scores.risk)
    assert found.records == len(cohort)
    assert set(found.metrics.risk.baselines) == {"base_rate"}
    assert set(found.metrics.score.baselines) == {"mean", "last_score", "mean_so_far"}
    assert sum(point.records for point in found.reliability) == found.judged
    assert found.lift[-1].recall == pytest.approx(1)
    assert found.metrics.fairness is not None


def test_tables_are_printed_by_horizon(bundle_dir: Path) -> None:
    result = _evaluate(bundle_dir, "--horizons", "2,6")
    assert result.exit_code == 0, result.output
    printed = result.output
    for text in ("PR-AUC", "ECE", "missed", "recall 20%", "last score", "Fairness by Gender"):
        assert text in printed
    for heading in ("Risk: ", "When the riskiest"):
        rows = printed[printed.index(heading) :].splitlines()
        first = [row.split("│")[1].strip() for row in rows if row.startswith("│")][:3]
        assert first == ["2", "6", "last"]


def test_gaps_are_printed_with_intervals_where_groups_can_be_compared(bundle_dir: Path) -> None:
    assert "Gaps by" not in _evaluate(bundle_dir).output
    printed = _evaluate(bundle_dir, "--students", "1200").output
    gaps = printed[printed.index("Gaps by Gender") :]
    (area,) = re.findall(r"│ ABROCA" + r" +│ +(\S+)" * 5, gaps)[:1]
    assert set(area[:2]) == {"female", "male"}
    assert 0 <= float(area[3]) <= float(area[4]) <= 1


def test_one_intake_is_judged_and_everything_lies_in_the_folder(
    bundle_dir: Path, tmp_path: Path
) -> None:
    result = _evaluate(bundle_dir, "--cohort", "2023B", "--format", "csv", "--out", tmp_path)
    assert result.exit_code == 0, result.output
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    written = json.loads((tmp_path / "evaluation.json").read_text())
    assert written["cohorts"] == ["2023B"]
    (auc,) = [
        row["value"]
        for row in rows
        if (row["target"], row["model"], row["period"], row["figure"])
        == ("risk", "network", "last", "auc")
    ]
    assert float(auc) == written["metrics"]["risk"]["network"]["last"]["auc"]
    predictions = read_predictions(tmp_path / "predictions-risk.parquet")
    assert set(predictions.cohorts.tolist()) == {"2023B"}
    assert list(predictions.models) == ["network", "base_rate"]
    assert {path.name for path in tmp_path.glob("*.csv")} == {
        *("figures.csv", "comparisons.csv", "fairness.csv", "gaps.csv")
    }


def test_records_that_taught_the_bundle_are_told(bundle_dir: Path, run_folder: RunFolder) -> None:
    same = CliRunner().invoke(
        app, ["evaluate", str(bundle_dir), "--students", "300", "--seed", "7"]
    )
    assert "the very records that the bundle was made from" in same.stderr
    by_id = _evaluate(bundle_dir, "--students", "300", "--seed", "7", "--run", run_folder.path)
    parts = run_folder.record.parts
    assert f"{parts['train'] + parts['validation']} of the 300 records" in by_id.stderr
    other = _evaluate(bundle_dir)
    assert "taught" not in other.stderr
    assert "made from" not in other.stderr


def test_the_run_of_another_bundle_is_refused(
    bundle_dir: Path, run_folder: RunFolder, tmp_path: Path
) -> None:
    other = Path(shutil.copytree(run_folder.path, tmp_path / "other"))
    record = run_folder.record.model_copy(update={"fingerprint": "0" * 64})
    (other / RECORD).write_text(record.model_dump_json(), encoding="utf-8")
    result = _evaluate(bundle_dir, "--run", other)
    assert isinstance(result.exception, CohortError)
    assert "is not the run that this bundle was exported from" in str(result.exception)


def test_a_bundle_of_before_is_judged_without_naive_rows_and_says_so(
    bundle_dir: Path, tmp_path: Path
) -> None:
    earlier = Path(shutil.copytree(bundle_dir, tmp_path / "earlier"))
    manifest = read_bundle(bundle_dir).manifest
    metrics = {name: value for name, value in manifest.metrics.items() if name != "naive"}
    write_manifest(manifest.model_copy(update={"metrics": metrics}), earlier)
    result = _evaluate(earlier, "--format", "json")
    assert result.exit_code == 0, result.output
    found = Evaluation.model_validate_json(result.stdout)
    assert not found.metrics.risk.baselines
    assert not found.metrics.score.baselines
    assert found.metrics.comparisons == ()
    assert "train and export again" in " ".join(result.stderr.split())
    assert _evaluate(earlier).exit_code == 0  # the tables have no column of theirs


def test_bad_rows_can_be_set_aside_and_one_outcome_is_told(
    bundle_dir: Path, tmp_path: Path
) -> None:
    table = tmp_path / "past.csv"
    CliRunner().invoke(app, ["simulate", str(table), "--students", "120"])
    header, *rows = csv.reader(table.read_text().splitlines())
    for row in rows:
        row[header.index("risk")] = "0" if row[header.index("risk")] else ""
    rows[0][header.index("attendance")] = "180"
    with table.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    refused = _evaluate(bundle_dir, "--data", table)
    assert refused.exit_code != 0
    result = _evaluate(bundle_dir, "--data", table, "--on-error", "reject-rows", "--format", "json")
    assert result.exit_code == 0, result.output
    found = Evaluation.model_validate_json(result.stdout)
    assert found.metrics.risk.network.last.auc is None
    assert found.metrics.risk.network.last.brier is not None
    assert any("all judged records have the same outcome" in note for note in found.notes)
    assert _evaluate(bundle_dir, "--data", table, "--on-error", "reject-rows").exit_code == 0


def test_models_are_compared_at_the_horizons_asked_for(bundle_dir: Path) -> None:
    result = _evaluate(bundle_dir, "--horizons", "2,6", "--format", "json")
    comparisons = Evaluation.model_validate_json(result.stdout).metrics.comparisons
    assert [list(one.horizons) for one in comparisons] == [[2, 6]] * 4


def test_a_table_is_read_by_the_bundles_own_contract(bundle_dir: Path, tmp_path: Path) -> None:
    table = tmp_path / "past.parquet"
    assert CliRunner().invoke(app, ["simulate", str(table), "--students", "60"]).exit_code == 0
    result = _evaluate(bundle_dir, "--data", table, "--format", "json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["records"] == 60


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--cohort", "1999B"), "no record belongs to cohort 1999B; there are 2019B"),
        (("--horizons", "3,9"), "from 1 to 8"),
        (("--horizons", "soon"), "from 1 to 8"),
        (("--format", "xml"), "table, json, csv"),
        (("--data", "semesters"), "they are not the same"),
        (("--risk", "no_degree"), "has one risk outcome"),
        (("--horizons", "0,2"), "from 1 to 8"),
        (("--cohort", "2019B,1999B"), "cohort 1999B"),
    ],
)
def test_what_cannot_be_done_is_said(
    bundle_dir: Path, arguments: tuple[str, ...], says: str
) -> None:
    result = _evaluate(bundle_dir, *arguments)
    assert isinstance(result.exception, CohortError)
    assert says in str(result.exception)


def test_a_cohort_without_outcomes_cannot_be_judged(bundle_dir: Path, tmp_path: Path) -> None:
    table = tmp_path / "running.csv"
    CliRunner().invoke(app, ["simulate", str(table), "--students", "40"])
    header, *rows = table.read_text().splitlines()
    names = header.replace('"', "").split(",")
    kept = [n for n, name in enumerate(names) if name not in {"risk", "score"}]

    def cut(line: str) -> str:
        return ",".join(line.split(",")[n] for n in kept)

    table.write_text("\n".join(map(cut, [header, *rows])) + "\n")
    result = _evaluate(bundle_dir, "--data", table)
    assert isinstance(result.exception, CohortError)
    assert "nothing to judge by" in str(result.exception)


def test_evaluating_loads_no_tensorflow(bundle_dir: Path) -> None:
    script = (
        "import sys; from typer.testing import CliRunner; from cli.main import app;"
        f"r = CliRunner().invoke(app, ['evaluate', {str(bundle_dir)!r}, '--students', '50']);"
        "print(r.exit_code, 'tensorflow' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["0", "False"]
