"""Calibration: how a risk network's logits become probabilities, and how those were spread.

Learnt in training on records that the weights never saw; `training.fitting.calibration` fits it, the graph
holds slopes and offsets, and the bundle keeps this table so that tiers by capacity can be decided
for a single student.
"""

from typing import Self

import numpy as np
from pydantic import BaseModel, ConfigDict, model_validator

from records.arrays import Doubles


class Calibration(BaseModel):
    """Platt's logistic map for each period: probability = sigmoid(slope x logit + offset).

    Attributes:
        learnt_on: Which records taught it, in words.
        cohorts: Cohorts of those records.
        records: Period -> number of records that counted there.
        slope: Period -> positive slope; order of students within a period is never changed.
        offset: Period -> offset.
        shares: Ascending shares of a cohort, from 0 to 1.
        quantiles: Period -> calibrated probability that this share of the records stays below;
            decimals as shown. Where a period had too few records, the nearest period's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    learnt_on: str
    cohorts: tuple[str, ...]
    records: tuple[int, ...]
    slope: tuple[float, ...]
    offset: tuple[float, ...]
    shares: tuple[float, ...]
    quantiles: tuple[tuple[float, ...], ...]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        periods = {len(self.records), len(self.slope), len(self.offset), len(self.quantiles)}
        if len(periods) != 1:
            raise ValueError("records, slope, offset and quantiles need one entry each a period")
        if min(self.slope, default=1.0) <= 0:
            raise ValueError("slopes must be positive: a higher logit is never a lower risk")
        if list(self.shares) != sorted(self.shares):
            raise ValueError("shares must ascend")
        for row in self.quantiles:
            if len(row) != len(self.shares) or list(row) != sorted(row):
                raise ValueError("each period's quantiles must ascend, one for each share")
        return self

    def exceeded_by(self, share: float) -> Doubles:
        """Return each period's probability that the given share of the cohort reaches or exceeds.

        Args:
            share: 0 to 1, such as 0.05 for the five percent most at risk.

        Returns:
            (periods,) probabilities, interpolated linearly between the kept quantiles.
        """
        return np.array([np.interp(1 - share, self.shares, row) for row in self.quantiles])
