"""Find columns that seem to be on another scale, such as 0.78 for 78%.

Every value may be allowed by itself, so no row is at fault; the column as a whole looks unlike what
training saw, or unlike what its contract allows.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from records.arrays import Floats
from records.cohort import Cohort, numeric_columns
from records.contract import Contract
from records.learnt.reference import Reference, spreads_from_reference

# Standard deviations around the mean of the period, within which at least three quarters of any
# distribution lie (Chebyshev), and nearly all of most.
_USUAL = 2.0
# A column of which fewer values are usual is on another scale, or of other students.
_MIN_USUAL_SHARE = 0.1
# Of fewer values nothing is concluded.
_MIN_VALUES = 20
# A column that uses less of the contract's range is on another scale.
_NARROW = 0.02


@dataclass(frozen=True, slots=True, eq=False)
class ScaleCounts:
    """How many values of each feature are usual in training.

    Attributes:
        counts: (2, features) observed values that can be compared, and the usual ones of them.
    """

    counts: NDArray[np.int64]

    @classmethod
    def of_values(cls, values: Floats, reference: Reference) -> Self:
        """Count the values of students.

        Args:
            values: (students, periods, features) raw units, NaN for missing.
            reference: Of the training students.
        """
        periods = np.arange(1, values.shape[1] + 1, dtype=np.int32)
        distance = np.abs(spreads_from_reference(values, periods, reference))
        compared = np.count_nonzero(~np.isnan(distance), axis=(0, 1))
        return cls(np.stack([compared, np.count_nonzero(distance <= _USUAL, axis=(0, 1))]))

    def joined(self, other: Self) -> Self:
        """Return the counts of both."""
        return type(self)(self.counts + other.counts)

    def unusual(self, contract: Contract) -> list[str]:
        """Describe the columns whose values lie outside nearly everything that training saw."""
        found = []
        for at in numeric_columns(contract):
            compared, usual = self.counts[:, at].tolist()
            if compared >= _MIN_VALUES and usual < _MIN_USUAL_SHARE * compared:
                found.append(
                    f"`{contract.features[at].name}`: {compared - usual:,} of {compared:,} values "
                    "lie outside nearly everything that training saw. Is the column on another "
                    "scale, such as 0.78 for 78%?"
                )
        return found


def narrow_columns(cohort: Cohort) -> list[str]:
    """Describe the columns that use a small corner of the range that the contract allows."""
    found = []
    for at in numeric_columns(cohort.contract):
        feature = cohort.contract.features[at]
        values = cohort.values[:, :, at]
        values = values[~np.isnan(values)]
        if feature.minimum is None or feature.maximum is None or len(values) < _MIN_VALUES:
            continue
        if np.ptp(values) <= _NARROW * (feature.maximum - feature.minimum):
            found.append(
                f"`{feature.name}` uses less than {_NARROW:.0%} of the range from "
                f"{feature.minimum:g} to {feature.maximum:g} that the contract allows. Is the "
                "column on another scale, such as 0.78 for 78%?"
            )
    return found
