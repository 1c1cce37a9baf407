"""Collect the nodes and constants of one ONNX graph, names chosen by the builder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class Tensor:
    """A tensor of the graph under construction.

    Attributes:
        name: In the graph.
        periods_first: Whether its axes are (periods, batch, ...) instead of (batch, periods, ...):
            how an LSTM node reads and writes.
    """

    name: str
    periods_first: bool = False


@dataclass
class GraphBuilder:
    """Nodes, inputs before users, and the constants that they read.

    Attributes:
        opset: Operator set of the file: what may be written.
    """

    opset: int
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)

    def constant(self, value: Array | np.generic | Sequence[int]) -> str:
        """Add a constant (float32 or int64) and return its name."""
        array = np.asarray(value)
        array = array.astype(np.float32 if array.dtype.kind == "f" else np.int64)
        name = f"c{len(self.constants)}"
        self.constants.append(onnx.numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Add a node and return the name of its output."""
        return self.add_many(operator, *inputs, outputs=1, **attributes)[0]

    def add_many(
        self, operator: str, *inputs: str, outputs: int, **attributes: Any
    ) -> tuple[str, ...]:
        """Add a node and return the names of its outputs."""
        names = tuple(f"n{len(self.nodes)}_{index}" for index in range(outputs))
        self.nodes.append(onnx.helper.make_node(operator, inputs, names, **attributes))
        return names

    def swapped(self, tensor: Tensor, *, periods_first: bool) -> Tensor:
        """Return (batch, periods, columns) `tensor` with these two axes in the order asked for."""
        if tensor.periods_first is periods_first:
            return tensor
        return Tensor(self.add("Transpose", tensor.name, perm=[1, 0, 2]), periods_first)

    def inline(self, part: onnx.GraphProto, inputs: Sequence[str]) -> tuple[str, ...]:
        """Copy another graph in, reading `inputs`, and return the names of its outputs."""
        names = {"": ""}
        names |= {value.name: name for value, name in zip(part.input, inputs, strict=True)}
        for constant in part.initializer:
            copy = onnx.TensorProto()
            copy.CopyFrom(constant)
            copy.name = names[constant.name] = f"c{len(self.constants)}"
            self.constants.append(copy)
        for node in part.node:
            copied = onnx.NodeProto()
            copied.CopyFrom(node)
            for index, output in enumerate(node.output):
                if output:
                    names[output] = f"n{len(self.nodes)}_{index}"
            del copied.input[:], copied.output[:]
            copied.input.extend(names[name] for name in node.input)
            copied.output.extend(names[name] for name in node.output)
            _rename_outer(copied, names)
            self.nodes.append(copied)
        return tuple(names[value.name] for value in part.output)


def _rename_outer(node: onnx.NodeProto, names: Mapping[str, str]) -> None:
    """Let the bodies of a loop or condition read the tensors around them by their new names."""
    for attribute in node.attribute:
        if attribute.type != onnx.AttributeProto.GRAPH:
            continue
        for inner in attribute.g.node:
            inputs = [names.get(name, name) for name in inner.input]
            del inner.input[:]
            inner.input.extend(inputs)
            _rename_outer(inner, names)
