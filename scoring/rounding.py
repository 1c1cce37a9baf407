"""Round numbers as they are decided on and shown."""

import numpy as np
from numpy.typing import ArrayLike

from records.arrays import Doubles

RISK_DECIMALS = 6
# Enough for any unit in use; hides that 0.7 is 0.69999999 in float32.
DECIMALS = 4


def round_risk(probabilities: ArrayLike) -> Doubles:
    """Round probabilities to six decimals in float64: what is shown and decided on.

    One float32 step near 0.7 is 6e-8 and execution providers differ by up to 4e-7; neither is a
    reason for another tier.
    """
    return np.asarray(np.asarray(probabilities, np.float64).round(RISK_DECIMALS))


def round_for_display(numbers: Doubles) -> Doubles:
    """Round the numbers of recommendations; adding zero turns -0.0 into 0.0."""
    return np.asarray(numbers.round(DECIMALS) + 0.0)
