"""Collect the nodes and constants of one ONNX graph, names chosen by the builder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

Array = NDArray[Any]


class Layout(Enum):
    """In which order a tensor of the graph holds what Keras holds by batch, period and column.

    Attributes:
        BATCH: (batch, periods[, columns]), as in Keras.
        PERIODS: (periods, batch[, columns]): what an LSTM node reads.
        STATES: (periods, 1, batch, columns): what an LSTM node writes.
        ROWS: (periods x batch, columns): what `Gemm` reads and writes, a dense layer in one node.
    """

    BATCH = "batch"
    PERIODS = "periods"
    STATES = "states"
    ROWS = "rows"


@dataclass(frozen=True)
class Tensor:
    """A tensor of the graph under construction.

    Attributes:
        name: In the graph.
        columns: Length of its last axis; None where it has but batch and periods.
        layout: Order of its axes.
        like: Of states and rows: a tensor whose first two axes are (periods, batch).
    """

    name: str
    columns: int | None
    layout: Layout = Layout.BATCH
    like: str = ""


@dataclass
class GraphBuilder:
    """Nodes, inputs before users, and the constants that they read.

    What is asked for twice is written once. Nodes that nothing reads may be left behind:
    `export.graph.canonical` drops them.

    Attributes:
        opset: Operator set of the file: what may be written.
        entry: Name of the graph's input, (batch, periods, features).
        longest: Most periods that the graph will be given; None where unknown.
        moved: Names of tensors that are others in another layout, their columns as they were.
    """

    opset: int
    entry: str
    longest: int | None = None
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)
    moved: set[str] = field(default_factory=set)
    _known: dict[object, tuple[str, ...]] = field(default_factory=dict)
    _makers: dict[str, onnx.NodeProto] = field(default_factory=dict)
    _values: dict[str, Array] = field(default_factory=dict)
    _early: int = 0
    _names: int = 0

    def constant(self, value: Array | np.generic | Sequence[int] | float) -> str:
        """Add a constant (float32 or int64) and return its name."""
        array = np.asarray(value)
        array = array.astype(np.float32 if array.dtype.kind == "f" else np.int64, order="C")
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._known:
            name = f"c{len(self.constants)}"
            self._keep(onnx.numpy_helper.from_array(array, name))
            self._known[key] = (name,)
        return self._known[key][0]

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Add a node and return the name of its output."""
        return self.add_many(operator, *inputs, outputs=1, **attributes)[0]

    def add_many(
        self, operator: str, *inputs: str, outputs: int, **attributes: Any
    ) -> tuple[str, ...]:
        """Add a node and return the names of its outputs."""
        key = (operator, inputs, outputs, repr(sorted(attributes.items())))
        if key not in self._known:
            names = tuple(self._name() for _ in range(outputs))
            self._append(onnx.helper.make_node(operator, inputs, names, **attributes))
            self._known[key] = names
        return self._known[key]

    def by_period(self, table: Array) -> str:
        """Add a constant with a row for each period, cut to as many as the graph is given."""
        before = len(self.nodes)
        periods = self.add("Shape", self.entry, start=1, end=2)
        zero = self.constant([0])
        cut = self.add("Slice", self.constant(table), zero, periods, zero)
        # It depends on the input alone; nodes that read it may be written already.
        added = self.nodes[before:]
        self.nodes[:] = [
            *self.nodes[: self._early],
            *added,
            *self.nodes[self._early : before],
        ]
        self._early += len(added)
        return cut

    def maker(self, name: str) -> onnx.NodeProto | None:
        """Return the node that makes a tensor; None for constants and the graph's input."""
        return self._makers.get(name)

    def value(self, name: str) -> Array | None:
        """Return the numbers of a constant; None for what is computed."""
        return self._values.get(name)

    def laid_out(self, tensor: Tensor, layout: Layout) -> Tensor:
        """Return `tensor` in another layout.

        Raises:
            ValueError: States were asked for, which only an LSTM makes, or rows without columns.
        """
        if tensor.layout is layout:
            return tensor
        made = self._laid_out(tensor, layout)
        self.moved.add(made.name)
        return made

    def _laid_out(self, tensor: Tensor, layout: Layout) -> Tensor:
        turned = {tensor.layout, layout} == {Layout.BATCH, Layout.PERIODS}
        if not turned and Layout.BATCH in (tensor.layout, layout):
            return self.laid_out(self.laid_out(tensor, Layout.PERIODS), layout)
        if turned:
            order = [1, 0] if tensor.columns is None else [1, 0, 2]
            return Tensor(self.add("Transpose", tensor.name, perm=order), tensor.columns, layout)
        if layout is Layout.PERIODS:
            return Tensor(self._by_period_and_record(tensor), tensor.columns, layout)
        if layout is Layout.STATES or tensor.columns is None:
            raise ValueError(f"nothing in layout {tensor.layout} can be laid out as {layout}.")
        rows = self.add("Reshape", tensor.name, self.constant([-1, tensor.columns]))
        return Tensor(rows, tensor.columns, layout, like=tensor.like or tensor.name)

    def _by_period_and_record(self, tensor: Tensor) -> str:
        if tensor.layout is Layout.STATES:
            return self.add("Squeeze", tensor.name, self.constant([1]))
        shape = self.add("Shape", tensor.like, start=0, end=2)
        if tensor.columns is not None:
            shape = self.add("Concat", shape, self.constant([tensor.columns]), axis=0)
        return self.add("Reshape", tensor.name, shape)

    def _name(self) -> str:
        self._names += 1
        return f"n{self._names}"

    def _append(self, node: onnx.NodeProto) -> None:
        self.nodes.append(node)
        self._makers |= dict.fromkeys(node.output, node)

    def _keep(self, constant: onnx.TensorProto) -> None:
        self.constants.append(constant)
        self._values[constant.name] = onnx.numpy_helper.to_array(constant)

    def inline(self, part: onnx.GraphProto, inputs: Sequence[str]) -> tuple[str, ...]:
        """Copy another graph in, reading `inputs`, and return the names of its outputs."""
        names = {"": ""}
        names |= {value.name: name for value, name in zip(part.input, inputs, strict=True)}
        for constant in part.initializer:
            copy = onnx.TensorProto()
            copy.CopyFrom(constant)
            copy.name = names[constant.name] = f"c{len(self.constants)}"
            self._keep(copy)
        for node in part.node:
            copied = onnx.NodeProto()
            copied.CopyFrom(node)
            names |= {output: self._name() for output in node.output if output}
            del copied.input[:], copied.output[:]
            copied.input.extend(names[name] for name in node.input)
            copied.output.extend(names[name] for name in node.output)
            _rename_outer(copied, names)
            self._append(copied)
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
