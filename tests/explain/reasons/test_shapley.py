"""Shapley values: the laws that define them, exactly; and sampling that states its error."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from explain.reasons.shapley import EXACT_PLAYERS, Effects, Plan, all_coalitions, plan
from records.arrays import Doubles

numbers = st.floats(-20, 20)


@st.composite
def games(draw: st.DrawFn, most: int = 6) -> Doubles:
    """The value of every coalition of one to `most` players."""
    players = draw(st.integers(1, most))
    return draw(hnp.arrays(np.float64, 1 << players, elements=numbers))


def effects_of(game: Doubles) -> Doubles:
    return plan(len(game).bit_length() - 1).effects(game).values


def by_all_orders(game: Doubles) -> Doubles:
    """Add what each player adds, order by order: the definition, without any weights."""
    players = len(game).bit_length() - 1
    added = np.zeros(players)
    orders = list(permutations(range(players)))
    for order in orders:
        coalition = 0
        for player in order:
            added[player] += game[coalition | 1 << player] - game[coalition]
            coalition |= 1 << player
    return added / len(orders)


@given(game=games())
@settings(max_examples=60)
def test_effects_are_what_players_add_on_average_over_all_orders(game: Doubles) -> None:
    np.testing.assert_allclose(effects_of(game), by_all_orders(game), atol=1e-9)


@given(game=games())
def test_effects_sum_to_the_whole_difference(game: Doubles) -> None:
    assert effects_of(game).sum() == pytest.approx(game[-1] - game[0], abs=1e-9)


@given(game=games(), player=st.integers(0, 5))
def test_a_player_who_adds_nothing_anywhere_has_no_effect(game: Doubles, player: int) -> None:
    players = len(game).bit_length() - 1
    bit = 1 << player % players
    rows = np.arange(len(game))
    without = game[rows & ~bit]
    assert effects_of(without)[player % players] == pytest.approx(0, abs=1e-9)


@given(game=games())
def test_players_who_add_the_same_everywhere_have_the_same_effect(game: Doubles) -> None:
    players = len(game).bit_length() - 1
    if players < 2:
        return
    rows = np.arange(len(game))
    first, second = rows & 1, (rows >> 1) & 1
    swapped = (rows & ~3) | (first << 1) | second
    alike = (game + game[swapped]) / 2
    effects = effects_of(alike)
    assert effects[0] == pytest.approx(effects[1], abs=1e-9)


@given(data=st.data(), players=st.integers(1, 6))
def test_effects_of_a_sum_of_games_are_the_sums_of_their_effects(
    data: st.DataObject, players: int
) -> None:
    one, other = (
        data.draw(hnp.arrays(np.float64, 1 << players, elements=numbers)) for _ in range(2)
    )
    np.testing.assert_allclose(
        effects_of(one + other), effects_of(one) + effects_of(other), atol=1e-9
    )


def test_nobody_has_no_effects() -> None:
    assert plan(0).effects(np.array([0.7])).values.shape == (0,)


def sampled(players: int, bonus: float) -> tuple[Effects, Doubles]:
    """Weights, and a bonus for three of the first four players together: its effects by symmetry."""
    chosen = plan(players)
    weights = np.linspace(-1, 1, players)
    together = chosen.coalitions[:, :4].sum(axis=1) >= 3
    values = chosen.coalitions @ weights + bonus * together
    expected = weights + np.where(np.arange(players) < 4, bonus / 4, 0)
    return chosen.effects(values), expected


def test_more_than_ten_players_are_sampled_with_a_stated_error() -> None:
    assert plan(EXACT_PLAYERS).effects(np.zeros(1 << EXACT_PLAYERS)).is_exact
    found, expected = sampled(EXACT_PLAYERS + 3, bonus=4)
    assert not found.is_exact
    assert 0 < found.error < 0.25
    assert np.abs(found.values - expected).max() < 4 * found.error


def test_sampling_is_exact_where_players_do_not_depend_on_each_other() -> None:
    found, expected = sampled(12, bonus=0)
    np.testing.assert_allclose(found.values, expected, atol=1e-12)
    assert found.error == pytest.approx(0, abs=1e-12)


def test_sampled_effects_sum_to_the_whole_difference() -> None:
    chosen = plan(14)
    values = np.random.default_rng(3).normal(size=len(chosen.coalitions))
    found = chosen.effects(values)
    assert found.values.sum() == pytest.approx(values[-1] - values[0], abs=1e-9)


def test_sampling_asks_the_same_each_time_and_about_as_much_as_ten_players() -> None:
    np.testing.assert_array_equal(Plan(12).coalitions, Plan(12).coalitions)
    assert len(Plan(12).coalitions) <= 1 << EXACT_PLAYERS


def test_the_first_coalition_is_empty_and_the_last_holds_everybody() -> None:
    for players in (1, 5, 12):
        coalitions = plan(players).coalitions
        assert not coalitions[0].any()
        assert coalitions[-1].all()
    assert len(all_coalitions(5)) == 32
