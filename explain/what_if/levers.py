"""Levers: what can be changed in a future, and within which range."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import floor, isnan, log10

import numpy as np

from explain.comparison import Usual
from records.arrays import Floats
from records.contract import Better, Contract, Feature, Kind
from records.groups import group_label


@dataclass(frozen=True)
class Lever:
    """An actionable feature that a future can change.

    Attributes:
        column: Its position in the contract.
        feature: What it is.
        group: Label of its group.
        now: Where the student stands, NaN where nothing was observed.
        typical: Median of the next period, NaN where typical students have no value.
        low: 5th percentile of the next period.
        high: 95th percentile.
    """

    column: int
    feature: Feature
    group: str
    now: float
    typical: float
    low: float
    high: float

    @property
    def sign(self) -> int:
        """1 where higher is better, -1 where lower is."""
        return 1 if self.feature.better is Better.HIGHER else -1

    @property
    def best(self) -> float:
        """The better end of the range."""
        return self.high if self.sign > 0 else self.low

    @property
    def step(self) -> float:
        """By how much people change it: a level, or a round number."""
        if self.feature.kind is not Kind.NUMERIC:
            return 1.0
        return float(10.0 ** (floor(log10(self.high - self.low)) - 1))

    def distance(self, value: float) -> float:
        """Return how far a value lies from now, in widths of the range; 1 where nothing is known."""
        return 1.0 if isnan(self.now) else abs(value - self.now) / (self.high - self.low)

    def better_levels(self) -> list[float]:
        """Return up to three better values within the range, the nearest first.

        They are the typical value, the best one and one half-way to it.
        """
        nearer = self.now if isnan(self.typical) or self._is_better(self.typical) else self.typical
        nearer = self.best if isnan(nearer) else nearer
        found: list[float] = []
        for value in (self.typical, (nearer + self.best) / 2, self.best):
            if isnan(value):
                continue
            level = self.rounded(value)
            if (isnan(self.now) or self._exceeds(level, self.now)) and level not in found:
                found.append(level)
        return sorted(found, key=lambda level: level * self.sign)

    def rounded(self, value: float) -> float:
        """Round a value to a step within the range."""
        steps = round(value / self.step) * self.step
        return float(np.float32(min(max(round(steps, 6), self.low), self.high)))

    def _is_better(self, than: float) -> bool:
        return self.now * self.sign > than * self.sign

    def _exceeds(self, level: float, other: float) -> bool:
        """Tell whether a level is better than another value by half a step or more."""
        return (level - other) * self.sign >= self.step / 2


def find_levers(
    contract: Contract,
    usual: Usual | None,
    standing: Floats,
    periods: Sequence[int],
    hidden: Collection[str],
) -> list[Lever]:
    """Find what can be changed after a history.

    Args:
        contract: What records hold.
        usual: The cohort's typical trajectory; None leaves nothing to change within.
        standing: (features,) where the student stands.
        periods: Those that follow, counted from 0. A feature's range is that of the first in which
            typical students have a value of it.
        hidden: Features that are not offered.

    Returns:
        Actionable features with a better direction that vary in the reference.
    """
    if usual is None:
        return []
    rows = [min(period, len(usual) - 1) for period in periods]
    found = []
    for column, feature in enumerate(contract.features):
        if not feature.actionable or feature.better is Better.NEITHER or feature.name in hidden:
            continue
        row = next((row for row in rows if not isnan(usual.median[row, column])), rows[0])
        typical, low, high = (
            float(table[row, column]) for table in (usual.median, usual.low, usual.high)
        )
        if high > low:
            group = group_label(contract, feature)
            now = float(standing[column])
            found.append(Lever(column, feature, group, now, typical, low, high))
    return found


@dataclass(frozen=True)
class Move:
    """Some features changed together, to one of their better levels.

    Attributes:
        group: Label of their group.
        values: Column -> value.
        distance: How far they are moved, in widths of their ranges, on average.
    """

    group: str
    values: dict[int, float]
    distance: float


def moves_of(levers: Sequence[Lever], hidden: Collection[str]) -> list[list[Move]]:
    """Return the moves of each group, the smallest first; groups without any are left out.

    Features of a group move together, since they tell of the same thing: work that is handed in is
    not missing, not overdue, and no share of what was due.

    Args:
        levers: What can be changed.
        hidden: Labels of groups that are not offered.
    """
    by_group: dict[str, list[Lever]] = {}
    for lever in levers:
        if lever.group not in hidden:
            by_group.setdefault(lever.group, []).append(lever)
    found = []
    for group, members in by_group.items():
        levels = [lever.better_levels() for lever in members]
        moves = []
        for at in range(max(map(len, levels))):
            values = {
                lever.column: reachable[min(at, len(reachable) - 1)]
                for lever, reachable in zip(members, levels, strict=True)
                if reachable
            }
            distances = [m.distance(values[m.column]) for m in members if m.column in values]
            moves.append(Move(group, values, sum(distances) / len(distances)))
        if moves:
            found.append(moves)
    return found
