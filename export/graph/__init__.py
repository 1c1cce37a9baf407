"""Keras models written as ONNX graphs."""
