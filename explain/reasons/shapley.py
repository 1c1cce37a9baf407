"""Shapley values: how much each player of a cooperative game adds, on average over all orders.

Exact up to ten players, from the value of every coalition (Shapley 1953). For more, marginal
contributions along random orders, each taken forwards and backwards (antithetic sampling; Mitchell,
Cooper, Frank and Holmes 2022, "Sampling permutations for Shapley value estimation").
"""

from dataclasses import dataclass
from functools import lru_cache
from math import comb
from typing import Final

import numpy as np

from records.arrays import Bools, Doubles, Positions

EXACT_PLAYERS: Final = 10
# About as many coalitions as ten players have.
_SAMPLED_ROWS: Final = 1024
_SEED: Final = 20_260_601


@dataclass(frozen=True, eq=False)
class Effects:
    """How much each player adds.

    Attributes:
        values: (players,) they sum to the value of all players less that of none.
        error: Largest standard error of them; 0 where they are exact.
        is_exact: Whether every coalition was asked.
    """

    values: Doubles
    error: float
    is_exact: bool


class Plan:
    """The coalitions to ask, and what their values mean.

    Args:
        players: How many there are.

    Attributes:
        coalitions: (coalitions, players) who takes part; the first is empty, the last full.
    """

    def __init__(self, players: int) -> None:
        self._orders: Positions | None = None
        if players <= EXACT_PLAYERS:
            self.coalitions = all_coalitions(players)
            self._weights = shapley_weights(players)
        else:
            self._orders = _orders(players)
            self.coalitions = _along(self._orders)

    def effects(self, values: Doubles) -> Effects:
        """Compute effects.

        Args:
            values: (coalitions,) in the order of `coalitions`.
        """
        if self._orders is None:
            return Effects(self._weights @ values, 0.0, is_exact=True)
        return self._sampled(self._orders, values)

    def _sampled(self, orders: Positions, values: Doubles) -> Effects:
        count, players = orders.shape
        inner = values[1:-1].reshape(count, players - 1)
        ends = np.broadcast_to(values[[0]], (count, 1)), np.broadcast_to(values[[-1]], (count, 1))
        steps = np.diff(np.concatenate((ends[0], inner, ends[1]), axis=1), axis=1)
        added = np.empty_like(steps)
        np.put_along_axis(added, orders, steps, axis=1)
        # An order and its reverse depend on each other: only pairs are independent.
        pairs = (added[: count // 2] + added[count // 2 :]) / 2
        error = pairs.std(axis=0, ddof=1) / np.sqrt(len(pairs))
        return Effects(pairs.mean(axis=0), float(error.max()), is_exact=False)


@lru_cache(maxsize=32)
def plan(players: int) -> Plan:
    """Return the plan for a number of players; the same one each time."""
    return Plan(players)


def all_coalitions(players: int) -> Bools:
    """Return (2^players, players): row r holds the players whose bits are set in r."""
    rows = np.arange(1 << players)[:, None]
    return np.asarray((rows >> np.arange(players)) & 1, np.bool_)


def shapley_weights(players: int) -> Doubles:
    """Return (players, 2^players): effects are its product with the values of all coalitions."""
    member = all_coalitions(players)
    if not players:
        return np.zeros((0, 1))
    others = member.sum(axis=1)[:, None] - member
    # How often so many others are there before the player in a random order, divided among the
    # coalitions of that size. The player adds what they reach together less what they reach alone.
    joining = np.array([1 / (players * comb(players - 1, size)) for size in range(players)])
    weight = joining[others]
    return np.ascontiguousarray(np.where(member, weight, -weight).T)


def _orders(players: int) -> Positions:
    """Return (orders, players), the second half being the reverse of the first."""
    pairs = max(16, _SAMPLED_ROWS // (2 * (players - 1)))
    random = np.random.default_rng(_SEED)
    forwards = random.permuted(np.tile(np.arange(players), (pairs, 1)), axis=1)
    return np.concatenate((forwards, forwards[:, ::-1]))


def _along(orders: Positions) -> Bools:
    """Return the coalitions met along orders: none, the inner ones order by order, all."""
    count, players = orders.shape
    place = np.argsort(orders, axis=1)
    inner = place[:, None, :] < np.arange(1, players)[None, :, None]
    flat = inner.reshape(count * (players - 1), players)
    none, everyone = np.zeros((1, players), np.bool_), np.ones((1, players), np.bool_)
    return np.concatenate((none, flat, everyone))
