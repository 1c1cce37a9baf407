"""Where an enrolment stands: tiers with hysteresis, and whether a case is to be opened. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple, Self

from scoring.policy.model import Policy


class Point(NamedTuple):
    """The estimate after one period.

    Attributes:
        rank: Position of the tier by the policy alone, 0 the lowest.
    """

    period: int
    probability: float
    rank: int


@dataclass(frozen=True, slots=True)
class TierRules:
    """What decides tiers on the desk.

    Attributes:
        names: Tiers from the lowest.
        bounds: Smallest probability of each; None where tiers follow the capacity, whose bounds
            differ by period: then a tier falls after two lower periods, without a margin.
        margin: How far below the bound the probability has to be for a tier to fall.
        opens: Ranks that open a case.
    """

    names: tuple[str, ...]
    bounds: tuple[float, ...] | None
    margin: float
    opens: frozenset[int]

    @classmethod
    def of(cls, policy: Policy) -> Self:
        """Read a policy."""
        names = tuple(tier.name for tier in policy.tiers)
        bounds = None if policy.capacity else tuple(tier.from_ for tier in policy.tiers)
        chosen = policy.opens_case or names[1:]
        opens = frozenset(names.index(name) for name in chosen)
        return cls(names, bounds, policy.fall_margin, opens)

    def point(self, period: int, probability: float) -> Point:
        """Return a point with the rank that fixed bounds give.

        Raises:
            ValueError: Tiers follow the capacity.
        """
        if self.bounds is None:
            raise ValueError("tiers by capacity have no fixed bounds")
        reached = [rank for rank, bound in enumerate(self.bounds) if probability >= bound]
        return Point(period, probability, reached[-1])


def shown_rank(points: Sequence[Point], rules: TierRules) -> int:
    """Return the rank that is shown after the last point.

    It rises at once. It falls to the higher of the last two ranks when the probability was below
    the shown tier's bound by the margin at two points in a row.

    Args:
        points: At least one, periods ascending.
        rules: Bounds and margin.
    """
    shown = points[0].rank
    below = 0
    for before, point in pairwise(points):
        if point.rank >= shown:
            shown, below = point.rank, 0
            continue
        clearly = (
            rules.bounds is None or round(point.probability, 6) < rules.bounds[shown] - rules.margin
        )
        below = below + 1 if clearly else 0
        if below == 2:
            shown, below = max(before.rank, point.rank), 0
    return shown


def opens_case(points: Sequence[Point], rules: TierRules) -> bool:
    """Return whether the last point opens a case: twice in a row, or in the highest tier."""
    if not points or points[-1].rank not in rules.opens:
        return False
    if points[-1].rank == len(rules.names) - 1:
        return True
    return len(points) > 1 and points[-2].rank in rules.opens
