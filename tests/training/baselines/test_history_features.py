"""Flattened histories against plain Python."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from records.arrays import Floats
from records.cohort import Cohort
from tests.training.small_cohort import MARK, PERIODS, TRACK
from training.baselines.history_features import (
    known_so_far,
    last_observed,
    mean_so_far,
    slope_so_far,
)

columns = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 3), st.integers(1, 6)),
    elements=st.floats(-100, 100, width=16) | st.just(float("nan")),
)


def _so_far(values: Floats, row: int, period: int) -> list[tuple[int, float]]:
    seen = enumerate(values[row, : period + 1].tolist())
    return [(time, value) for time, value in seen if not math.isnan(value)]


@given(columns)
def test_last_and_mean_are_over_what_was_seen_by_then(values: Floats) -> None:
    last, mean = last_observed(values), mean_so_far(values)
    for row, period in np.ndindex(*values.shape):
        seen = [value for _, value in _so_far(values, row, period)]
        if seen:
            assert last[row, period] == seen[-1]
            assert mean[row, period] == pytest.approx(np.mean(seen), rel=1e-5, abs=1e-4)
        else:
            assert math.isnan(last[row, period])
            assert math.isnan(mean[row, period])


@given(columns)
def test_the_slope_is_the_least_squares_line(values: Floats) -> None:
    slope = slope_so_far(values)
    for row, period in np.ndindex(*values.shape):
        seen = _so_far(values, row, period)
        if len(seen) > 1:
            times, marks = zip(*seen, strict=True)
            expected = np.polyfit(times, marks, 1)[0]
            assert slope[row, period] == pytest.approx(expected, rel=1e-4, abs=1e-3)
        else:
            assert math.isnan(slope[row, period])


def test_a_step_is_described_by_nothing_later(cohort: Cohort) -> None:
    steps = np.zeros_like(cohort.eligible)
    steps[:, 1] = True
    rows, _ = known_so_far(cohort, steps)
    np.testing.assert_array_equal(known_so_far(cohort.at(2), steps)[0], rows)
    assert not np.array_equal(known_so_far(cohort.at(1), steps)[0], rows, equal_nan=True)


def test_rows_come_in_the_order_of_the_steps_and_begin_with_the_period(cohort: Cohort) -> None:
    rows, categories = known_so_far(cohort, cohort.eligible)
    assert len(rows) == cohort.eligible.sum()
    np.testing.assert_array_equal(rows[:, 0], np.nonzero(cohort.eligible)[1] + 1)
    (track,) = categories
    carried = last_observed(cohort.values[:, :, TRACK])[cohort.eligible]
    np.testing.assert_array_equal(rows[:, track], carried)


def test_a_number_gives_last_mean_lowest_highest_slope_and_count(cohort: Cohort) -> None:
    one = cohort.take([0])
    values = np.full_like(one.values, np.nan)
    values[0, :, MARK] = [4, np.nan, 2, 6, np.nan]
    one = replace(one, values=values, lengths=np.array([PERIODS], np.int32))
    steps = np.zeros_like(one.eligible)
    steps[0, [1, 4]] = True
    rows, _ = known_so_far(one, steps)
    assert rows[0, 1:5].tolist() == [4, 4, 4, 4]
    assert math.isnan(rows[0, 5])
    assert rows[0, 6] == 1
    # Least squares through (0, 4), (2, 2), (3, 6).
    assert rows[1, 1:7].tolist() == pytest.approx([6, 4, 2, 6, 3 / 7, 3])
