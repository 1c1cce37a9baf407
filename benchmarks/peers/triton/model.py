"""The risk graph as a model of Triton's Python backend, calling ONNX Runtime directly."""

import os
from typing import Any

import numpy as np
import onnxruntime
import triton_python_backend_utils as triton


class TritonPythonModel:
    """Serves the risk graph; Triton's name for the class."""

    def initialize(self, args: dict[str, str]) -> None:  # noqa: ARG002 - Triton's signature
        """Load the graph."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            os.environ["RISK_GRAPH"], options, providers=["CPUExecutionProvider"]
        )

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer the requests of one batch: one run for all of them."""
        values = [
            triton.get_input_tensor_by_name(request, "values").as_numpy() for request in requests
        ]
        joined = values[0] if len(values) == 1 else np.concatenate(values)
        risk = self._session.run(["risk"], {"values": joined})[0][:, -1:]
        ends = np.cumsum([len(part) for part in values])[:-1]
        return [
            triton.InferenceResponse(output_tensors=[triton.Tensor("risk", part)])
            for part in np.split(risk, ends)
        ]
