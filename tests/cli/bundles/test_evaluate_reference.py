"""`bellwether evaluate --reference`: what relative features are compared with where absent.

A contract of one relative feature, so that no official file is needed: where a student's
assignments stand among those of the same intake.
"""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from evaluation.evaluate import Evaluation
from evaluation.metrics import risk_report, score_report
from export.export import export_run
from records.arrays import Floats
from records.cohort import Cohort
from records.contract import Contract, load_contract, shipped_text
from records.errors import CohortError
from records.learnt.relative import (
    RelativeLayout,
    fill_relatives,
    with_own_relatives,
    without_relatives,
)
from records.learnt.relative_reference import RelativeReference, learn_relatives
from records.load import load_cohort
from records.tables.read_write import read_table, write_table
from scoring.bundle.reader import REFERENCE, read_bundle, sha256, write_manifest
from scoring.runtime.scorer import Scorer
from training.settings import RISK_PRESETS, SCORE_PRESETS, Schedule, TrainingSettings
from training.train import train

STANDING = """
[[features]]
name = "standing"
label = "Assignments beside those of the others"
minimum = -6
maximum = 6
better = "higher"
relative = { of = "assignments" }

[targets.risk]"""
INTAKE = "2023B"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the contract lies, and the tables that follow it."""
    made = tmp_path_factory.mktemp("relative")
    text = shipped_text("simulated").replace("\n[targets.risk]", STANDING, 1)
    (made / "contract.toml").write_text(text, encoding="utf-8")
    return made


@pytest.fixture(scope="module")
def contract(folder: Path) -> Contract:
    return load_contract(folder / "contract.toml")


def _students(contract: Contract, students: int, seed: int) -> Cohort:
    """Simulated students, the standing still unknown."""
    drawn = load_cohort("simulated", students=students, seed=seed)
    unknown = np.full((*drawn.values.shape[:2], 1), np.nan, np.float32)
    return replace(drawn, contract=contract, values=np.concatenate([drawn.values, unknown], axis=2))


@pytest.fixture(scope="module")
def bundle(contract: Contract, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny network that reads the standing."""
    short = {"units": 8, "schedule": Schedule(epochs=2)}
    settings = TrainingSettings(
        risk=RISK_PRESETS["paper-a"].model_copy(update=short),
        score=SCORE_PRESETS["paper-b"].model_copy(update=short),
        baselines="none",
    )
    made = tmp_path_factory.mktemp("compared")
    taught = with_own_relatives(_students(contract, 400, seed=7))
    run = train(taught, made / "run", settings, data="simulated")
    return export_run(run, made / "bundle")


@pytest.fixture(scope="module")
def table(folder: Path, contract: Contract) -> Path:
    """Other students, as an institution has them: without standings."""
    path = folder / "past.parquet"
    write_table([_students(contract, 400, seed=99)], path)
    return path


def _invoke(bundle: Path, table: Path, *arguments: str | Path) -> Result:
    words = ["evaluate", bundle, "--data", table, "--format", "json", *arguments]
    return CliRunner().invoke(app, [str(word) for word in words])


def _evaluate(bundle: Path, table: Path, *arguments: str | Path) -> Evaluation:
    result = _invoke(bundle, table, *arguments)
    assert result.exit_code == 0, result.output
    return Evaluation.model_validate_json(result.stdout)


def _filled(cohort: Cohort, reference: RelativeReference | None) -> Floats:
    layout = RelativeLayout.of(cohort.contract)
    assert layout is not None
    assert reference is not None
    values, filled = fill_relatives(without_relatives(cohort).values, reference.moments(layout))
    assert filled.any()
    return values


def _other_place(contract: Contract) -> RelativeReference:
    """Learn a reference elsewhere, where assignments go better."""
    cohort = _students(contract, 300, seed=3)
    values = cohort.values.copy()
    column = contract.feature_names.index("assignments")
    values[:, :, column] = np.clip(values[:, :, column] / 2 + 50, 0, 100)
    found = learn_relatives(replace(cohort, values=values))
    assert found is not None
    return found


def test_a_given_reference_is_what_the_graph_is_fed_with(
    bundle: Path, table: Path, contract: Contract, tmp_path: Path
) -> None:
    given = _other_place(contract)
    path = tmp_path / "reference.json"
    path.write_text(given.model_dump_json(), encoding="utf-8")
    cohort = read_table(table, contract)
    opened = read_bundle(bundle)
    for option, reference in ((path, given), ("bundle", opened.reference.relative)):
        found = _evaluate(bundle, table, "--reference", option)
        scores = Scorer(opened).score(_filled(cohort, reference), cohort.lengths)
        assert found.metrics.risk.network == risk_report(cohort, scores.risk)
        assert found.metrics.score.network == score_report(cohort, scores.score)


def test_each_reference_gives_figures_of_its_own(
    bundle: Path, table: Path, contract: Contract, tmp_path: Path
) -> None:
    path = tmp_path / "reference.json"
    path.write_text(_other_place(contract).model_dump_json(), encoding="utf-8")
    briers = [
        _evaluate(bundle, table, *option).metrics.risk.network.last.brier
        for option in (("--reference", path), ("--reference", "bundle"), ("--reference", "batch"))
    ]
    assert len(set(briers)) == 3
    assert _evaluate(bundle, table).metrics.risk.network.last.brier == briers[2]


def test_an_intake_beside_its_own_reference_is_the_batch_beside_itself(
    bundle: Path, table: Path, folder: Path, tmp_path: Path
) -> None:
    """What `bellwether reference` writes of an intake is what a batch of it computes."""
    path = tmp_path / "reference.json"
    words = ["reference", "--data", table, "--contract", folder / "contract.toml"]
    words += ["--cohort", INTAKE, "--out", path]
    written = CliRunner().invoke(app, [str(word) for word in words])
    assert written.exit_code == 0, written.output
    batch = _evaluate(bundle, table, "--cohort", INTAKE, "--reference", "batch")
    given = _evaluate(bundle, table, "--cohort", INTAKE, "--reference", path)
    for one, other in zip(
        batch.metrics.risk.network.by_period.values(),
        given.metrics.risk.network.by_period.values(),
        strict=True,
    ):
        assert one.records == other.records
        assert one.brier == pytest.approx(other.brier, abs=1e-6)


def test_standings_that_came_are_kept_by_a_batch_and_computed_anew_by_a_reference(
    bundle: Path, table: Path, contract: Contract, folder: Path
) -> None:
    cohort = read_table(table, contract)
    values = cohort.values.copy()
    values[:, :, contract.feature_names.index("standing")] = np.where(cohort.observed, 5, np.nan)
    came = folder / "with-standings.parquet"
    write_table([replace(cohort, values=values)], came)
    without, anew = (_evaluate(bundle, one, "--reference", "bundle") for one in (table, came))
    assert without.metrics.risk == anew.metrics.risk
    scores = Scorer(read_bundle(bundle)).score(values, cohort.lengths)
    kept = _evaluate(bundle, came, "--reference", "batch")
    assert kept.metrics.risk.network == risk_report(cohort, scores.risk)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "reference.json"),
        ("no JSON", "reference.json"),
        (json.dumps({"contract": "oulad", "features": {}}), "made for the contract 'oulad'"),
        (json.dumps({"contract": "simulated", "features": {"height": {}}}), "height"),
    ],
)
def test_a_file_that_is_no_reference_is_told(
    bundle: Path, table: Path, tmp_path: Path, content: str | None, says: str
) -> None:
    path = tmp_path / "reference.json"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    result = _invoke(bundle, table, "--reference", path)
    assert isinstance(result.exception, CohortError)
    assert says in str(result.exception)


def test_a_bundle_that_carries_no_reference_says_what_to_do(
    bundle: Path, table: Path, tmp_path: Path
) -> None:
    """As those of versions before relative features."""
    earlier = Path(shutil.copytree(bundle, tmp_path / "earlier"))
    opened = read_bundle(bundle)
    bare = opened.reference.model_copy(update={"relative": None})
    (earlier / REFERENCE).write_text(bare.model_dump_json(), encoding="utf-8")
    files = opened.manifest.files | {REFERENCE: sha256(earlier / REFERENCE)}
    write_manifest(opened.manifest.model_copy(update={"files": files}), earlier)
    result = _invoke(earlier, table, "--reference", "bundle")
    assert isinstance(result.exception, CohortError)
    assert "pass --reference batch or a file" in str(result.exception)


def test_a_contract_without_relative_features_needs_no_reference(bundle_dir: Path) -> None:
    words = ["evaluate", str(bundle_dir), "--students", "100", "--format", "json"]
    for option in ([], ["--reference", "bundle"]):
        result = CliRunner().invoke(app, [*words, *option])
        assert result.exit_code == 0, result.output
