"""Graphs in another precision: measured, packed where they win, served on request."""

import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest

from cli.bundles.export import variant_line
from export.gate.variants import SIZES, Limits, add_variants, refusal
from export.precision import to_precision
from export.specification import RISK
from records.cohort import Cohort
from scoring.bundle.manifest import Variant
from scoring.bundle.reader import Bundle, BundleError, read_bundle, sha256, write_manifest
from scoring.precision import Precision
from scoring.runtime.scorer import Scorer
from training.run_folder import RunFolder

ANYTHING = Limits(changed=1, difference=np.inf, gain=0, loss=0)
FAST = {1: 1.2, 32: 1.1, 256: 1.3}


def row(**changes: object) -> Variant:
    usual = {"graph": "risk", "precision": "int8", "provider": "CPUExecutionProvider"}
    return Variant.model_validate(usual | {"speed": FAST} | changes)


@pytest.fixture(scope="module")
def heldout(run_folder: RunFolder) -> Cohort:
    return run_folder.heldout()


@pytest.fixture(scope="module")
def packed(bundle_dir: Path, heldout: Cohort, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The tiny bundle with every variant that loads, whatever it costs."""
    folder = tmp_path_factory.mktemp("variants") / "packed"
    shutil.copytree(bundle_dir, folder)
    bundle = read_bundle(folder)
    both = [Precision.FLOAT16, Precision.INT8]
    variants, files = add_variants(bundle, heldout, both, ANYTHING)
    found = {"variants": variants, "files": bundle.manifest.files | files}
    write_manifest(bundle.manifest.model_copy(update=found), folder)
    return read_bundle(folder)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, ""),
        ({"changed": 0.02}, "2.00% of tiers change, 0.50% allowed"),
        ({"company_changed": 0.1}, "10.00% of tiers change in a batch with an extreme record"),
        ({"largest_difference": 0.2}, "up to 0.2 away, 0.03 allowed"),
        ({"company_difference": 0.3}, "up to 0.3 away in a batch with an extreme record"),
        ({"speed": {1: 1.01, 256: 1.02}}, "1.01 to 1.02 times as fast as float32"),
        ({"speed": {1: 0.7, 256: 1.4}}, "0.70 to 1.40 times as fast as float32"),
    ],
)
def test_a_variant_is_refused_for_what_it_costs_or_does_not_gain(
    changes: dict[str, object], why: str
) -> None:
    said = refusal(row(**changes), Limits(), width=1.0)
    assert said.startswith(why)
    assert bool(said) is bool(why)


def test_int8_quantises_the_lstm_alone(bundle_dir: Path) -> None:
    graph = to_precision((bundle_dir / "risk.onnx").read_bytes(), Precision.INT8)
    operators = [node.op_type for node in onnx.load_model_from_string(graph).graph.node]
    assert "DynamicQuantizeLSTM" in operators
    assert "LSTM" not in operators
    assert "MatMul" in operators


def test_float16_keeps_raw_values_and_both_ends_in_float32(bundle_dir: Path) -> None:
    graph = onnx.load_model_from_string(
        to_precision((bundle_dir / "risk.onnx").read_bytes(), Precision.FLOAT16)
    ).graph
    ends = [value.type.tensor_type.elem_type for value in (*graph.input, *graph.output)]
    assert ends == [onnx.TensorProto.FLOAT] * 2
    types = {tensor.name: tensor.data_type for tensor in graph.initializer}
    lstm = next(node for node in graph.node if node.op_type == "LSTM")
    assert len({node.name for node in graph.node}) == len(graph.node)
    assert types[lstm.input[1]] == onnx.TensorProto.FLOAT16
    before = graph.node[: list(graph.node).index(lstm)]
    raw = [node for node in before if node.op_type in {"Where", "Sub", "Mul", "Clip"}]
    assert len(raw) == 4
    tables = {node.output[0]: node.input[0] for node in before if node.op_type == "Slice"}
    read = [tables.get(name, name) for node in raw for name in node.input]
    constants = [types[name] for name in read if name in types]
    assert len(constants) >= 4
    assert set(constants) == {onnx.TensorProto.FLOAT}


def test_what_was_measured_is_in_the_manifest(packed: Bundle) -> None:
    found = {(one.graph, one.precision): one for one in packed.manifest.variants}
    assert len(found) == 4
    int8 = found["risk", Precision.INT8]
    assert int8.packed
    assert set(int8.speed) == set(SIZES)
    assert 0 < int8.mean_difference < int8.largest_difference < 0.2
    assert int8.decisions == int8.values > 0
    assert "int8 risk on CPUExecutionProvider: packed. Speed" in variant_line(int8)
    half = found["risk", Precision.FLOAT16]
    assert half.packed, half.why
    assert 0 < half.mean_difference < half.largest_difference < 0.01


def test_in_float16_huge_raw_values_stay_finite_and_touch_no_other_record(packed: Bundle) -> None:
    half = Scorer(packed, provider="cpu", precision="float16")
    assert set(half.precision.values()) == {Precision.FLOAT16}
    features = len(packed.contract.features)
    values = np.full((2, 3, features), 70, np.float32)
    alone = half.score(values, np.array([3, 3]))
    values[1] = 1e6
    beside = half.score(values, np.array([3, 3]))
    assert np.isfinite(beside.risk).all()
    assert np.isfinite(beside.score).all()
    np.testing.assert_allclose(beside.risk[0], alone.risk[0], atol=1e-3)


def test_the_scorer_answers_in_the_precision_asked_for_and_else_in_float32(
    packed: Bundle, bundle_dir: Path, heldout: Cohort
) -> None:
    unpacked = Scorer(read_bundle(bundle_dir), provider="cpu", precision="int8")
    assert set(unpacked.precision.values()) == {Precision.FLOAT32}
    plain, int8 = Scorer(packed, provider="cpu"), Scorer(packed, provider="cpu", precision="int8")
    assert set(plain.precision.values()) == {Precision.FLOAT32}
    assert set(int8.precision.values()) == {Precision.INT8}
    usual, other = (one.score(heldout.values, heldout.lengths) for one in (plain, int8))
    differs = np.nanmax(np.abs(usual.risk - other.risk))
    assert 0 < differs < 0.2
    np.testing.assert_array_equal(np.isnan(usual.risk), np.isnan(other.risk))


def test_a_variant_that_is_altered_missing_or_unlisted_is_refused(
    packed: Bundle, bundle_dir: Path, tmp_path: Path
) -> None:
    altered = shutil.copytree(packed.path, tmp_path / "altered")
    graph = altered / "risk.int8.onnx"
    graph.write_bytes(graph.read_bytes() + b"\0")
    with pytest.raises(BundleError, match=r"risk\.int8\.onnx: its content is not"):
        read_bundle(altered)
    graph.unlink()
    with pytest.raises(BundleError, match=r"risk\.int8\.onnx missing"):
        read_bundle(altered)
    unlisted = shutil.copytree(bundle_dir, tmp_path / "unlisted")
    shutil.copy(packed.path / "risk.int8.onnx", unlisted)
    with pytest.raises(BundleError, match=r"risk\.int8\.onnx does not belong to a bundle"):
        read_bundle(unlisted)


def test_one_extreme_record_is_counted_against_a_batch_that_shares_a_scale(packed: Bundle) -> None:
    found = {one.precision: one for one in packed.manifest.variants if one.graph == RISK.name}
    int8, half = found[Precision.INT8], found[Precision.FLOAT16]
    assert int8.company_difference > 2 * int8.largest_difference
    assert half.company_difference == pytest.approx(half.largest_difference, rel=0.01)


def test_float32_is_left_as_it_is(packed: Bundle) -> None:
    graph = packed.risk_graph.read_bytes()
    assert to_precision(graph, Precision.FLOAT32) == graph
    assert sha256(packed.graph("risk")) == packed.manifest.files["risk.onnx"]
