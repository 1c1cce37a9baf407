"""Turn a proven float32 graph into one of another precision; inputs and outputs stay float32."""

import tempfile
from pathlib import Path

import onnx

from export.backend import QuantType, quantize_dynamic
from export.graph.float16 import to_float16
from scoring.precision import Precision

# Nothing is left to fold; without this mark the quantiser advises to fold.
_PREPROCESSED = {"onnx.quant.pre_process": "onnxruntime.quant"}


def to_precision(graph: bytes, precision: Precision) -> bytes:
    """Convert a float32 graph.

    Args:
        graph: ONNX file.
        precision: `float16`, or `int8`: LSTM weights in int8 and their inputs quantised at run
            time, one scale for a whole execution. Dense layers are small and
            stay as they are.

    Returns:
        Another ONNX file.
    """
    model = onnx.load_model_from_string(graph)
    if precision is Precision.FLOAT16:
        return to_float16(model)
    if precision is Precision.INT8:
        return _quantised(model)
    return graph


def _quantised(model: onnx.ModelProto) -> bytes:
    onnx.helper.set_model_props(model, _PREPROCESSED)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "quantised.onnx"
        quantize_dynamic(model, path, op_types_to_quantize=["LSTM"], weight_type=QuantType.QInt8)
        quantised = onnx.load_model(path)
    return bytes(quantised.SerializeToString(deterministic=True))
