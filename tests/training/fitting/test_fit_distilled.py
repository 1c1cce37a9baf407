"""The distilled network: taught by trees, causal, and a graph of fused LSTMs like any other."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from evaluation.metrics import risk_report
from export.convert import lstm_layers, to_onnx
from export.gate.structure import inspect_graph
from export.specification import RISK
from tests.training.small_cohort import CONTRACT, HOURS, small_cohort
from training.data.prepare import Prepared, prepare
from training.fitting.fit_distilled import early_first
from training.fitting.fit_networks import fit_network
from training.model import Fitted
from training.settings import DISTILLED, Distillation, Schedule, TrainingSettings

LATER = small_cohort(120, seed=9)
PRESET = DISTILLED.model_copy(
    update={
        "units": 8,
        "schedule": Schedule(learning_rate=0.01, batch_size=64, epochs=8),
        "distillation": Distillation(members=2, encoder_units=8, without=("hours", "clicks")),
    }
)


@pytest.fixture(scope="module")
def prepared() -> Prepared:
    return prepare(small_cohort(600, students=550), TrainingSettings())


@pytest.fixture(scope="module")
def fitted(prepared: Prepared) -> Fitted:
    return fit_network(prepared, "risk", PRESET, 0, lambda *_: None)


def test_it_learns_for_all_its_epochs(fitted: Fitted) -> None:
    assert fitted.network is not None
    assert len(fitted.network.history.epochs) == fitted.network.history.best == 8
    assert (risk_report(LATER, fitted.predict(LATER)).last.auc or 0) > 0.85


def test_what_comes_later_changes_nothing(fitted: Fitted) -> None:
    early, late = fitted.predict(LATER.at(2)), fitted.predict(LATER)
    np.testing.assert_allclose(early[:, :2], late[:, :2], atol=1e-6)


def test_features_that_it_is_told_to_leave_out_are_not_read(fitted: Fitted) -> None:
    values = LATER.values.copy()
    values[:, :, HOURS] = np.where(np.isnan(values[:, :, HOURS]), np.nan, np.float32(1))
    again = fitted.predict(replace(LATER, values=values))
    np.testing.assert_array_equal(again, fitted.predict(LATER))


def test_the_same_seed_gives_the_same_network(prepared: Prepared, fitted: Fitted) -> None:
    again = fit_network(prepared, "risk", PRESET, 0, lambda *_: None)
    np.testing.assert_array_equal(again.predict(LATER), fitted.predict(LATER))


def test_its_members_are_fused_lstms_in_one_graph_equal_to_it(fitted: Fitted) -> None:
    assert fitted.network is not None
    network = fitted.network.keras
    graph = to_onnx(network, RISK)
    expected = replace(RISK, lstm_nodes=lstm_layers(network))
    assert inspect_graph(graph, expected, CONTRACT).lstm_nodes == 2
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    (answer,) = session.run(None, {RISK.input: LATER.values})
    said = fitted.predict(LATER)
    np.testing.assert_allclose(answer[LATER.observed], said[LATER.observed], atol=1e-5)


def test_a_process_that_has_built_no_network_can_load_it(fitted: Fitted, tmp_path: Path) -> None:
    assert fitted.network is not None
    fitted.network.keras.save(tmp_path / "risk.keras")
    np.save(tmp_path / "values.npy", LATER.values)
    script = (
        "import pathlib, sys\n"
        "import numpy as np\n"
        "from training.networks.builders import load_network, predict\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "said = predict(load_network(folder / 'risk.keras'), np.load(folder / 'values.npy'))\n"
        "np.save(folder / 'said.npy', said)"
    )
    subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], cwd=Path(__file__).parents[3], check=True
    )
    said = fitted.predict(LATER)
    known = ~np.isnan(said)
    np.testing.assert_allclose(np.load(tmp_path / "said.npy")[known], said[known], atol=1e-6)


def test_earlier_periods_count_more_and_all_together_as_much_as_before() -> None:
    weight = np.array([[2, 2, 0], [2, 2, 2], [2, 0, 0]], np.float32)
    tilted = early_first(weight, 1.0)
    np.testing.assert_allclose(tilted.sum(), weight.sum(), rtol=1e-6)
    np.testing.assert_allclose(tilted[:, 1], tilted[1, 0] / 2 * (weight[:, 1] > 0), rtol=1e-6)
    assert not tilted[weight == 0].any()
    np.testing.assert_array_equal(early_first(weight, 0.0), weight)
