"""What preprocessing learns."""

from dataclasses import replace

import numpy as np
import pytest

from records.cohort import Cohort
from tests.training.small_cohort import AID, HOURS, MARK, TRACK, small_cohort
from training.data.statistics import learn_statistics


def _with(cohort: Cohort, column: int, values: list[list[float]]) -> Cohort:
    """Three records of two periods with `values` in one column."""
    three = cohort.take([0, 1, 2])
    changed = np.full_like(three.values, np.nan)
    changed[:, :2, column] = values
    lengths = np.full(3, 2, np.int32)
    beyond = np.arange(changed.shape[1]) >= 2
    return replace(three, values=changed, lengths=lengths, eligible=three.eligible & ~beyond)


def test_numbers_are_filled_with_their_mean(cohort: Cohort) -> None:
    learnt = learn_statistics(_with(cohort, MARK, [[1, 2], [np.nan, 6], [np.nan, np.nan]]))
    assert learnt.fill[MARK] == learnt.mean[MARK] == pytest.approx(3)
    assert (learnt.minimum[MARK], learnt.maximum[MARK]) == (1, 6)
    assert learnt.spread[MARK] == pytest.approx(np.std([1, 2, 6]))
    assert learnt.observed[MARK] == 3


@pytest.mark.parametrize("column", [TRACK, AID])
def test_levels_and_flags_are_filled_with_their_mode(cohort: Cohort, column: int) -> None:
    learnt = learn_statistics(_with(cohort, column, [[1, 1], [0, 1], [0, np.nan]]))
    assert learnt.fill[column] == 1


def test_of_equally_frequent_levels_the_first_is_the_mode(cohort: Cohort) -> None:
    learnt = learn_statistics(_with(cohort, TRACK, [[2, 1], [1, 2], [np.nan, np.nan]]))
    assert learnt.fill[TRACK] == 1


def test_what_was_never_observed_has_zeros_everywhere(cohort: Cohort) -> None:
    learnt = learn_statistics(_with(cohort, MARK, [[1, 2], [3, 4], [5, 6]]))
    assert learnt.observed[HOURS] == 0
    assert learnt.missing[HOURS]
    assert not learnt.varying[HOURS]
    numbers = (learnt.fill, learnt.minimum, learnt.maximum, learnt.mean, learnt.spread)
    assert all(row[HOURS] == 0 for row in numbers)


def test_a_constant_does_not_vary(cohort: Cohort) -> None:
    learnt = learn_statistics(_with(cohort, MARK, [[7, 7], [7, 7], [7, np.nan]]))
    assert not learnt.varying[MARK]
    assert learnt.missing[MARK]


def test_periods_after_the_end_of_a_history_are_not_missing_values(cohort: Cohort) -> None:
    learnt = learn_statistics(_with(cohort, MARK, [[1, 2], [3, 4], [5, 6]]))
    assert not learnt.missing[MARK]


def test_an_empty_cohort_teaches_nothing_and_breaks_nothing() -> None:
    learnt = learn_statistics(small_cohort().take([]))
    assert not any(learnt.observed)
    assert not any(learnt.varying)
