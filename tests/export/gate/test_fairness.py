"""The fairness gate names the groups, and never lets a limit hold of nothing."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from cli.main import app
from evaluation.fairness import fairness_report
from evaluation.figures import AttributeFairness, FairnessReport, Gap
from export.errors import FairnessError
from export.gate.fairness import check_gaps, read_limits
from scoring.bundle.reader import read_bundle
from training.run_folder import RunFolder


def _report(**gaps: Gap | None) -> FairnessReport:
    attribute = AttributeFairness(attribute="gender", label="Gender", groups=(), gaps=gaps)
    return FairnessReport(
        period=None,
        threshold=0.5,
        smallest=20,
        fewest_cases=10,
        records=200,
        attributes=(attribute,),
    )


GAP = Gap(difference=0.18, lowest="f", highest="m", low=0.05, high=0.3)


def test_limits_are_read() -> None:
    assert read_limits("recall=0.1, abroca=0") == {"recall": 0.1, "abroca": 0}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("luck=0.1", "no gap is measured of 'luck'; there are recall"),
        ("recall", "the limit of 'recall' is a number from 0 to 1"),
        ("recall=12", "from 0 to 1"),
        ("recall=nan", "from 0 to 1"),
    ],
)
def test_limits_that_are_none_are_refused(text: str, says: str) -> None:
    with pytest.raises(FairnessError, match=says):
        read_limits(text)


def test_a_gap_within_the_limit_passes_and_one_beyond_names_the_groups() -> None:
    assert check_gaps(_report(recall=GAP), {"recall": 0.18}) == []
    with pytest.raises(FairnessError, match="recall by 'gender': differs between 'f' and 'm'"):
        check_gaps(_report(recall=GAP), {"recall": 0.17})


def test_a_limit_that_holds_of_nothing_is_no_pass() -> None:
    with pytest.raises(FairnessError, match="cannot be judged by any attribute"):
        check_gaps(_report(recall=None), {"recall": 1})
    with pytest.raises(FairnessError, match="names no audit attribute"):
        check_gaps(None, {"recall": 1})
    both = _report(recall=GAP)
    second = both.attributes[0].model_copy(update={"attribute": "age", "gaps": {"recall": None}})
    both = both.model_copy(update={"attributes": (*both.attributes, second)})
    (question,) = check_gaps(both, {"recall": 1})
    assert "recall by 'age' cannot be judged" in question


def _judged_anew(run_folder: RunFolder, folder: Path) -> tuple[Path, FairnessReport]:
    """Copy a run that tests on 60 students, with its groups judged however small they are."""
    heldout, written = run_folder.heldout(), run_folder.predictions("risk")
    row = {record: number for number, record in enumerate(heldout.ids.tolist())}
    probability = np.full_like(heldout.risk, np.nan)
    rows = [row[record] for record in written.ids.tolist()]
    probability[rows, written.periods - 1] = written.models["network"]
    report = fairness_report(heldout, probability, smallest=1, resamples=10)
    run = Path(shutil.copytree(run_folder.path, folder))
    metrics = run_folder.metrics.model_copy(update={"fairness": report})
    (run / "metrics.json").write_text(metrics.model_dump_json(), encoding="utf-8")
    return run, report


def test_manifest_and_card_tell_the_limits_that_were_held(
    run_folder: RunFolder, tmp_path: Path
) -> None:
    run, report = _judged_anew(run_folder, tmp_path / "run")
    out = tmp_path / "bundle"
    arguments = ["export", str(run), "--out", str(out), "--no-save"]
    limits = "calibration_bias=1,expected_calibration_error=0.999"
    result = CliRunner().invoke(app, [*arguments, "--max-gap", limits])
    assert result.exit_code == 0, result.output
    bundle = read_bundle(out)
    held = {(one.figure, one.attribute): one for one in bundle.manifest.gap_limits}
    assert set(held) == {
        (figure, attribute)
        for figure in ("calibration_bias", "expected_calibration_error")
        for attribute in ("gender", "background")
    }
    assert bundle.card is not None
    for attribute in report.attributes:
        gap = attribute.gaps["calibration_bias"]
        assert gap is not None
        one = held["calibration_bias", attribute.attribute]
        assert (one.limit, one.measured) == (1, gap.difference)
        row = f"| calibration bias | {attribute.attribute} | 1 | {gap.difference:.3f} |"
        assert row in bundle.card
        said = f"Gap of calibration bias by '{attribute.attribute}': {gap.difference:.3f}"
        assert said in result.output
    assert held["expected_calibration_error", "gender"].limit == 0.999
    assert "| ECE | gender | 0.999 |" in bundle.card


def test_a_bundle_without_limits_says_so(bundle_dir: Path) -> None:
    bundle = read_bundle(bundle_dir)
    assert bundle.manifest.gap_limits == ()
    assert bundle.card is not None
    assert "No limit was set" in bundle.card


def test_export_refuses_a_run_whose_groups_differ_and_leaves_no_bundle(
    run_folder: RunFolder, tmp_path: Path
) -> None:
    run, report = _judged_anew(run_folder, tmp_path / "run")
    out = tmp_path / "bundle"
    arguments = ["export", str(run), "--out", str(out), "--no-save"]
    result = CliRunner().invoke(app, [*arguments, "--max-gap", "calibration_bias=0"])
    assert isinstance(result.exception, FairnessError)
    gaps = {one.attribute: one.gaps["calibration_bias"] for one in report.attributes}
    assert set(gaps) == {"gender", "background"}
    for attribute, gap in gaps.items():
        assert gap is not None
        expected = f"'{attribute}': differs between '{gap.lowest}' and '{gap.highest}'"
        assert expected in str(result.exception)
    assert not out.exists()
