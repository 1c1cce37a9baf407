import onnx
import pytest

from export.convert import to_onnx
from export.errors import GateError
from export.gate.structure import inspect_graph
from export.specification import RISK, SCORE
from records.contract import Contract, load_contract
from training.networks.backend import keras

layers = keras.layers
CONTRACT: Contract = load_contract("simulated")
FEATURES, PERIODS = len(CONTRACT.features), CONTRACT.periods.maximum


def network(*middle: keras.layers.Layer, output: str = "risk") -> keras.Model:
    """Input → zeros for missing values → `middle` → one number a period, called `output`."""
    values = keras.Input((None, FEATURES), name="values")
    hidden = keras.ops.where(keras.ops.isnan(values), 0.0, values)
    for layer in middle:
        hidden = layer(hidden)
    hidden = layers.Dense(1, activation="sigmoid")(hidden)
    return keras.Model(values, layers.Reshape((-1,), name=output)(hidden))


def lstm() -> keras.layers.Layer:
    return layers.LSTM(4, return_sequences=True)


@pytest.fixture(scope="module")
def sound() -> bytes:
    """A graph as specified, with any number of periods."""
    return to_onnx(network(lstm()), RISK)


def test_a_graph_as_specified_passes_and_its_facts_are_told(sound: bytes) -> None:
    facts = inspect_graph(sound, RISK, CONTRACT)
    assert facts.lstm_nodes == facts.operators["LSTM"] == 1
    assert facts.periods is None
    assert (facts.file, facts.input, facts.output) == ("risk.onnx", "values", "risk")


def test_a_fixed_number_of_periods_is_told(sound: bytes) -> None:
    fixed = onnx.load_model_from_string(sound)
    for value in (fixed.graph.input[0], fixed.graph.output[0]):
        value.type.tensor_type.shape.dim[1].dim_value = PERIODS
    assert inspect_graph(fixed.SerializeToString(), RISK, CONTRACT).periods == PERIODS


@pytest.mark.filterwarnings("ignore:Layer 'risk'.*mask attached")
def test_masking_is_refused_for_its_loop() -> None:
    values = keras.Input((None, FEATURES), name="values")
    hidden = lstm()(layers.Masking(0.0)(values))
    hidden = layers.Dense(1, activation="sigmoid")(hidden)
    masked = keras.Model(values, layers.Reshape((-1,), name="risk")(hidden))
    with pytest.raises(GateError, match=r"risk: the graph holds 1 Loop\. Masking"):
        inspect_graph(to_onnx(masked, RISK), RISK, CONTRACT)


def test_a_gru_is_refused_for_its_loop() -> None:
    gru = layers.GRU(4, return_sequences=True)
    with pytest.raises(GateError, match="1 Loop"):
        inspect_graph(to_onnx(network(gru), RISK), RISK, CONTRACT)


def test_a_second_lstm_is_refused() -> None:
    with pytest.raises(GateError, match=r"2 fused LSTM node\(s\), expected 1"):
        inspect_graph(to_onnx(network(lstm(), lstm()), RISK), RISK, CONTRACT)


def test_a_network_without_an_lstm_is_refused() -> None:
    with pytest.raises(GateError, match=r"0 fused LSTM node\(s\), expected 1"):
        inspect_graph(to_onnx(network(layers.Dense(4)), RISK), RISK, CONTRACT)


def test_a_wrong_output_name_is_refused() -> None:
    graph = to_onnx(network(lstm(), output="probability"), RISK)
    with pytest.raises(
        GateError, match=r"outputs are named \['probability'\], expected \['risk'\]"
    ):
        inspect_graph(graph, RISK, CONTRACT)


def test_a_wrong_input_name_is_refused(sound: bytes) -> None:
    model = onnx.load_model_from_string(sound)
    model.graph.input[0].name = "x"
    with pytest.raises(GateError, match=r"inputs are named \['x'\]"):
        inspect_graph(model.SerializeToString(), RISK, CONTRACT)


def test_a_second_output_is_refused(sound: bytes) -> None:
    model = onnx.load_model_from_string(sound)
    model.graph.output.append(onnx.helper.make_tensor_value_info("spare", 1, [None]))
    with pytest.raises(GateError, match=r"\['risk', 'spare'\]"):
        inspect_graph(model.SerializeToString(), RISK, CONTRACT)


def test_doubles_are_refused(sound: bytes) -> None:
    model = onnx.load_model_from_string(sound)
    model.graph.output[0].type.tensor_type.elem_type = onnx.TensorProto.DOUBLE
    with pytest.raises(GateError, match="output 'risk' is not float32"):
        inspect_graph(model.SerializeToString(), RISK, CONTRACT)


def test_another_number_of_features_is_refused(sound: bytes) -> None:
    model = onnx.load_model_from_string(sound)
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_value = FEATURES + 1
    with pytest.raises(GateError, match=rf"input has shape \[None, None, {FEATURES + 1}\]"):
        inspect_graph(model.SerializeToString(), RISK, CONTRACT)


def test_a_fixed_number_of_periods_other_than_the_contracts_is_refused(sound: bytes) -> None:
    model = onnx.load_model_from_string(sound)
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = PERIODS - 1
    with pytest.raises(GateError, match=rf"expected \[None, None or {PERIODS}, {FEATURES}\]"):
        inspect_graph(model.SerializeToString(), RISK, CONTRACT)


def test_an_output_without_the_subjects_axis_is_refused(sound: bytes) -> None:
    model = onnx.load_model_from_string(sound)
    next(node for node in model.graph.node if "risk" in node.output).output[0] = "score"
    model.graph.output[0].name = "score"
    with pytest.raises(GateError, match=r"score: output has shape \[None, None\]"):
        inspect_graph(model.SerializeToString(), SCORE, CONTRACT)


def test_operators_outside_the_standard_are_refused(sound: bytes) -> None:
    model = onnx.load_model_from_string(sound)
    next(node for node in model.graph.node if node.op_type == "Sigmoid").domain = "elsewhere"
    with pytest.raises(GateError, match="elsewhere::Sigmoid"):
        inspect_graph(model.SerializeToString(), RISK, CONTRACT)
