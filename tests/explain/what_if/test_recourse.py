"""Recourse: the fewest changes that suffice, and among those the smallest."""

from collections.abc import Sequence
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from explain.questions import answer_in_steps
from explain.what_if.levers import Move
from explain.what_if.recourse import Combination, Found, search
from records.arrays import Floats, Ints
from scoring.steps import finish

Effects = list[list[float]]


def moves_with(effects: Effects) -> list[list[Move]]:
    """One group for each list: its moves lower the risk by so much, the first being the smallest."""
    return [
        [
            Move(f"g{group}", {group: value}, distance=(level + 1) / 10 + group / 1000)
            for level, value in enumerate(values)
        ]
        for group, values in enumerate(effects)
    ]


def searched(effects: Effects, *, below: float, unchanged: float) -> tuple[Found, int]:
    asked = 0

    def histories(tried: Sequence[Combination]) -> Floats:
        lowered = [sum(sum(move.values.values()) for move in one) for one in tried]
        return np.array(lowered, np.float32)[:, None, None]

    def predict(values: Floats, _: Ints) -> Floats:
        nonlocal asked
        asked += len(values)
        left: Floats = np.maximum(np.float32(unchanged) - values[:, :, 0], np.float32(0))
        return left

    question = search(moves_with(effects), histories, below=below, unchanged=unchanged)
    return finish(answer_in_steps(predict, question)), asked


def groups_of(found: Found) -> list[str]:
    return [move.group for move in found.combination]


def test_one_change_is_preferred_to_two_smaller_ones() -> None:
    found, _ = searched([[0.15], [0.15], [0.0, 0.0, 0.3]], below=0.5, unchanged=0.75)
    assert found.is_sufficient
    assert groups_of(found) == ["g2"]
    assert found.risk == pytest.approx(0.45)


def test_among_changes_of_as_many_groups_the_smallest_is_taken() -> None:
    found, _ = searched([[0.1, 0.2, 0.3], [0.3]], below=0.5, unchanged=0.75)
    assert groups_of(found) == ["g1"]  # one level up, not three
    assert found.combination[0].distance < 0.2


def test_two_and_three_changes_are_tried_where_fewer_do_not_suffice() -> None:
    two, _ = searched([[0.15], [0.15], [0.0]], below=0.5, unchanged=0.75)
    assert sorted(groups_of(two)) == ["g0", "g1"]
    three, _ = searched([[0.1]] * 4, below=0.5, unchanged=0.75)
    assert len(groups_of(three)) == 3


def test_where_none_suffices_the_lowest_estimate_found_is_reported() -> None:
    found, asked = searched([[0.1]] * 5, below=0.1, unchanged=0.75)
    assert not found.is_sufficient
    assert found.risk == pytest.approx(0.45)
    assert len(found.combination) == 3
    assert asked == 5 + 10 + 4  # three changes among the four that promise most


def test_nothing_is_asked_where_nothing_has_to_change_or_can() -> None:
    found, asked = searched([[0.1]], below=0.5, unchanged=0.4)
    assert (found.is_sufficient, found.combination, asked) == (True, (), 0)
    found, asked = searched([], below=0.5, unchanged=0.7)
    assert (found.is_sufficient, found.risk, asked) == (False, 0.7, 0)


lists = st.lists(
    st.lists(st.sampled_from([0.0, 0.05, 0.1, 0.2, 0.4]), min_size=1, max_size=3),
    min_size=1,
    max_size=4,
)


@given(effects=lists, below=st.sampled_from([0.2, 0.5, 0.7]))
def test_no_combination_has_fewer_or_smaller_changes(effects: Effects, below: float) -> None:
    found, _ = searched(effects, below=below, unchanged=0.75)
    moves = moves_with(effects)
    sufficient = [
        (count, sum(move.distance for move in one))
        for count in (1, 2, 3)
        for groups in combinations(moves, count)
        for one in product(*groups)
        if round(max(0.75 - sum(sum(m.values.values()) for m in one), 0), 6) < below
    ]
    assert found.is_sufficient == bool(sufficient)
    if sufficient:
        size = len(found.combination), sum(move.distance for move in found.combination)
        assert size == pytest.approx(min(sufficient))
