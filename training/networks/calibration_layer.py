"""Calibration as a Keras layer between a risk network's logit and its sigmoid.

It is exported with the network like any layer: the graph gives calibrated probabilities.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from records.learnt.calibration import Calibration
from training.networks.backend import keras
from training.networks.preprocessing import register

# Layer that every risk network ends in, before the sigmoid: calibration is put behind it.
LOGIT = "logit"


@register
class Calibrate(keras.layers.Layer):  # type: ignore[misc]
    """Give slope x logit + offset, with the numbers of each period.

    Args:
        slope: One positive number a period, from the first on; the last for all later ones.
        offset: As many.
    """

    def __init__(self, slope: Sequence[float], offset: Sequence[float], **options: Any) -> None:
        super().__init__(**options)
        self.slope, self.offset = list(slope), list(offset)

    def call(self, logits: Any) -> Any:
        """Return calibrated logits (batch, periods), periods up to as many as there are slopes."""
        periods = keras.ops.shape(logits)[1]
        slope, offset = np.array(self.slope, np.float32), np.array(self.offset, np.float32)
        first = keras.ops.convert_to_tensor(slope)[:periods]
        return logits * first + keras.ops.convert_to_tensor(offset)[:periods]

    def get_config(self) -> dict[str, Any]:
        """Return what rebuilds the layer."""
        return {**super().get_config(), "slope": self.slope, "offset": self.offset}


def calibrated(network: Any, calibration: Calibration) -> Any:
    """Return a risk network whose probabilities are calibrated; it shares the weights.

    Args:
        network: With a layer `logit`, (batch, periods), as `build_risk_network` makes it.
        calibration: What to put behind it.

    Returns:
        Keras model of the same input; its output `risk` is sigmoid(slope x logit + offset).
    """
    logits = network.get_layer(LOGIT).output
    layer = Calibrate(calibration.slope, calibration.offset, name="calibration")
    risk = keras.layers.Activation("sigmoid", name="risk")(layer(logits))
    return keras.Model(network.input, risk, name=network.name)
