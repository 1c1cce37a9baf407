"""Bundles by the command line: saved, listed, found by tag, refused when tampered, deleted."""

import os
import subprocess
import sys
from pathlib import Path

from scoring.bundle.reader import RISK_GRAPH, read_bundle

COMMAND = str(Path(sys.executable).with_name("bellwether"))


def _bundle(home: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, "bundle", *map(str, arguments)],
        env={**os.environ, "BENTOML_HOME": str(home), "COLUMNS": "120"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_bundle_goes_in_and_out_of_the_model_store(bundle_dir: Path, tmp_path: Path) -> None:
    tag = f"bellwether:simulated-{read_bundle(bundle_dir).version}"

    assert tag in _bundle(tmp_path, "save", bundle_dir).stdout
    assert tag in _bundle(tmp_path, "list").stdout
    assert "Equal to Keras" in _bundle(tmp_path, "show", tag).stdout
    [graph] = tmp_path.rglob(RISK_GRAPH)
    graph.write_bytes(graph.read_bytes() + b"\0")
    tampered = _bundle(tmp_path, "verify", tag)
    assert tampered.returncode == 1
    assert "risk.onnx: its content is not what the manifest recorded" in tampered.stderr
    assert _bundle(tmp_path, "delete", tag).returncode == 0
    assert tag not in _bundle(tmp_path, "list").stdout
