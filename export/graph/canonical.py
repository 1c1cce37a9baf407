"""Give a graph one order and one set of names, so that equal weights become equal bytes.

tf2onnx numbers its tensors with a counter of the process and orders nodes by hash, so that two
conversions of one model differ. Walking back from the outputs depends on the graph alone.
"""

import onnx


def canonical(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return `model` with nodes and constants in the order of a walk from the outputs.

    Names of inputs and outputs stay; what no output depends on is left out. A graph with
    sub-graphs (`Loop`, `Scan`, `If`) comes back as it is: the gate refuses it anyway.
    """
    graph = model.graph
    if any(_has_subgraph(node) for node in graph.node):
        return model
    nodes, constants = _walk(graph)
    names = {value.name: value.name for value in (*graph.input, *graph.output)} | {"": ""}
    for position, constant in enumerate(constants):
        names[constant.name] = f"constant_{position}"
    for position, node in enumerate(nodes):
        for index, output in enumerate(node.output):
            names.setdefault(output, f"{node.op_type}_{position}" + (f"_{index}" if index else ""))
    return onnx.helper.make_model(
        onnx.helper.make_graph(
            [_renamed(node, names, position) for position, node in enumerate(nodes)],
            name="bellwether",
            inputs=graph.input,
            outputs=graph.output,
            initializer=[_named(constant, names[constant.name]) for constant in constants],
        ),
        ir_version=model.ir_version,
        opset_imports=[o for o in model.opset_import if o.domain == ""],
        producer_name="tf2onnx",
        producer_version=model.producer_version,
    )


def _walk(graph: onnx.GraphProto) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
    """List nodes, inputs before users, and constants, in the order in which a walk meets them."""
    makers = {output: node for node in graph.node for output in node.output if output}
    initializers = {constant.name: constant for constant in graph.initializer}
    nodes: list[onnx.NodeProto] = []
    constants: list[onnx.TensorProto] = []
    met: set[str] = set()
    pending = [(output.name, False) for output in reversed(graph.output)]
    while pending:
        name, inputs_done = pending.pop()
        if name in met:
            continue
        if name in initializers:
            met.add(name)
            constants.append(initializers[name])
        elif name in makers and inputs_done:
            met.update(makers[name].output)
            nodes.append(makers[name])
        elif name in makers:
            pending.append((name, True))
            pending.extend((source, False) for source in reversed(makers[name].input))
    return nodes, constants


def _renamed(node: onnx.NodeProto, names: dict[str, str], position: int) -> onnx.NodeProto:
    renamed = onnx.NodeProto(
        op_type=node.op_type,
        domain=node.domain,
        name=f"{node.op_type}_{position}",
        input=[names[name] for name in node.input],
        output=[names[name] for name in node.output],
    )
    renamed.attribute.extend(sorted(node.attribute, key=lambda attribute: attribute.name))
    return renamed


def _named(constant: onnx.TensorProto, name: str) -> onnx.TensorProto:
    named = onnx.TensorProto()
    named.CopyFrom(constant)
    named.name = name
    return named


def _has_subgraph(node: onnx.NodeProto) -> bool:
    kinds = (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS)
    return any(attribute.type in kinds for attribute in node.attribute)
