"""Relative features: where a student stands among the others of the same group and period.

The one formula, for training, batches and single requests: (value - mean) / spread, the mean and
the standard deviation being those of the students that count, in the same group and period. Each
period's numbers use that period's values alone, so nothing of a later period is in them.

cohort -> `learn_moments` -> `Moments` -> `relative_values`
                                 ↕ a file, a bundle, a request: `records.learnt.relative_reference`
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from records.arrays import Bools, Doubles, Floats, Positions, Strings
from records.cohort import Cohort
from records.contract import Contract

# The group of a feature that is relative to the whole cohort.
EVERYONE: Final = "all"
# Values that lie closer together than this, in raw units, are equal: all stand at 0.
_ALIKE: Final = 1e-6


@dataclass(frozen=True, eq=False)
class RelativeLayout:
    """Which features of a contract are relative, and to what.

    Attributes:
        names: (relatives) in the contract's order.
        columns: (relatives,) their positions in the contract.
        bases: (relatives,) positions of the features that are compared.
        withins: (relatives,) positions of the features that tell groups apart, -1 for none.
        groups: (relatives) names of each one's groups.
        fewest: (relatives,) fewer values than this are no group to stand in.
        lower: (relatives,) smallest value given.
        upper: (relatives,) largest value given.
        periods: Of the contract.
    """

    names: tuple[str, ...]
    columns: Positions
    bases: Positions
    withins: Positions
    groups: tuple[tuple[str, ...], ...]
    fewest: NDArray[np.int64]
    lower: Doubles
    upper: Doubles
    periods: int

    @classmethod
    def of(cls, contract: Contract) -> Self | None:
        """Return the layout of a contract; None where no feature of it is relative."""
        place = {name: at for at, name in enumerate(contract.feature_names)}
        found = [(one, one.relative) for one in contract.features if one.relative is not None]
        if not found:
            return None
        return cls(
            names=tuple(feature.name for feature, _ in found),
            columns=np.array([place[feature.name] for feature, _ in found]),
            bases=np.array([place[relative.of] for _, relative in found]),
            withins=np.array(
                [place[relative.within] if relative.within else -1 for _, relative in found]
            ),
            groups=tuple(
                contract.feature(relative.within).levels if relative.within else (EVERYONE,)
                for _, relative in found
            ),
            fewest=np.array([relative.fewest for _, relative in found]),
            lower=np.array([feature.lower_bound for feature, _ in found]),
            upper=np.array([feature.upper_bound for feature, _ in found]),
            periods=contract.periods.maximum,
        )

    @property
    def shape(self) -> tuple[int, int, int]:
        """(relatives, groups, periods) of `Moments`."""
        return len(self.names), max(map(len, self.groups)), self.periods

    def group_of(self, values: Floats) -> Positions:
        """Return (records, periods, relatives) the group of each; -1 where it is not known."""
        groups = values[:, :, self.withins]
        groups[:, :, self.withins < 0] = 0
        return np.where(np.isnan(groups), np.float32(-1), groups).astype(np.intp)


@dataclass(frozen=True, eq=False)
class Moments:
    """Count, mean and standard deviation of what is compared, by group and period.

    Attributes:
        layout: Whose.
        count: (relatives, groups, periods) values that counted.
        mean: (relatives, groups, periods) raw units; 0 where nothing counted.
        spread: (relatives, groups, periods) raw units; 0 where nothing counted.
    """

    layout: RelativeLayout
    count: NDArray[np.int64]
    mean: Doubles
    spread: Doubles

    @classmethod
    def none(cls, layout: RelativeLayout) -> Self:
        """Return the moments of an empty cohort."""
        zeros = np.zeros(layout.shape)
        return cls(layout, np.zeros(layout.shape, np.int64), zeros, zeros)

    def joined(self, other: Self) -> Self:
        """Return the moments of both together (Chan, Golub and LeVeque 1979, equation 2.1)."""
        count = self.count + other.count
        whole = np.maximum(count, 1)
        apart = other.mean - self.mean
        squares = self.count * self.spread**2 + other.count * other.spread**2
        squares += apart**2 * (self.count * other.count / whole)
        mean = (self.count * self.mean + other.count * other.mean) / whole
        return replace(self, count=count, mean=mean, spread=np.sqrt(squares / whole))

    @cached_property
    def scales(self) -> tuple[Doubles, Doubles]:
        """Mean, NaN where too few counted, and what to divide by, inf where all are alike."""
        few = self.count < self.layout.fewest[:, None, None]
        return (
            np.where(few, np.nan, self.mean),
            np.where(self.spread > _ALIKE, self.spread, np.inf),
        )


def learn_moments(layout: RelativeLayout, values: Floats, counted: Bools) -> Moments:
    """Compute count, mean and spread by group and period.

    Args:
        layout: What is compared.
        values: (records, periods, features) raw units, NaN for missing.
        counted: (records, periods) whether the record counts in that period.
    """
    periods = values.shape[1]
    count = np.zeros(layout.shape, np.int64)
    mean, spread = np.zeros(layout.shape), np.zeros(layout.shape)
    group_of = layout.group_of(values)
    for at, base in enumerate(layout.bases):
        group = group_of[:, :, at]
        for one in np.unique(group[group >= 0]):
            there = counted & (group == one)
            rows = np.flatnonzero(there.any(axis=1))
            known = values[rows, :, base]
            counts = there[rows] & ~np.isnan(known)
            number = counts.sum(axis=0)
            whole = np.maximum(number, 1)
            middle = np.where(counts, known, 0.0).astype(np.float64).sum(axis=0) / whole
            squares = (np.where(counts, known - middle, 0.0) ** 2).sum(axis=0)
            count[at, one, :periods] = number
            mean[at, one, :periods] = middle
            spread[at, one, :periods] = np.sqrt(squares / whole)
    return Moments(layout, count, mean, spread)


def relative_values(values: Floats, moments: Moments) -> Doubles:
    """Compute every relative feature.

    Args:
        values: (records, periods, features) raw units, NaN for missing; what stands in the
            relative features' own columns is not looked at.
        moments: What to stand by.

    Returns:
        (records, periods, relatives) within the features' limits; NaN where the value or the
        group is missing or too few counted, 0 where all were alike.
    """
    layout = moments.layout
    mean, scale = moments.scales
    base = values[:, :, layout.bases]
    group = layout.group_of(values)
    place = (np.arange(len(layout.names)), group, np.arange(values.shape[1])[:, None])
    standing = (base - mean[place]) / scale[place]
    standing[group < 0] = np.nan
    return np.asarray(np.clip(standing, layout.lower, layout.upper))


def own_relatives(
    layout: RelativeLayout, values: Floats, counted: Bools, cohorts: Strings
) -> Doubles:
    """Compute every relative feature against the records' own cohort.

    Args:
        layout: What is compared.
        values: (records, periods, features) raw units, NaN for missing.
        counted: (records, periods) whether the record counts in that period.
        cohorts: (records,) only those of the same one are compared.

    Returns:
        (records, periods, relatives), as `relative_values`.
    """
    found = np.full((*values.shape[:2], len(layout.names)), np.nan)
    for cohort in np.unique(cohorts):
        rows = np.flatnonzero(cohorts == cohort)
        there = values[rows]
        found[rows] = relative_values(there, learn_moments(layout, there, counted[rows]))
    return found


def fill_relatives(values: Floats, moments: Moments) -> tuple[Floats, Bools]:
    """Fill in the relative features that are missing; what is there stays.

    Returns:
        A copy of `values`, and (records, periods, relatives) which were filled in.
    """
    columns = moments.layout.columns
    there = values[:, :, columns]
    found = relative_values(values, moments)
    filled = np.isnan(there) & ~np.isnan(found)
    whole = values.copy()
    whole[:, :, columns] = np.where(filled, found, there)
    return whole, filled


def with_own_relatives(cohort: Cohort) -> Cohort:
    """Fill in a cohort's missing relative features, each against its own intake."""
    layout = RelativeLayout.of(cohort.contract)
    if layout is None:
        return cohort
    values = cohort.values.copy()
    own = own_relatives(layout, values, cohort.eligible, cohort.cohorts)
    there = values[:, :, layout.columns]
    values[:, :, layout.columns] = np.where(np.isnan(there), own, there)
    return replace(cohort, values=values)


def without_relatives(cohort: Cohort) -> Cohort:
    """Leave a cohort's relative features out, as a caller may."""
    layout = RelativeLayout.of(cohort.contract)
    if layout is None:
        return cohort
    values = cohort.values.copy()
    values[:, :, layout.columns] = np.nan
    return replace(cohort, values=values)
