"""Import tf2onnx and ONNX Runtime's quantiser once what they load by themselves is there.

tf2onnx would load TensorFlow with all its notices; both would load ONNX Runtime with its usage
reports on.
"""

import scoring.runtime.onnx_runtime  # noqa: F401 - with its usage reports off
from training.networks.backend import keras, tf, without_notices

with without_notices():
    import tf2onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

__all__ = ["QuantType", "keras", "quantize_dynamic", "tf", "tf2onnx"]
