import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.gate.histories import LARGEST, batches, history_lengths, patterns
from records.cohort import Cohort
from records.load import load_cohort


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return load_cohort("simulated", students=40, seed=3)


def test_records_are_shown_as_recorded_complete_full_of_holes_and_empty(cohort: Cohort) -> None:
    recorded, complete, holes, empty = patterns(cohort)
    assert np.array_equal(recorded.values, cohort.values, equal_nan=True)
    assert np.array_equal(recorded.lengths, cohort.lengths)
    assert not np.isnan(complete.values).any()
    assert 0.4 < np.isnan(holes.values).mean() < 0.6
    assert np.isnan(empty.values).all()
    for made in (complete, holes, empty):
        assert (made.lengths == cohort.contract.periods.maximum).all()


def test_what_was_recorded_stays_and_gaps_are_filled_with_values_that_occur(
    cohort: Cohort,
) -> None:
    recorded, complete, *_ = patterns(cohort)
    known = ~np.isnan(recorded.values)
    assert np.array_equal(complete.values[known], recorded.values[known])
    for column in range(complete.values.shape[2]):
        occurring = recorded.values[:, :, column]
        assert np.isin(complete.values[:, :, column], occurring[~np.isnan(occurring)]).all()


def test_the_holes_are_the_same_every_time(cohort: Cohort) -> None:
    first, second = list(patterns(cohort))[2], list(patterns(cohort))[2]
    assert np.array_equal(first.values, second.values, equal_nan=True)


def test_large_held_out_parts_are_thinned_out_evenly() -> None:
    cohort = load_cohort("simulated", students=LARGEST * 2, seed=3)
    records = next(patterns(cohort)).records
    assert len(records) == LARGEST
    assert records[0] == 0
    assert records[-1] == len(cohort) - 1
    assert set(np.diff(records)) <= {1, 2, 3}


@given(st.integers(1, 2 * LARGEST))
def test_batches_are_single_odd_and_as_large_as_there_are_records(count: int) -> None:
    sizes = [rows.stop - rows.start for rows in batches(count)]
    assert sizes.count(1) >= min(count, 8)
    assert max(sizes) == min(count, LARGEST)
    for odd in (5, 33):
        assert odd in sizes or count < odd
    assert all(0 <= rows.start < rows.stop <= count for rows in batches(count))


@pytest.mark.parametrize(
    ("maximum", "lengths"), [(1, [1]), (2, [1, 2]), (3, [1, 2, 3]), (8, [1, 2, 4, 8])]
)
def test_histories_are_one_two_half_and_all_periods_long(maximum: int, lengths: list[int]) -> None:
    assert history_lengths(maximum) == lengths
