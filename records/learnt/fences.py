"""IQR fences: which values lie outside what the training records showed.

In training, records with outlying values are removed; when a student is scored, outlying values
are flagged and never changed. Learning and flagging live together so that they cannot differ.
"""

from functools import cached_property
from typing import Self

import numpy as np
from pydantic import BaseModel, ConfigDict, model_validator

from records.arrays import Bools, Floats
from records.cohort import Cohort, numeric_columns
from records.kept import ArrayPair


class Fences(BaseModel):
    """Tukey's fences of each numeric feature (paper A and B, preprocessing).

    Attributes:
        reach: How many interquartile ranges beyond the quartiles still count as ordinary.
        lower: Feature name -> lower fence, raw units.
        upper: Feature name -> upper fence, raw units.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    reach: float
    lower: dict[str, float]
    upper: dict[str, float]

    @model_validator(mode="after")
    def _same_features(self) -> Self:
        if self.lower.keys() != self.upper.keys():
            raise ValueError("`lower` and `upper` must name the same features")
        return self

    def flag_outliers(self, values: Floats, feature_names: tuple[str, ...]) -> Bools:
        """Flag values outside their fences.

        Args:
            values: (…, features) float32, raw units; NaN is no outlier.
            feature_names: Names of the last axis.

        Returns:
            bool, the shape of `values`.
        """
        # Long rows, a whole history each where there are histories: much faster than short ones.
        history = values.shape[-2] if values.ndim > 2 else 1
        bounds = self._bounds_of(feature_names, history)
        width = history * values.shape[-1]
        rows = values.reshape(*values.shape[:-2], width) if history > 1 else values
        flags = np.asarray((rows < bounds.first) | (rows > bounds.second))
        return flags.reshape(values.shape)

    def _bounds_of(self, feature_names: tuple[str, ...], history: int) -> ArrayPair:
        """Return lower and upper fences of `history` periods, one after the other."""
        if (bounds := self._bounds.get((feature_names, history))) is None:
            # A fence beyond float32 is one that no value can cross: infinity expresses that.
            with np.errstate(over="ignore"):
                lower, upper = (
                    np.tile(
                        np.array([side.get(name, far) for name in feature_names]).astype(
                            np.float32
                        ),
                        history,
                    )
                    for side, far in ((self.lower, -np.inf), (self.upper, np.inf))
                )
            bounds = self._bounds[feature_names, history] = ArrayPair(lower, upper)
        return bounds

    @cached_property
    def _bounds(self) -> dict[tuple[tuple[str, ...], int], ArrayPair]:
        """Lower and upper fences as arrays, laid out once for each order of features."""
        return {}


def learn_fences(cohort: Cohort, *, reach: float = 3.0) -> Fences:
    """Learn the fences from the observed values of `cohort` (the training part only).

    Features that are never observed, or that do not vary between the quartiles, get no fence: a
    zero-width box would call every other value an outlier.

    Args:
        cohort: Training records.
        reach: Interquartile ranges beyond the quartiles; 1.5 is Tukey's inner fence, 3 the outer.
            The default is the outer one: marks are skewed, and the inner fence would remove the
            very students that the model is for.
    """
    lower: dict[str, float] = {}
    upper: dict[str, float] = {}
    for column in numeric_columns(cohort.contract):
        values = cohort.values[:, :, column]
        values = values[~np.isnan(values)]
        if not values.size:
            continue
        first, third = np.percentile(values, [25, 75])
        if third > first:
            name = cohort.contract.features[column].name
            lower[name] = float(first - reach * (third - first))
            upper[name] = float(third + reach * (third - first))
    return Fences(reach=reach, lower=lower, upper=upper)
