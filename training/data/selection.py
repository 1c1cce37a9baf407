"""Pearson selection: which features a network reads (paper B, preprocessing)."""

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from records.arrays import Bools, Floats
from records.cohort import Cohort
from records.contract import Kind
from records.errors import CohortError


class FeatureCorrelation(BaseModel):
    """One feature's correlation with the target.

    Attributes:
        feature: Name.
        r: Pearson's r of largest size over the subjects and, for a categorical feature, its
            levels; None where the feature or the target does not vary.
        kept: Whether the network reads the feature.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    feature: str
    r: float | None
    kept: bool


class Selection(BaseModel):
    """What was selected and why.

    Attributes:
        threshold: |r| that a feature must reach; None where all are read.
        features: All features of the contract, in its order.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    threshold: float | None
    features: tuple[FeatureCorrelation, ...]

    @property
    def columns(self) -> list[int] | None:
        """Positions of the features to read; None where no selection was made."""
        if self.threshold is None:
            return None
        return [column for column, feature in enumerate(self.features) if feature.kept]


def select_features(
    cohort: Cohort, target: Floats, known: Bools, *, threshold: float | None
) -> Selection:
    """Correlate each feature with the target over all periods that count (training part only).

    Args:
        cohort: Training records.
        target: (records, periods, outputs) float32.
        known: (records, periods, outputs) which targets count.
        threshold: |r| that a feature must reach to be kept; None reports and keeps all.

    Raises:
        CohortError: No feature reaches the threshold.
    """
    features = []
    for column, feature in enumerate(cohort.contract.features):
        values = cohort.values[:, :, column]
        sources: list[Floats] = [values]
        if feature.kind is Kind.CATEGORICAL:
            missing = np.isnan(values)
            levels = range(len(feature.levels))
            sources = [np.where(missing, np.nan, values == level) for level in levels]
        found = [
            pearson(source[pair], target[:, :, output][pair])
            for source in sources
            for output in range(target.shape[2])
            for pair in [known[:, :, output] & ~np.isnan(source)]
        ]
        r = max((r for r in found if r is not None), key=abs, default=None)
        kept = threshold is None or (r is not None and abs(r) >= threshold)
        features.append(FeatureCorrelation(feature=feature.name, r=r, kept=kept))
    if not any(feature.kept for feature in features):
        raise CohortError(
            f"no feature correlates with the target at |r| of {threshold:g} or more; "
            "lower the threshold or turn the selection off."
        )
    return Selection(threshold=threshold, features=tuple(features))


def pearson(values: NDArray[np.floating], target: NDArray[np.floating]) -> float | None:
    """Return Pearson's r of two aligned vectors; None where one of them does not vary."""
    if values.size < 2 or values.min() == values.max() or target.min() == target.max():
        return None
    return float(np.corrcoef(values.astype(np.float64), target.astype(np.float64))[0, 1])
