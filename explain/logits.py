"""Probabilities as logits, in which effects add up."""

import numpy as np
from numpy.typing import ArrayLike

from records.arrays import Doubles

# Risks are shown to six decimals; beyond them a logit would only tell rounding apart.
_LEAST = 1e-6


def logit(risk: ArrayLike) -> Doubles:
    """Return log(p / (1 - p)) of probabilities, cut off at 1e-6 and 1 - 1e-6; NaN stays."""
    bounded = np.clip(np.asarray(risk, np.float64), _LEAST, 1 - _LEAST)
    return np.asarray(np.log(bounded) - np.log1p(-bounded))
