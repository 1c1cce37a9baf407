"""Exporting by the command line: what passes the gate is shown, what fails it ends with a 1."""

import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from cli.main import run
from export import export
from export.convert import to_onnx
from export.specification import GraphSpecification
from scoring.bundle.reader import read_bundle
from training.networks.backend import keras
from training.run_folder import RunFolder


def _export(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> None:
    words = ["bellwether", "export", *map(str, arguments), "--no-save"]
    monkeypatch.setattr(sys, "argv", words)
    run()


def test_a_bundle_is_written_and_its_parity_shown(
    run_folder: RunFolder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "bundle"
    with pytest.raises(SystemExit) as ended:
        _export(monkeypatch, run_folder.path, "--out", out)

    assert not ended.value.code
    assert read_bundle(out).manifest.name == run_folder.record.name
    assert "Equal to Keras" in capsys.readouterr().out


def test_a_failing_gate_ends_with_a_1_and_says_where_and_how_far(
    run_folder: RunFolder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def broken(model: keras.Model, specification: GraphSpecification) -> bytes:
        graph = onnx.load_model_from_string(to_onnx(model, specification))
        bias = next(node for node in graph.graph.node if node.op_type == "LSTM").input[3]
        tensor = next(tensor for tensor in graph.graph.initializer if tensor.name == bias)
        array = onnx.numpy_helper.to_array(tensor) + np.float32(0.05)
        tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))
        return bytes(graph.SerializeToString())

    monkeypatch.setattr(export, "to_onnx", broken)
    out = tmp_path / "bundles" / "broken"
    with pytest.raises(SystemExit) as ended:
        _export(monkeypatch, run_folder.path, "--out", out)

    assert ended.value.code == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "Error: risk: held-out record " in said
    assert f", {run_folder.contract.periods.name} " in said
    assert " away from Keras, 1e-05 allowed" in said
    assert not out.exists()
    assert list(out.parent.iterdir()) == []
