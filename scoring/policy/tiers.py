"""Decide tiers: by fixed thresholds, or by how many students there is capacity for.

By capacity, the thresholds of each period are quantiles of the calibrated probabilities that the
bundle's calibration cohort had there. So a student alone gets the tier that the cohort would have
given, and no other student of a request matters.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from records.arrays import Doubles
from records.errors import ContractError
from records.learnt.calibration import Calibration
from scoring.policy.model import Policy
from scoring.rounding import RISK_DECIMALS, round_risk

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

    def decide(self, probabilities: ArrayLike) -> NDArray[np.int8]:
        """Decide the tier of each probability, rounded first.

        0.7 is thus the same number in float32 and float64, and what is shown is what was decided
        on. A threshold belongs to the upper tier.

        Args:
            probabilities: (rows, periods), the first period at position 0; any shape where the
                thresholds are fixed. NaN where there is none.

        Returns:
            int8, the same shape: index into the policy's tiers, -1 for NaN.
        """
        return self.decide_rounded(round_risk(probabilities))

    def decide_rounded(self, probabilities: Doubles) -> NDArray[np.int8]:
        """Decide the tiers of probabilities that `round_risk` returned; else as `decide`."""
        tier = np.full(probabilities.shape, -1, np.int8)
        fixed = self.thresholds is None
        for threshold in self.policy.bounds if fixed else self.bounds(probabilities.shape[1]):
            tier += (probabilities >= threshold).view(np.int8)
        return tier

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
        ContractError: The policy goes by capacity, and the distribution of the probabilities is
            unknown.
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
    return Tiers(policy, np.stack(columns, axis=1).round(RISK_DECIMALS))
