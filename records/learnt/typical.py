"""Typical trajectories: what the student in the middle of a cohort looks like, period by period.

Reasons compare a student with one of them, and what-if stays within their range. They are made of
medians and percentiles over at least 20 records each, never of one student's history.
"""

import warnings
from typing import Final, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, FiniteFloat, model_validator

from records.arrays import Floats
from records.cohort import Cohort
from records.contract import Contract, Kind

# Fewer records than this are no cohort to be in the middle of.
FEWEST: Final = 20
# The range that counts as ordinary, in percent.
LOW, HIGH = 5, 95

Row = tuple[FiniteFloat | None, ...]


class Trajectory(BaseModel):
    """Medians and ranges of one group, period by period from the first.

    Attributes:
        group: Level of the feature that groups go by; None for the whole cohort.
        intake: The intake that it was learnt from; None for all of them.
        records: (periods) records that had reached each period; at least `FEWEST`.
        median: (periods)(features) the median, of a categorical feature the most frequent level;
            None where the typical record has no value.
        low: (periods)(features) 5th percentile; None for categorical features and where fewer
            than `FEWEST` records have a value.
        high: (periods)(features) 95th percentile, likewise.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    group: str | None = None
    intake: str | None = None
    records: tuple[int, ...]
    median: tuple[Row, ...]
    low: tuple[Row, ...]
    high: tuple[Row, ...]

    def __len__(self) -> int:
        return len(self.records)


class Typical(BaseModel):
    """Typical trajectories of a training cohort.

    Attributes:
        within: The categorical feature that groups go by; None where there is only the whole
            cohort.
        features: Names of the inner lists' columns.
        lasting: Numeric features that mostly stay as they are from one period to the next, such
            as a mean so far; others are measured anew each period.
        trajectories: A group's latest intake comes before all of its intakes, groups before the
            whole cohort: the first that fits a student is the nearest.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    within: str | None = None
    features: tuple[str, ...]
    lasting: tuple[str, ...] = ()
    trajectories: tuple[Trajectory, ...]

    @model_validator(mode="after")
    def _rectangular(self) -> Self:
        for one in self.trajectories:
            for table in (one.median, one.low, one.high):
                if len(table) != len(one) or any(len(r) != len(self.features) for r in table):
                    raise ValueError(
                        "median, low and high must be (periods)(features) tables of the periods "
                        "of `records`"
                    )
        return self


def learn_typical(cohort: Cohort) -> Typical:
    """Learn the typical trajectories of a cohort and of its groups.

    A trajectory ends before the first period that fewer than `FEWEST` records reached.
    """
    contract = cohort.contract
    within = grouping_feature(contract)
    parts: list[tuple[str | None, Cohort]] = []
    if within is not None:
        level = _first_observed(cohort.values[:, :, contract.feature_names.index(within)])
        parts += [
            (name, cohort.take(level == position))
            for position, name in enumerate(contract.feature(within).levels)
        ]
    parts.append((None, cohort))
    found = [one for group, part in parts for one in _of_part(part, group)]
    return Typical(
        within=within,
        features=contract.feature_names,
        lasting=_lasting(cohort),
        trajectories=tuple(found),
    )


def grouping_feature(contract: Contract) -> str | None:
    """Return the categorical feature that the contract compares students within, if any."""
    return next((f.relative.within for f in contract.features if f.relative is not None), None)


def _lasting(cohort: Cohort) -> tuple[str, ...]:
    """Return the numeric features that change in less than half of the steps observed."""
    found = []
    for at, feature in enumerate(cohort.contract.features):
        steps = np.diff(cohort.values[:, :, at], axis=1)
        observed = steps[~np.isnan(steps)]
        if feature.kind is Kind.NUMERIC and observed.size and 2 * (observed == 0).mean() > 1:
            found.append(feature.name)
    return tuple(found)


def _of_part(part: Cohort, group: str | None) -> list[Trajectory]:
    """Return the trajectory of the latest intake that is large enough, then that of all."""
    intakes, counts = np.unique(part.cohorts, return_counts=True)
    large = intakes[counts >= FEWEST].tolist()
    chosen = [None] if len(intakes) == 1 and not intakes[0] else [*large[-1:], None]
    candidates = [
        _trajectory(part if one is None else part.take(part.cohorts == one), group, one)
        for one in chosen
    ]
    return [one for one in candidates if one is not None]


def _trajectory(part: Cohort, group: str | None, intake: str | None) -> Trajectory | None:
    reached = part.observed.sum(axis=0)
    periods = int((reached >= FEWEST).cumprod().sum())
    if not periods:
        return None
    columns = [
        _column(part.values[:, :periods, at], reached[:periods], feature.kind)
        for at, feature in enumerate(part.contract.features)
    ]
    median, low, high = (_rows(np.stack(table, axis=1)) for table in zip(*columns, strict=True))
    return Trajectory(
        group=group,
        intake=intake,
        records=tuple(reached[:periods].tolist()),
        median=median,
        low=low,
        high=high,
    )


def _column(
    values: Floats, reached: np.ndarray[tuple[int], np.dtype[np.int64]], kind: Kind
) -> tuple[Floats, Floats, Floats]:
    """Return median, low and high of one feature, each (periods,)."""
    count = (~np.isnan(values)).sum(axis=0)
    method: Literal["linear", "nearest"] = "linear" if kind is Kind.NUMERIC else "nearest"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # periods without any value
        found = np.nanpercentile(values, (50, LOW, HIGH), axis=0, method=method)
    median, low, high = np.where(count >= FEWEST, found, np.nan).astype(np.float32)
    if kind is Kind.CATEGORICAL:
        median = _most_frequent(values)
        low = high = np.full_like(low, np.nan)
    # The typical record has a value where at least every second one has.
    return np.where(2 * count >= np.maximum(reached, 1), median, np.float32(np.nan)), low, high


def _most_frequent(levels: Floats) -> Floats:
    found = np.full(levels.shape[1], np.nan, np.float32)
    for period, column in enumerate(levels.T):
        observed, counts = np.unique(column[~np.isnan(column)], return_counts=True)
        if counts.size and counts.max() >= FEWEST:
            found[period] = observed[counts.argmax()]
    return found


def _first_observed(column: Floats) -> Floats:
    """Return the first value of each row of (records, periods); NaN where there is none."""
    first = (~np.isnan(column)).argmax(axis=1)
    return np.asarray(column[np.arange(len(column)), first], np.float32)


def _rows(table: Floats) -> tuple[Row, ...]:
    # The shortest text that is this float32: files stay small and numbers exact.
    return tuple(
        tuple(None if np.isnan(cell) else float(str(cell)) for cell in row) for row in table
    )
