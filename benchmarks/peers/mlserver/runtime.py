"""The risk graph as an MLServer runtime."""

import os

import numpy as np
import onnxruntime
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse


class Risk(MLModel):
    """Serves the risk graph; MLServer joins requests before `predict` and parts them after."""

    async def load(self) -> bool:
        """Load the graph."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            os.environ["RISK_GRAPH"], options, providers=["CPUExecutionProvider"]
        )
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Give the probability after the last period, (students, 1)."""
        values = NumpyCodec.decode_input(payload.inputs[0]).astype(np.float32)
        risk = self._session.run(["risk"], {"values": values})[0][:, -1:]
        return InferenceResponse(
            model_name=self.name, outputs=[NumpyCodec.encode_output("risk", risk)]
        )
