"""What decides tiers: fixed thresholds, or as many students as there is capacity for.

By capacity, the thresholds of each period are quantiles of the calibrated probabilities that the
bundle's calibration cohort had there. So one student in a request gets the tier that the cohort
would have given, and no request's other students matter.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from records.arrays import Doubles
from records.calibration import Calibration
from records.errors import ContractError
from scoring.policy.model import DECIMALS, Policy, highest_reached, rounded

Kind = Literal["fixed", "capacity"]


@dataclass(frozen=True, eq=False)
class Tiers:
    """The one place where the tiers of a loaded bundle are decided.

    Attributes:
        policy: Names the tiers.
        thresholds: (periods, tiers), the smallest probability of each tier at each period, six
            decimals; None where the policy's own hold at every period.
    """

    policy: Policy
    thresholds: Doubles | None = None

    @property
    def kind(self) -> Kind:
        """Whether thresholds are fixed or follow the capacity."""
        return "fixed" if self.thresholds is None else "capacity"

    def of(self, probabilities: ArrayLike) -> NDArray[np.int8]:
        """Decide the tier of each probability, rounded first; see `Policy.tier_of`.

        Args:
            probabilities: (rows, periods), the first period at position 0; NaN where there is none.

        Returns:
            int8, the same shape: index into the policy's tiers, -1 for NaN.
        """
        return self.of_rounded(rounded(probabilities))

    def of_rounded(self, probabilities: Doubles) -> NDArray[np.int8]:
        """Decide the tiers of probabilities that `rounded` returned; else as `of`."""
        if self.thresholds is None:
            return self.policy.tier_of_rounded(probabilities)
        return highest_reached(probabilities, self.bounds(probabilities.shape[1]))

    def bounds(self, periods: int) -> Doubles:
        """Return (tiers, periods) or (tiers, 1) smallest probabilities, ascending by tier."""
        if self.thresholds is None:
            return self.policy.bounds[:, None]
        return self._by_tier[:, :periods]

    @cached_property
    def _by_tier(self) -> Doubles:
        thresholds = self.thresholds
        assert thresholds is not None  # noqa: S101 - `bounds` asks only then
        return np.ascontiguousarray(thresholds.T)


def tiers_of(policy: Policy, calibration: Calibration | None) -> Tiers:
    """Return what decides a policy's tiers.

    Raises:
        ContractError: The policy goes by capacity and nothing tells how probabilities are spread.
    """
    if policy.capacity is None:
        return Tiers(policy)
    if calibration is None:
        raise ContractError(
            "[capacity] needs the spread of calibrated probabilities, which this bundle lacks; "
            "train and export again, or take [capacity] out."
        )
    names = [tier.name for tier in policy.tiers]
    # The highest tier holds its own share, the next one its own below that, and so on.
    reached = list(accumulate(policy.capacity[name] for name in reversed(names[1:])))
    columns = [np.zeros(len(calibration.slope))]
    columns += [calibration.exceeded_by(share) for share in reversed(reached)]
    return Tiers(policy, np.stack(columns, axis=1).round(DECIMALS))
