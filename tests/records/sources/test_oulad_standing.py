import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from records.sources.oulad_standing import STANDING, weekly_standing

CLASS = 30


def standings(
    values: np.ndarray, eligible: np.ndarray | None = None, groups: np.ndarray | None = None
) -> np.ndarray:
    """Return the standings of one feature, (records, weeks)."""
    there = np.ones(values.shape, np.bool_) if eligible is None else eligible
    group = np.zeros(len(values), np.int64) if groups is None else groups
    weekly = dict.fromkeys(STANDING.values(), values.astype(np.float32))
    return weekly_standing(group, weekly, there)["standing_mark"]


def drawn(seed: int = 0, weeks: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).normal(50, 10, (CLASS, weeks))


def test_a_class_stands_around_its_own_mean() -> None:
    found = standings(drawn())
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(found.std(axis=0), 1, atol=1e-6)


@given(st.floats(-20, 20), st.floats(0.1, 5))
def test_a_harder_or_more_generous_marker_changes_no_standing(easier: float, wider: float) -> None:
    values = drawn()
    np.testing.assert_allclose(standings(values * wider + easier), standings(values), atol=1e-3)


def test_another_class_changes_nothing() -> None:
    one, other = drawn(1), drawn(2) + 30
    both = standings(np.vstack([one, other]), groups=np.repeat([0, 1], CLASS))
    np.testing.assert_array_equal(both[:CLASS], standings(one))


def test_who_has_left_is_no_classmate_any_more() -> None:
    values, eligible = drawn(), np.ones((CLASS, 3), np.bool_)
    eligible[0, 1:] = False
    values[0, 1:] = 1e6
    np.testing.assert_allclose(standings(values, eligible)[1:, 1:].mean(axis=0), 0, atol=1e-6)
    assert (standings(values, eligible)[0, 1:] == 6).all()


def test_too_few_with_a_value_are_no_class_and_equal_ones_stand_at_zero() -> None:
    values = np.full((CLASS, 3), 7.0)
    values[19:, 0] = np.nan
    found = standings(values)
    assert np.isnan(found[:, 0]).all()
    assert found[:, 1] == pytest.approx(0)
