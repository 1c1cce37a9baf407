"""ONNX Runtime: execution providers, threads, sessions, scores."""
