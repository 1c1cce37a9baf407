"""Every architecture of the registry becomes a graph that is fused, and equal to its network."""

from dataclasses import replace

import numpy as np
import onnxruntime
import pytest

from export.convert import lstm_layers, to_onnx
from export.gate.structure import inspect_graph
from export.specification import RISK, SCORE, GraphSpecification
from tests.training.small_cohort import CONTRACT, small_cohort
from training.data.statistics import learn_statistics
from training.data.targets import score_spread
from training.fitting.fit import seed_everything
from training.networks.builders import build_risk_network, build_score_network, predict
from training.settings import ARCHITECTURES, RISK_NETWORKS, SCORE_NETWORKS

COHORT = small_cohort(40)
STATISTICS = learn_statistics(COHORT)
LSTM_NODES = {
    "lstm": 1,
    "stacked-lstm": 2,
    "attention-lstm": 1,
    "lstm-attention": 1,
    "self-attention": 0,
}


@pytest.mark.parametrize("specification", [RISK, SCORE], ids=lambda one: str(one.name))
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_it_is_exported_with_as_many_nodes_as_it_has_lstms(
    architecture: str, specification: GraphSpecification
) -> None:
    seed_everything(1)
    small = {"units": 6, "heads": 2, "key_size": 3}
    if specification is RISK:
        preset = RISK_NETWORKS[architecture, "large"].model_copy(update=small)
        network = build_risk_network(CONTRACT, STATISTICS, preset)
    else:
        preset = SCORE_NETWORKS[architecture, "papers"].model_copy(update=small)
        network = build_score_network(CONTRACT, STATISTICS, preset, score_spread(COHORT))
    graph = to_onnx(network, specification)
    expected = replace(specification, lstm_nodes=lstm_layers(network))
    assert inspect_graph(graph, expected, CONTRACT).lstm_nodes == LSTM_NODES[architecture]
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    (answer,) = session.run(None, {specification.input: COHORT.values})
    np.testing.assert_allclose(answer, predict(network, COHORT.values), atol=1e-4)
