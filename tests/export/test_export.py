import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest

from evaluation.fairness import fairness_report
from evaluation.metrics import spread_horizons
from export import export
from export.card import model_card
from export.convert import to_onnx
from export.export import export_run
from export.gate.gate import GateError
from export.specification import PORTABLE_OPSET, GraphSpecification
from records.contract import load_contract
from records.errors import ContractError
from records.files.replace import ReplaceError
from scoring.bundle.reader import read_bundle
from scoring.policy.model import load_policy, policy_text
from scoring.runtime.scorer import Scorer
from training.networks.backend import keras
from training.networks.builders import load_network, predict
from training.run_folder import METRICS, RISK_NETWORK, RunFolder


@pytest.fixture
def copy(run_folder: RunFolder, tmp_path: Path) -> RunFolder:
    """A copy of the run, to change."""
    return RunFolder(shutil.copytree(run_folder.path, tmp_path / "run"))


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "bundles" / "tiny"


def assert_nothing_left(out: Path) -> None:
    assert not out.parent.exists() or list(out.parent.iterdir()) == []


def test_a_bundle_says_where_it_comes_from(run_folder: RunFolder, bundle_dir: Path) -> None:
    bundle = read_bundle(bundle_dir)
    manifest, record = bundle.manifest, run_folder.record
    assert manifest.name == record.name
    assert manifest.data_fingerprint == record.fingerprint
    assert manifest.run["seed"] == record.seed
    assert manifest.contract.fingerprint == run_folder.contract.fingerprint
    assert set(manifest.metrics) == set(type(run_folder.metrics).model_fields)
    assert manifest.versions["keras"] == keras.__version__
    assert set(manifest.versions) == {"keras", "tensorflow", "tf2onnx", "onnx", "onnxruntime"}
    assert manifest.graphs["risk"].lstm_nodes == manifest.graphs["score"].lstm_nodes == 1
    assert bundle.fences == run_folder.fences
    assert bundle.reference == run_folder.reference
    assert bundle.calibration == run_folder.calibration
    assert bundle.intervals == run_folder.intervals
    assert manifest.opset == onnx.load_model(bundle.risk_graph).opset_import[0].version


def test_the_card_tells_use_data_figures_and_limits(
    run_folder: RunFolder, bundle_dir: Path
) -> None:
    card = read_bundle(bundle_dir).card
    assert card is not None
    for heading in ("Intended use", "Not intended", "Data", "Calibration", "Limits", "Versions"):
        assert f"\n## {heading}\n" in card
    assert "\n## Fairness, on the test part\n" in card
    metrics = run_folder.metrics
    last = metrics.risk.network.last
    assert f"| network | {last.records:,} | {last.base_rate:.3f} | {last.auc:.3f} |" in card
    for period, figures in list(metrics.risk.network.by_period.items())[:1]:
        assert f"| {period} | {figures.records:,} |" in card
    assert run_folder.calibration.learnt_on in card
    assert "{{" not in card
    checks = read_bundle(bundle_dir).manifest.explanations
    assert checks is not None
    assert f"for {checks.explained} records whose" in card
    for lever in checks.levers:
        fate = "hidden" if lever.hidden else "offered"
        assert f"| {lever.name} | {lever.records} | {lever.raised:.1%} | {fate} |" in card
    raw = metrics.risk.uncalibrated
    assert raw is not None
    for period in spread_horizons(sorted(metrics.risk.network.by_period)):
        figures = metrics.risk.network.by_period[period]
        before, after = (of.expected_calibration_error for of in (raw.by_period[period], figures))
        assert f"| {period} | {figures.records:,} | {before:.3f} | {after:.3f} |" in card
    score = metrics.score.network.by_period
    for period in spread_horizons(sorted(score)):
        held = run_folder.intervals.measured[period]
        begin = f"| {period} | {score[period].scores:,} | {score[period].mae:.2f} | "
        row = next(line for line in card.splitlines() if line.startswith(begin))
        assert row.endswith(f"| {held:.1%} |")


def test_the_card_tells_gaps_and_hides_small_groups(run_folder: RunFolder, tmp_path: Path) -> None:
    """Judge the real test part again with a limit that hides some group of it."""
    heldout = run_folder.heldout()
    risk = predict(load_network(run_folder.path / RISK_NETWORK), heldout.values)
    shown = fairness_report(heldout, risk, smallest=1, resamples=50)
    smallest = min(group.records or 0 for group in shown.attributes[0].groups)
    hidden = fairness_report(heldout, risk, smallest=smallest + 1, resamples=50)
    assert any(group.suppressed for group in hidden.attributes[0].groups)
    assert shown.attributes[0].gaps["expected_calibration_error"] is not None
    cards = []
    for report in (shown, hidden):
        folder = tmp_path / str(report.smallest)
        shutil.copytree(run_folder.path, folder)
        metrics = run_folder.metrics.model_copy(update={"fairness": report})
        (folder / METRICS).write_text(metrics.model_dump_json(), encoding="utf-8")
        cards.append(model_card(RunFolder(folder), load_policy("simulated", run_folder.contract)))
    for report, card in zip((shown, hidden), cards, strict=True):
        for audited in report.attributes:
            gap = audited.gaps["expected_calibration_error"]
            if gap is not None:
                assert f"{gap.difference:.3f} ({gap.low:.3f} to {gap.high:.3f})" in card
            for group in audited.groups:
                row = f"| {audited.label} | {group.group} | "
                assert row + ("suppressed" if group.suppressed else f"{group.records:,}") in card
                assert (row + "suppressed | n/a | n/a" in card) == group.suppressed


def test_the_gate_proves_tiers_by_capacity_too(run_folder: RunFolder, out: Path) -> None:
    text = policy_text("simulated")
    policy = out.parent.parent / "capacity.toml"
    capacity = "[capacity]\nhigh = 0.1\nmoderate = 0.2\n\n[[tiers]]"
    policy.write_text(text.replace("[[tiers]]", capacity, 1), encoding="utf-8")
    bundle = read_bundle(export_run(run_folder, out, policy=policy))
    assert bundle.tiers.kind == "capacity"
    assert min(row.decisions for row in bundle.manifest.parity if row.graph == "risk") > 0
    thresholds = bundle.tiers.bounds(bundle.contract.periods.maximum)
    calibration = run_folder.calibration
    assert thresholds[2] == pytest.approx(calibration.exceeded_by(0.1), abs=1e-6)
    assert thresholds[1] == pytest.approx(calibration.exceeded_by(0.1 + 0.2), abs=1e-6)


def test_a_portable_bundle_is_proven_too_and_holds_no_operator_that_providers_lack(
    run_folder: RunFolder, bundle_dir: Path, out: Path
) -> None:
    portable = read_bundle(export_run(run_folder, out, portable=True))
    assert portable.manifest.opset == PORTABLE_OPSET < read_bundle(bundle_dir).manifest.opset
    for name, graph in (("risk", portable.risk_graph), ("score", portable.score_graph)):
        facts = portable.manifest.graphs[name]
        assert "Attention" not in facts.operators
        assert facts.lstm_nodes == 1
        assert onnx.load_model(graph).opset_import[0].version == PORTABLE_OPSET
    heldout = run_folder.heldout()
    usual, other = (
        Scorer(bundle, provider="cpu").score(heldout.values, heldout.lengths)
        for bundle in (read_bundle(bundle_dir), portable)
    )
    np.testing.assert_allclose(other.risk, usual.risk, rtol=0, atol=1e-5)
    np.testing.assert_allclose(other.score, usual.score, rtol=0, atol=1e-3)


def test_the_bundle_answers_as_the_trained_network_does(
    run_folder: RunFolder, bundle_dir: Path
) -> None:
    heldout = run_folder.heldout()
    scores = Scorer(read_bundle(bundle_dir), provider="cpu").score(heldout.values, heldout.lengths)
    network = load_network(run_folder.path / RISK_NETWORK)
    expected = np.asarray(network(heldout.values))
    observed = heldout.observed
    np.testing.assert_allclose(scores.risk[observed], expected[observed], rtol=0, atol=1e-5)
    assert np.ptp(scores.risk[observed]) > 0


def test_a_failing_gate_leaves_no_bundle_behind(
    run_folder: RunFolder, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(model: keras.Model, specification: GraphSpecification) -> bytes:
        graph = onnx.load_model_from_string(to_onnx(model, specification))
        bias = next(node for node in graph.graph.node if node.op_type == "LSTM").input[3]
        tensor = next(tensor for tensor in graph.graph.initializer if tensor.name == bias)
        array = onnx.numpy_helper.to_array(tensor) + np.float32(0.05)
        tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))
        return bytes(graph.SerializeToString())

    monkeypatch.setattr(export, "to_onnx", broken)
    with pytest.raises(GateError, match="risk: held-out record"):
        export_run(run_folder, out)
    assert_nothing_left(out)


@pytest.mark.filterwarnings("ignore:Layer 'risk'.*mask attached")
def test_a_masking_network_is_refused_for_its_loop_and_leaves_nothing(
    copy: RunFolder, out: Path
) -> None:
    values = keras.Input((None, len(copy.contract.features)), name="values")
    hidden = keras.layers.Masking(0.0)(values)
    hidden = keras.layers.LSTM(4, return_sequences=True)(hidden)
    hidden = keras.layers.Dense(1, activation="sigmoid")(hidden)
    masking = keras.Model(values, keras.layers.Reshape((-1,), name="risk")(hidden))
    masking.save(copy.path / RISK_NETWORK)
    with pytest.raises(GateError, match="1 Loop"):
        export_run(copy, out)
    assert_nothing_left(out)


def test_a_network_with_a_fixed_number_of_periods_is_served_too(copy: RunFolder, out: Path) -> None:
    periods = copy.contract.periods.maximum
    values = keras.Input((periods, len(copy.contract.features)), name="values")
    hidden = keras.ops.where(keras.ops.isnan(values), 0.0, values / 100)
    hidden = keras.layers.LSTM(4, return_sequences=True)(hidden)
    hidden = keras.layers.Dense(1, activation="sigmoid")(hidden)
    fixed = keras.Model(values, keras.layers.Reshape((periods,), name="risk")(hidden))
    fixed.save(copy.path / RISK_NETWORK)
    bundle = read_bundle(export_run(copy, out))
    assert bundle.manifest.graphs["risk"].periods == periods
    assert bundle.manifest.graphs["score"].periods is None
    scorer = Scorer(bundle, provider="cpu")
    scorer.warm_up()
    short = scorer.score(np.full((3, 2, values.shape[2]), 50, np.float32), np.array([1, 2, 0]))
    assert (~np.isnan(short.risk)).tolist() == [[True, False], [True, True], [False, False]]


def test_a_policy_of_another_contract_is_refused_and_leaves_nothing(
    run_folder: RunFolder, out: Path
) -> None:
    with pytest.raises(ContractError):
        export_run(run_folder, out, policy="oulad")
    assert_nothing_left(out)


def test_a_policy_of_ones_own_is_packed(run_folder: RunFolder, out: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    text = policy_text("simulated")
    own.write_text(text.replace("version = 1", "version = 17", 1))
    bundle = read_bundle(export_run(run_folder, out, policy=own))
    assert bundle.manifest.policy.version == bundle.policy.version == 17
    assert load_contract(out / "contract.toml") == run_folder.contract


def test_exporting_again_gives_the_same_graphs_and_overwrites_only_when_told(
    run_folder: RunFolder, bundle_dir: Path, out: Path
) -> None:
    shutil.copytree(bundle_dir, out)
    before = read_bundle(out)
    with pytest.raises(ReplaceError, match="holds a bundle already"):
        export_run(run_folder, out)
    assert read_bundle(out) == before
    export_run(run_folder, out, overwrite=True)
    after = read_bundle(out)
    assert after.manifest.files == before.manifest.files
    assert after.version != before.version  # another moment of export
    assert list(out.parent.iterdir()) == [out]


def test_a_folder_of_something_else_is_never_overwritten(run_folder: RunFolder, out: Path) -> None:
    out.mkdir(parents=True)
    (out / "thesis.txt").write_text("years of work")
    with pytest.raises(ReplaceError, match="is no bundle"):
        export_run(run_folder, out, overwrite=True)
    assert (out / "thesis.txt").read_text() == "years of work"


def test_a_failing_export_keeps_the_bundle_that_was_there(
    run_folder: RunFolder, bundle_dir: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(bundle_dir, out)
    before = read_bundle(out).version

    def failing(*_: object, **__: object) -> None:
        raise GateError("not today.", graph="risk")

    monkeypatch.setattr(export, "prove", failing)
    with pytest.raises(GateError):
        export_run(run_folder, out, overwrite=True)
    assert read_bundle(out).version == before
    assert list(out.parent.iterdir()) == [out]
