import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest

from export.gate.gate import GateError, expect, prove
from export.specification import SPECIFICATIONS
from records.arrays import Floats, Ints
from records.cohort import Cohort
from scoring.bundle.reader import Bundle, read_bundle, sha256, write_manifest
from scoring.runtime.providers import RUNTIME_NAMES, loadable_providers
from scoring.runtime.scorer import Scorer, Scores
from training.networks.backend import keras
from training.networks.builders import load_network
from training.run_folder import RunFolder

PATTERNS = "as recorded|nothing missing|half missing|all missing"


@pytest.fixture(scope="module")
def heldout(run_folder: RunFolder) -> Cohort:
    return run_folder.heldout()


@pytest.fixture
def models(run_folder: RunFolder) -> dict[str, keras.Model]:
    return {
        specification.name: load_network(run_folder.path / specification.keras_file)
        for specification in SPECIFICATIONS
    }


def with_a_broken_weight(bundle_dir: Path, folder: Path, name: str) -> Bundle:
    """Copy a bundle and add 0.1 to one weight of one LSTM, all checksums in order."""
    shutil.copytree(bundle_dir, folder)
    path = folder / f"{name}.onnx"
    model = onnx.load_model(path)
    lstm = next(node for node in model.graph.node if node.op_type == "LSTM")
    weights = next(tensor for tensor in model.graph.initializer if tensor.name == lstm.input[1])
    array = onnx.numpy_helper.to_array(weights).copy()
    array.reshape(-1)[0] += 0.1
    weights.CopyFrom(onnx.numpy_helper.from_array(array, weights.name))
    onnx.save_model(model, path)
    manifest = read_bundle(bundle_dir).manifest
    files = manifest.files | {path.name: sha256(path)}
    write_manifest(manifest.model_copy(update={"files": files}), folder)
    return read_bundle(folder)


@pytest.mark.parametrize("name", ["risk", "score"])
def test_a_broken_weight_is_found_with_record_step_and_distance(
    bundle_dir: Path, tmp_path: Path, models: dict[str, keras.Model], heldout: Cohort, name: str
) -> None:
    broken = with_a_broken_weight(bundle_dir, tmp_path / "broken", name)
    with pytest.raises(GateError, match=rf"{name}: held-out record \d+, .* away from Keras") as it:
        prove(broken, models, heldout)
    error = it.value
    assert error.graph == name
    assert error.record is not None
    assert 0 <= error.record < len(heldout)
    assert error.step is not None
    assert 1 <= error.step <= heldout.contract.periods.maximum
    assert error.distance is not None
    assert error.distance > 1e-5
    assert str(heldout.ids[error.record]) not in str(error)


def test_another_keras_model_is_found(
    bundle_dir: Path, models: dict[str, keras.Model], heldout: Cohort
) -> None:
    models["risk"].set_weights([1.01 * weight for weight in models["risk"].get_weights()])
    with pytest.raises(GateError, match=rf"risk: held-out record .*({PATTERNS})"):
        prove(read_bundle(bundle_dir), models, heldout)


def test_a_fault_of_the_scorer_is_found(
    bundle_dir: Path,
    models: dict[str, keras.Model],
    heldout: Cohort,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sound = Scorer.score

    def faulty(self: Scorer, values: Floats, lengths: Ints) -> Scores:
        scores = sound(self, values, lengths)
        return Scores(risk=np.roll(scores.risk, 1, axis=0), score=scores.score)

    monkeypatch.setattr(Scorer, "score", faulty)
    with pytest.raises(GateError, match=r"risk: .*CPUExecutionProvider, scorer"):
        prove(read_bundle(bundle_dir), models, heldout)


def test_a_model_that_looks_ahead_is_refused(
    models: dict[str, keras.Model], heldout: Cohort
) -> None:
    values = keras.Input((None, len(heldout.contract.features)), name="values")
    hidden = keras.ops.where(keras.ops.isnan(values), 0.0, values)
    hidden = keras.ops.cumsum(keras.ops.flip(hidden, axis=1), axis=1)
    hidden = keras.layers.Dense(1, activation="sigmoid")(keras.ops.flip(hidden, axis=1) / 100)
    ahead = keras.Model(values, keras.layers.Reshape((-1,), name="risk")(hidden))
    with pytest.raises(GateError, match="evaluation period 1 depends on later periods"):
        list(expect(models | {"risk": ahead}, heldout))


def test_no_held_out_records_prove_nothing(
    bundle_dir: Path, models: dict[str, keras.Model], heldout: Cohort
) -> None:
    with pytest.raises(GateError, match="no held-out records"):
        prove(read_bundle(bundle_dir), models, heldout.take([]))


def test_the_figures_cover_every_graph_provider_and_path(
    bundle_dir: Path, models: dict[str, keras.Model], heldout: Cohort
) -> None:
    bundle = read_bundle(bundle_dir)
    steps: list[tuple[str, int, int]] = []
    parity = prove(bundle, models, heldout, progress=lambda *step: steps.append(step))
    providers = loadable_providers([bundle.risk_graph, bundle.score_graph])
    assert {(row.graph, row.provider, row.path) for row in parity} == {
        (graph, RUNTIME_NAMES[provider], path)
        for graph in ("risk", "score")
        for provider in providers
        for path in ("session", "scorer")
    }
    for row in parity:
        assert row.largest_difference <= row.tolerance
        assert row.cases >= 4 * 4 * 4
        assert row.values > 0
        assert (row.decisions > 0) == (row.graph == "risk")
    assert steps[-1] == ("Proving parity", 1 + len(providers), 1 + len(providers))
    assert bundle.manifest.parity == parity
