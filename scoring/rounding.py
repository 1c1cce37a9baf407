"""Round numbers for display; risks have a rounding of their own (`scoring.policy.model`)."""

import numpy as np

from records.arrays import Doubles

# Enough for any unit in use; hides that 0.7 is 0.69999999 in float32.
DECIMALS = 4


def round_for_display(numbers: Doubles) -> Doubles:
    """Round the numbers of recommendations; adding zero turns -0.0 into 0.0."""
    return np.asarray(numbers.round(DECIMALS) + 0.0)
