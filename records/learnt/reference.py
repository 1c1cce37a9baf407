"""The reference: what is usual in a cohort at each period.

The one place that defines what "below the cohort" means. Each period's numbers use that period's
values alone, so nothing of a later period is in them.
"""

import warnings
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, model_validator

from records.arrays import Floats, Ints
from records.cohort import Cohort
from records.kept import ArrayPair
from records.learnt.relative_reference import RelativeReference, learn_relatives
from records.learnt.typical import Typical, learn_typical


class Reference(BaseModel):
    """Count, mean and spread of every feature at every period.

    Attributes:
        features: Names of the inner lists' columns.
        count: (periods)(features) observed values.
        mean: (periods)(features) raw units; None where nothing was observed.
        spread: (periods)(features) standard deviation, raw units; None where nothing was observed.
        relative: What relative features are compared with: of each group, the latest intake. None
            where the contract has none, and in bundles of earlier versions.
        typical: Typical trajectories, for reasons and what-if. None in bundles of earlier versions.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    features: tuple[str, ...]
    count: tuple[tuple[int, ...], ...]
    mean: tuple[tuple[float | None, ...], ...]
    spread: tuple[tuple[float | None, ...], ...]
    relative: RelativeReference | None = None
    typical: Typical | None = None

    @model_validator(mode="after")
    def _rectangular(self) -> Self:
        for table in (self.count, self.mean, self.spread):
            if len(table) != len(self.count) or any(len(r) != len(self.features) for r in table):
                raise ValueError("count, mean and spread must be (periods)(features) tables")
        return self

    def arrays(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return mean and spread as (periods, features) float32, NaN where unknown."""
        return self._arrays.first, self._arrays.second

    def scales(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return mean and spread by period from 0 to one beyond the last, to compare with.

        NaN in the first and last row, where the spread is zero, and where nothing is known.
        """
        return self._scales.first, self._scales.second

    @cached_property
    def _arrays(self) -> ArrayPair:
        return ArrayPair(np.array(self.mean, np.float32), np.array(self.spread, np.float32))

    @cached_property
    def _scales(self) -> ArrayPair:
        nothing = np.full((1, len(self.features)), np.nan, np.float32)
        mean, spread = self.arrays()
        scale = np.where(spread > 0, spread, np.float32(np.nan))
        return ArrayPair(np.vstack([nothing, mean, nothing]), np.vstack([nothing, scale, nothing]))


def learn_reference(cohort: Cohort) -> Reference:
    """Compute the reference of `cohort` from the values of each period."""
    with warnings.catch_warnings():
        # A period without any value is ordinary: its mean is None.
        warnings.simplefilter("ignore", RuntimeWarning)
        mean = np.asarray(np.nanmean(cohort.values, axis=0, dtype=np.float64))
        spread = np.asarray(np.nanstd(cohort.values, axis=0, dtype=np.float64))
    return Reference(
        features=cohort.contract.feature_names,
        count=tuple(map(tuple, (~np.isnan(cohort.values)).sum(axis=0).tolist())),
        mean=_rows(mean),
        spread=_rows(spread),
        relative=learn_relatives(cohort),
        typical=learn_typical(cohort),
    )


def spreads_from_reference(values: Floats, periods: Ints, reference: Reference) -> Floats:
    """Tell how many spreads each value lies above its period's mean.

    Args:
        values: (…, features) float32, raw units.
        periods: (…) the period each row belongs to, counted from 1; broadcasts.
        reference: The cohort to compare with.

    Returns:
        (…, features) float32; NaN where the value, mean or spread is missing, the spread is
        zero, or the period is none of the reference's.
    """
    mean, scale = reference.scales()
    row = np.minimum(np.maximum(periods, 0), len(mean) - 1)
    return np.asarray((values - mean[row]) / scale[row], np.float32)


def _rows(table: NDArray[np.float64]) -> tuple[tuple[float | None, ...], ...]:
    return tuple(tuple(None if np.isnan(cell) else cell for cell in row) for row in table.tolist())
