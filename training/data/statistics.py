"""What preprocessing learns: fills, ranges and spreads of the training records.

Free of TensorFlow; `training.networks.preprocessing` turns the numbers into layers.
"""

from dataclasses import dataclass

import numpy as np

from records.cohort import Cohort
from records.contract import Kind

# One over a smaller range than this is infinite as float32.
_SMALLEST_RANGE = 1e-30


@dataclass(frozen=True)
class Statistics:
    """Numbers of every feature, in the contract's order, raw units.

    A feature that was never observed has `observed` 0 and zeros everywhere else.

    Attributes:
        observed: How many values were seen.
        missing: Whether some value was missing within a record's observed periods.
        fill: What stands in for a missing value: the mean of numeric features, the mode (the
            smallest of equals) of categorical, ordinal and flag features.
        minimum: Smallest value.
        maximum: Largest value.
        mean: Mean.
        spread: Standard deviation.
    """

    observed: tuple[int, ...]
    missing: tuple[bool, ...]
    fill: tuple[float, ...]
    minimum: tuple[float, ...]
    maximum: tuple[float, ...]
    mean: tuple[float, ...]
    spread: tuple[float, ...]

    @property
    def varying(self) -> tuple[bool, ...]:
        """Whether the feature took more than one value; one that did not carries nothing."""
        ranges = zip(self.minimum, self.maximum, strict=True)
        return tuple(high - low > _SMALLEST_RANGE for low, high in ranges)


def learn_statistics(cohort: Cohort) -> Statistics:
    """Learn the statistics of the observed periods of `cohort` (the training part only).

    Paper A and B, preprocessing: mean and mode imputation, min-max and z-score scaling.
    """
    observed = cohort.observed
    rows = []
    for column, feature in enumerate(cohort.contract.features):
        within = cohort.values[:, :, column][observed]
        seen = within[~np.isnan(within)].astype(np.float64)
        if not seen.size:
            rows.append((0, bool(within.size), 0.0, 0.0, 0.0, 0.0, 0.0))
            continue
        mean = float(seen.mean())
        if feature.kind is Kind.NUMERIC:
            fill = mean
        else:
            levels, counts = np.unique(seen, return_counts=True)
            fill = float(levels[counts.argmax()])
        low, high = float(seen.min()), float(seen.max())
        rows.append((seen.size, seen.size < within.size, fill, low, high, mean, float(seen.std())))
    observed_, missing, fill_, minimum, maximum, means, spread = zip(*rows, strict=True)
    return Statistics(
        observed=observed_,
        missing=missing,
        fill=fill_,
        minimum=minimum,
        maximum=maximum,
        mean=means,
        spread=spread,
    )
