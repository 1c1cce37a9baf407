"""Import tf2onnx once TensorFlow is there: it would load TensorFlow with all its notices."""

from training.networks.backend import keras, tf, without_notices

with without_notices():
    import tf2onnx

__all__ = ["keras", "tf", "tf2onnx"]
