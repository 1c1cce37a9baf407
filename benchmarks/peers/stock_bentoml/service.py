"""Stock BentoML: one batchable API, its settings as they come but for the batch's size."""

import os

import bentoml
import numpy as np
import onnxruntime
from numpy.typing import NDArray


@bentoml.service
class Risk:
    """Serves the risk graph."""

    def __init__(self) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            os.environ["RISK_GRAPH"], options, providers=["CPUExecutionProvider"]
        )

    # The default of 100 rows would refuse the bulk requests.
    @bentoml.api(batchable=True, max_batch_size=512)
    def predict(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Give the probability after the last period, (students,)."""
        risk = self._session.run(["risk"], {"values": values.astype(np.float32)})[0]
        last: NDArray[np.float32] = risk[:, -1]
        return last
