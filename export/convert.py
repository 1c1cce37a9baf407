"""Convert a Keras model to ONNX: explicit input signature, named output, chosen operator set."""

import logging

import onnx

from export.backend import keras, tf, tf2onnx
from export.graph.canonical import canonical
from export.graph.lowering import can_lower, lower
from export.specification import GraphSpecification


def to_onnx(model: keras.Model, specification: GraphSpecification) -> bytes:
    """Convert a functional Keras model; the same weights give the same bytes.

    The periods axis stays as it is in the model: dynamic or fixed. The name of the output is the
    name of the model's output layer; the gate compares it with the specification.

    Args:
        model: Functional model with one input (batch, periods, features) and one output. Its LSTM
            layers are configured not to use cuDNN, whose fused operator ONNX does not know.
        specification: What to convert to.
    """
    for layer in _lstms(model):
        layer.use_cudnn = False
    logging.getLogger("tf2onnx").setLevel(logging.WARNING)
    if can_lower(model):
        converted = lower(
            model,
            opset=specification.opset,
            input_name=specification.input,
            longest=specification.longest,
        )
    else:
        signature = tf.TensorSpec(model.inputs[0].shape, tf.float32, name=specification.input)
        converted, _ = tf2onnx.convert.from_keras(model, input_signature=[signature])
    for value, shape in (
        (converted.graph.input[0], model.inputs[0].shape),
        (converted.graph.output[0], model.outputs[0].shape),
    ):
        _declare_axes(value, shape)
    ordered = canonical(converted)
    onnx.checker.check_model(ordered)
    return bytes(ordered.SerializeToString(deterministic=True))


def lstm_layers(model: keras.Model) -> int:
    """Count the LSTM layers of a model, nested models included: each must become one node."""
    return len(_lstms(model))


def _lstms(model: keras.Model) -> list[keras.layers.LSTM]:
    found = []
    for layer in model.layers:
        if isinstance(layer, keras.layers.LSTM):
            found.append(layer)
        elif isinstance(layer, keras.Model):
            found += _lstms(layer)
    return found


def _declare_axes(value: onnx.ValueInfoProto, shape: tuple[int | None, ...]) -> None:
    """Name the dynamic axes, which tf2onnx numbers, and state the fixed ones, which it forgets."""
    declared = [
        name if length is None else length
        for name, length in zip(("batch", "periods", "columns"), shape, strict=False)
    ]
    element = value.type.tensor_type.elem_type
    value.CopyFrom(onnx.helper.make_tensor_value_info(value.name, element, declared))
