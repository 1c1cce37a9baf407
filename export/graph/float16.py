"""Let costly nodes of a float32 graph compute in float16, with casts where others meet them.

ONNX Runtime's own converter casts the graph's input to float16 before anything reads it, where a
raw value above 65,504 becomes infinite, and names two casts alike where two nodes read the input.
"""

import numpy as np
import onnx

# Raw values reach thousands and scores have two decimals: neither fits 11 bits. Only what lies
# between the scaled inputs and the raw outputs is halved. `Gemm`, the dense layers behind an LSTM,
# is not: the last of them gives raw scores, and together they are a small part of the work.
_HALVED = frozenset({"MatMul", "LSTM", "Attention"})
# These stay in the precision of what they are given first.
_FOLLOWING = frozenset({"Split", "Squeeze", "Transpose", "Reshape", "Relu"})
_FLOAT, _HALF = onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16


def to_float16(model: onnx.ModelProto) -> bytes:
    """Convert a model whose inputs, outputs and numbers are float32; inputs and outputs stay so."""
    graph = _Halved(model.graph)
    for node in model.graph.node:
        graph.add(node)
    for output in model.graph.output:
        graph.give(output.name)
    used = {name for node in graph.nodes for name in node.input}
    result = onnx.helper.make_model(
        onnx.helper.make_graph(
            graph.nodes,
            model.graph.name,
            model.graph.input,
            model.graph.output,
            [one for one in (*model.graph.initializer, *graph.weights) if one.name in used],
        ),
        opset_imports=model.opset_import,
        ir_version=model.ir_version,
    )
    onnx.checker.check_model(result)
    return bytes(result.SerializeToString(deterministic=True))


class _Halved:
    """The nodes and weights of the result."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self._full = {tensor.name: tensor for tensor in graph.initializer}
        self._outputs = {output.name for output in graph.output}
        self._half: set[str] = set()
        self._casts: dict[str, str] = {}

    def add(self, node: onnx.NodeProto) -> None:
        """Copy a node, with the inputs that it computes on."""
        copy = onnx.NodeProto.FromString(node.SerializeToString())
        follows = node.op_type in _FOLLOWING and node.input[0] in self._half
        halved = (node.op_type in _HALVED and not self._chooses(node)) or follows
        inputs = [self._lowered(name) if halved else self._raised(name) for name in node.input]
        if follows:  # the others are lengths and axes
            inputs[1:] = list(node.input)[1:]
        outputs = list(node.output)
        if halved:
            # An output of the graph keeps its name for the float32 that `give` makes of it.
            outputs = [f"{name}_half" if name in self._outputs else name for name in outputs]
            self._half.update(outputs)
        del copy.input[:], copy.output[:]
        copy.input.extend(inputs)
        copy.output.extend(outputs)
        self.nodes.append(copy)

    def give(self, name: str) -> None:
        """Cast an output of the graph back where a halved node made it."""
        if f"{name}_half" in self._half:
            self.nodes.append(_cast(f"{name}_half", name, _FLOAT))

    def _chooses(self, node: onnx.NodeProto) -> bool:
        """Tell a product with zeros and ones, which chooses among raw values."""
        weights = self._full.get(node.input[1])
        return weights is not None and bool(
            np.isin(onnx.numpy_helper.to_array(weights), (0, 1)).all()
        )

    def _lowered(self, name: str) -> str:
        tensor = self._full.get(name)
        unchanged = not name or name in self._half
        if unchanged or (tensor is not None and tensor.data_type != _FLOAT):
            return name
        if name not in self._casts:
            self._casts[name] = f"{name}_lowered"
            if tensor is None:
                self.nodes.append(_cast(name, self._casts[name], _HALF))
            else:
                array = onnx.numpy_helper.to_array(tensor).astype(np.float16)
                self.weights.append(onnx.numpy_helper.from_array(array, self._casts[name]))
        return self._casts[name]

    def _raised(self, name: str) -> str:
        if name not in self._half:
            return name
        if name not in self._casts:
            self._casts[name] = f"{name}_raised"
            self.nodes.append(_cast(name, self._casts[name], _FLOAT))
        return self._casts[name]


def _cast(source: str, target: str, to: int) -> onnx.NodeProto:
    return onnx.helper.make_node("Cast", [source], [target], f"{target}_cast", to=to)
