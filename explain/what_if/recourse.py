"""Recourse: the smallest change that would bring an estimate below a bound, by enumeration.

Groups of features move to one of up to three better levels. One group is tried, then two, then
three, so that the answer has the fewest changes; among those with as many, the smallest.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Final

import numpy as np

from explain.questions import Question
from explain.what_if.levers import Move
from records.arrays import Floats
from scoring.rounding import round_risk

MOST_CHANGES: Final = 3
# Groups that three changes are chosen among: those that alone lower the estimate most.
_PROMISING: Final = 4

Combination = tuple[Move, ...]


@dataclass(frozen=True)
class Found:
    """What a search came to.

    Attributes:
        combination: The smallest sufficient change; where there is none, the best one tried.
        risk: The estimate with it.
        is_sufficient: Whether it is below the bound.
    """

    combination: Combination
    risk: float
    is_sufficient: bool


def search(
    moves: Sequence[Sequence[Move]],
    histories: Callable[[Sequence[Combination]], Floats],
    *,
    below: float,
    unchanged: float,
) -> Question[Found]:
    """Search for the smallest sufficient change.

    Args:
        moves: Of each group, the smallest first.
        histories: Makes (combinations, periods, features), one history for each.
        below: The bound.
        unchanged: The risk where nothing is changed.
    """
    best = Found((), unchanged, unchanged < below)
    if best.is_sufficient:
        return best
    lowest: dict[str, float] = {}
    for count in range(1, MOST_CHANGES + 1):
        tried = list(_combinations(_promising(moves, lowest, count), count))
        if not tried:
            break
        answers = yield histories(tried)
        risks = round_risk(answers[:, -1])
        sufficient = np.flatnonzero(risks < below).tolist()
        if sufficient:
            nearest = min(sufficient, key=lambda at: (_distance(tried[at]), float(risks[at])))
            return Found(tried[nearest], float(risks[nearest]), is_sufficient=True)
        if count == 1:
            for (move,), value in zip(tried, risks.tolist(), strict=True):
                lowest[move.group] = min(value, lowest.get(move.group, np.inf))
        lowest_at = int(np.where(np.isnan(risks), np.inf, risks).argmin())
        if risks[lowest_at] < best.risk:
            best = Found(tried[lowest_at], float(risks[lowest_at]), is_sufficient=False)
    return best


def _promising(
    moves: Sequence[Sequence[Move]], lowest: dict[str, float], count: int
) -> Sequence[Sequence[Move]]:
    if count < MOST_CHANGES:
        return moves
    order = sorted(lowest, key=lambda group: lowest[group])[:_PROMISING]
    return [group for group in moves if group[0].group in order]


def _combinations(moves: Sequence[Sequence[Move]], count: int) -> Iterator[Combination]:
    for groups in combinations(moves, count):
        yield from product(*groups)


def _distance(combination: Iterable[Move]) -> float:
    return sum(move.distance for move in combination)
