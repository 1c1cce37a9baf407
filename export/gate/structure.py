"""The gate's first half: what a graph is made of, what it takes and what it gives."""

from collections import Counter

import onnx

from export.errors import GateError
from export.specification import GraphSpecification
from records.contract import Contract
from scoring.bundle.manifest import GraphFacts


def inspect_graph(
    graph: bytes, specification: GraphSpecification, contract: Contract
) -> GraphFacts:
    """Compare a graph with its specification and return what it is made of.

    Raises:
        GateError: Operators, names, element types or shapes differ.
    """
    model = onnx.load_model_from_string(graph)
    operators = Counter(
        node.op_type if not node.domain else f"{node.domain}::{node.op_type}"
        for node in model.graph.node
    )
    _check_operators(operators, specification)
    periods = _check_interface(model.graph, specification, contract)
    return GraphFacts(
        file=specification.onnx_file,
        input=specification.input,
        output=specification.output,
        periods=periods,
        lstm_nodes=operators["LSTM"],
        operators=dict(sorted(operators.items())),
    )


def _check_operators(operators: Counter[str], specification: GraphSpecification) -> None:
    found = sorted(specification.forbidden & operators.keys())
    if found:
        listed = ", ".join(f"{operators[name]} {name}" for name in found)
        raise GateError(
            f"the graph holds {listed}. Masking, GRU, recurrent dropout and activations other "
            "than tanh and sigmoid do that; build the network without them.",
            graph=specification.name,
        )
    if operators["LSTM"] != specification.lstm_nodes:
        raise GateError(
            f"the graph holds {operators['LSTM']} fused LSTM node(s), expected "
            f"{specification.lstm_nodes}.",
            graph=specification.name,
        )
    if foreign := sorted(name for name in operators if "::" in name):
        raise GateError(
            f"operators outside the ONNX standard: {', '.join(foreign)}.",
            graph=specification.name,
        )


def _check_interface(
    graph: onnx.GraphProto, specification: GraphSpecification, contract: Contract
) -> int | None:
    """Check names, types and shapes, and return the fixed number of periods, if any."""
    for kind, values, name in (
        ("input", graph.input, specification.input),
        ("output", graph.output, specification.output),
    ):
        names = [value.name for value in values]
        if names != [name]:
            raise GateError(
                f"{kind}s are named {names}, expected ['{name}']; name the network's {kind} layer "
                "so.",
                graph=specification.name,
            )
        if values[0].type.tensor_type.elem_type != onnx.TensorProto.FLOAT:
            raise GateError(f"{kind} '{name}' is not float32.", graph=specification.name)
    maximum = contract.periods.maximum
    given = _axes(graph.input[0])
    fixed = given[1] if len(given) > 1 else None
    if given != [None, fixed, len(contract.features)] or fixed not in (None, maximum):
        raise GateError(
            f"input has shape {given}, expected [None, None or {maximum}, "
            f"{len(contract.features)}].",
            graph=specification.name,
        )
    subjects = [len(contract.targets.score.subjects)] if specification.per_subject else []
    if _axes(graph.output[0]) != [None, fixed, *subjects]:
        raise GateError(
            f"output has shape {_axes(graph.output[0])}, expected {[None, fixed, *subjects]}.",
            graph=specification.name,
        )
    return fixed


def _axes(value: onnx.ValueInfoProto) -> list[int | None]:
    """Lengths of the axes, None where dynamic."""
    dimensions = value.type.tensor_type.shape.dim
    return [dim.dim_value if dim.HasField("dim_value") else None for dim in dimensions]
