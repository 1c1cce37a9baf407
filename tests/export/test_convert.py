import hashlib
import os
import subprocess
import sys
from pathlib import Path

import onnx
import pytest

from export.convert import to_onnx
from export.specification import RISK, SCORE, SPECIFICATIONS, GraphSpecification
from training.networks.builders import load_network
from training.run_folder import RunFolder


@pytest.mark.parametrize("specification", SPECIFICATIONS, ids=lambda s: s.name)
def test_input_output_axes_and_operator_set_are_explicit(
    run_folder: RunFolder, specification: GraphSpecification
) -> None:
    network = load_network(run_folder.path / specification.keras_file)
    model = onnx.load_model_from_string(to_onnx(network, specification))
    (given,), (answer,) = model.graph.input, model.graph.output
    axes = [dim.dim_param or dim.dim_value for dim in given.type.tensor_type.shape.dim]
    assert given.name == specification.input
    assert axes == ["batch", "periods", len(run_folder.contract.features)]
    assert answer.name == specification.output
    assert [dim.dim_param for dim in answer.type.tensor_type.shape.dim][:2] == ["batch", "periods"]
    assert [(o.domain, o.version) for o in model.opset_import] == [("", specification.opset)]


@pytest.mark.slow
def test_the_same_weights_give_the_same_bytes_in_every_process(run_folder: RunFolder) -> None:
    here = []
    for specification in (RISK, SCORE, RISK):
        network = load_network(run_folder.path / specification.keras_file)
        here.append(hashlib.sha256(to_onnx(network, specification)).hexdigest())
    assert here[0] == here[2]

    script = (
        "import hashlib, sys, pathlib\n"
        "from export.convert import to_onnx\n"
        "from export.specification import SCORE\n"
        "from training.networks.builders import load_network\n"
        "network = load_network(pathlib.Path(sys.argv[1]))\n"
        "print(hashlib.sha256(to_onnx(network, SCORE)).hexdigest())"
    )
    path = run_folder.path / SCORE.keras_file
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)],
        env=os.environ | {"PYTHONHASHSEED": "1234"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == here[1]
