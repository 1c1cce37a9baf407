"""LitServe with its batching switched on: one worker process behind its front end."""

import os
from typing import Any

import litserve
import numpy as np
import onnxruntime
from numpy.typing import NDArray

Floats = NDArray[np.float32]


class RiskAPI(litserve.LitAPI):
    """Serves the risk graph."""

    def setup(self, device: str) -> None:  # noqa: ARG002 - LitServe's signature
        """Load the graph in the worker."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            os.environ["RISK_GRAPH"], options, providers=["CPUExecutionProvider"]
        )

    def decode_request(self, request: dict[str, Any]) -> Floats:
        """Turn one request into (students, periods, features)."""
        return np.array(request["values"], np.float32)

    def batch(self, inputs: list[Floats]) -> tuple[Floats, list[int]]:
        """Join the requests of one batch, which may carry different numbers of students."""
        return np.concatenate(inputs), [len(values) for values in inputs]

    def predict(self, batch: tuple[Floats, list[int]]) -> list[Floats]:
        """Run the graph once and part the answers again."""
        values, counts = batch
        risk = self._session.run(["risk"], {"values": values})[0][:, -1]
        return np.split(risk, np.cumsum(counts)[:-1])

    def unbatch(self, output: list[Floats]) -> list[Floats]:
        """Hand out one answer a request."""
        return output

    def encode_response(self, output: Floats) -> dict[str, list[float]]:
        """Turn one answer into JSON."""
        return {"risk": output.tolist()}


if __name__ == "__main__":
    api = RiskAPI(max_batch_size=64, batch_timeout=0.002, api_path="/predict")
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=1)
    server.run(
        host="127.0.0.1",
        port=int(os.environ["PORT"]),
        num_api_servers=1,
        generate_client_file=False,
        log_level="warning",
        access_log=False,
    )
