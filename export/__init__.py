"""From a run to a bundle: Keras to ONNX, proven equal, packed."""
