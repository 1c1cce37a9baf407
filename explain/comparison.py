"""What a student is compared with: the typical trajectory of the same group and length."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from records.arrays import Bools, Floats
from records.contract import Contract, Kind
from records.learnt.typical import Typical

ComparisonKind = Literal["typical", "own_course", "nothing"]
_NAN = np.float32(np.nan)
# So many of the last observed values say where a student stands.
_LAST = 3


@dataclass(frozen=True, eq=False)
class Usual:
    """A typical trajectory as arrays.

    Attributes:
        group: Level of the feature that groups go by; None for the whole cohort.
        intake: The intake that it was learnt from; None for all of them.
        records: (periods) records that had reached each period.
        median: (periods, features) raw units, NaN where the typical record has no value.
        low: (periods, features) 5th percentile, NaN where there is none.
        high: (periods, features) 95th percentile, likewise.
    """

    group: str | None
    intake: str | None
    records: tuple[int, ...]
    median: Floats
    low: Floats
    high: Floats

    def __len__(self) -> int:
        return len(self.records)


@dataclass(frozen=True, eq=False)
class Comparison:
    """A history to compare with.

    Attributes:
        kind: What it is.
        values: (periods, features) of the student's own length.
        usual: The trajectory behind it; None for a student of whom nothing is known.
        since: The last period of the student's own history in it; None where there is none.
    """

    kind: ComparisonKind
    values: Floats
    usual: Usual | None = None
    since: int | None = None


class Comparisons:
    """Finds what students of a contract are compared with.

    Args:
        contract: What records hold.
        typical: Typical trajectories; None in bundles of earlier versions, where students are
            compared with one of whom nothing is known.
    """

    def __init__(self, contract: Contract, typical: Typical | None) -> None:
        self._usual = [] if typical is None else _arrays(typical)
        self._within: int | None = None
        self._levels: tuple[str, ...] = ()
        if typical is not None and typical.within is not None:
            self._within = contract.feature_names.index(typical.within)
            self._levels = contract.feature(typical.within).levels
        lasting = () if typical is None else typical.lasting
        self._numeric: Bools = np.array([f.kind is Kind.NUMERIC for f in contract.features])
        self._measured_anew = self._numeric & [f.name not in lasting for f in contract.features]
        self._lower = np.array([f.lower_bound for f in contract.features], np.float32)
        self._upper = np.array([f.upper_bound for f in contract.features], np.float32)

    def usual_for(self, history: Floats, periods: int) -> Usual | None:
        """Find the nearest typical trajectory that is long enough.

        Args:
            history: (periods, features) of the student.
            periods: How long it has to be.

        Returns:
            That of the student's group, else of the whole cohort; None where none is long enough.
        """
        group = self._group_of(history)
        for usual in self._usual:
            if len(usual) >= periods and usual.group in {group, None}:
                return usual
        return None

    def typical(self, history: Floats) -> Comparison:
        """Compare with the typical trajectory, or with nothing where there is none so long."""
        periods = len(history)
        usual = self.usual_for(history, periods)
        if usual is None:
            return self.nothing(history)
        return Comparison("typical", usual.median[:periods], usual)

    def nothing(self, history: Floats) -> Comparison:
        """Compare with a student of whom nothing is known."""
        return Comparison("nothing", np.full_like(history, _NAN))

    def own_course(self, history: Floats, since: int) -> Comparison:
        """Compare with the student's own history up to a period, continued from there."""
        usual = self.usual_for(history, len(history))
        continued = self.continued(history[:since], usual, len(history) - since)
        values = np.concatenate((history[:since], continued))
        return Comparison("own_course", values, usual, since)

    def continued(self, history: Floats, usual: Usual | None, periods: int) -> Floats:
        """Continue a history as the typical trajectory moves.

        A number keeps its distance from the median, within the contract's limits: the mean distance
        of the last three observed periods where it is measured anew each period, the last one where
        it lasts. Anything else stays as it was last observed. What was never observed is as in
        the typical trajectory, and where that has no value any more there is none.

        Args:
            history: (observed periods, features).
            usual: The trajectory; None to stay at the last values.
            periods: How many to add.

        Returns:
            (periods, features).
        """
        start = len(history)
        own = self.standing(history)
        if usual is None:
            return np.tile(own, (periods, 1))
        clock = np.minimum(np.arange(start + periods), len(usual) - 1)
        then, now = np.split(usual.median[clock], [start])
        moved = now + self.standing(history - then)
        found = np.where(self._numeric & ~np.isnan(moved), moved, own)
        found = np.where(np.isnan(own), now, np.clip(found, self._lower, self._upper))
        ended = np.isnan(now) & ~np.isnan(_mean_of_last(then, ~np.isnan(history), 1))
        return np.where(ended, _NAN, found).astype(np.float32)

    def standing(self, table: Floats) -> Floats:
        """Return where each feature of (periods, features) stands: (features,).

        The mean of the last three observed periods where it is measured anew each period, the
        last one where it lasts; NaN where nothing was observed.
        """
        observed = ~np.isnan(table)
        several, last = (_mean_of_last(table, observed, count) for count in (_LAST, 1))
        return np.where(self._measured_anew, several, last)

    def _group_of(self, history: Floats) -> str | None:
        if self._within is None:
            return None
        levels = history[:, self._within]
        observed = levels[~np.isnan(levels)]
        return self._levels[int(observed[-1])] if observed.size else None


def _mean_of_last(table: Floats, observed: Bools, count: int) -> Floats:
    """Return the mean of the last `count` observed periods of (periods, features).

    Returns:
        (features,) NaN where no period was observed.
    """
    behind = observed[::-1].cumsum(axis=0)[::-1]
    chosen = observed & (behind <= count)
    number = chosen.sum(axis=0)
    total = np.where(chosen, table, np.float32(0)).sum(axis=0)
    return np.where(number > 0, total / np.maximum(number, 1), _NAN).astype(np.float32)


def _arrays(typical: Typical) -> list[Usual]:
    return [
        Usual(
            group=one.group,
            intake=one.intake,
            records=one.records,
            median=np.array(one.median, np.float32),
            low=np.array(one.low, np.float32),
            high=np.array(one.high, np.float32),
        )
        for one in typical.trajectories
    ]
