"""Measures by hand, and the law that company changes nothing, to the last bit."""

from functools import reduce

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from records.arrays import Doubles, Positions
from scoring.policy.measures import newest_values, slope, totals


def measured(
    values: Doubles, depth: int, columns: Positions
) -> tuple[Positions, Doubles, Doubles, Doubles]:
    """Measure (rows, periods, features); what comes back is (…, columns, rows)."""
    values = np.ascontiguousarray(values.transpose(2, 0, 1)[columns])
    observed = ~np.isnan(values)
    count, periods, found = newest_values(values, observed, depth)
    picked = np.asarray(found, np.float64)
    np.testing.assert_array_equal(count, observed.sum(axis=2))
    added = totals(picked)[-1]
    np.testing.assert_array_equal(added, reduce(np.add, picked))
    used = np.minimum(count, depth)
    levels = added / np.where(used > 0, used, np.nan)
    enough = np.where(used == depth, 1.0, np.nan)
    away, steps = picked - levels, periods - periods.sum(axis=0) / depth
    return periods, picked, levels, slope(away * enough, steps * enough)


def test_the_newest_observed_values_come_first() -> None:
    values = np.array([[[1.0], [np.nan], [5.0], [9.0], [np.nan]]])
    periods, picked, levels, slopes = measured(values, 2, np.array([0]))
    assert periods[:, 0, 0].tolist() == [4, 3]
    assert picked[:, 0, 0].tolist() == [9, 5]
    assert (levels[0, 0], slopes[0, 0]) == (7, 4)


def test_fewer_values_than_wanted_have_a_level_and_no_slope() -> None:
    values = np.array([[[1.0], [np.nan], [5.0]]])
    periods, picked, levels, slopes = measured(values, 4, np.array([0]))
    assert periods[:, 0, 0].tolist() == [3, 1, 0, 0]
    assert picked[:, 0, 0].tolist() == [5, 1, 0, 0]
    assert levels[0, 0] == 3
    assert np.isnan(slopes[0, 0])


def test_nothing_observed_has_neither_level_nor_slope() -> None:
    *_, levels, slopes = measured(np.full((1, 3, 1), np.nan), 2, np.array([0]))
    assert np.isnan([levels[0, 0], slopes[0, 0]]).all()


def test_each_measure_reads_its_own_row_and_column() -> None:
    values = np.arange(2 * 3 * 4, dtype=np.float64).reshape(2, 3, 4)
    _, picked, _, _ = measured(values, 2, np.array([3, 0]))
    assert picked[0].tolist() == [[11, 23], [8, 20]]


@given(
    seed=st.integers(0, 2**32 - 1),
    depth=st.integers(2, 20),
    measures=st.integers(1, 3),
    missing=st.sampled_from([0.0, 0.3, 0.8]),
)
@pytest.mark.parametrize("rows", [2, 9])
def test_rows_measure_the_same_to_the_last_bit_alone_and_together(
    rows: int, seed: int, depth: int, measures: int, missing: float
) -> None:
    generator = np.random.default_rng(seed)
    # Of many sizes, so that another order of addition would show.
    values = generator.normal(0, 1, (rows, 20, 3)) * 10.0 ** generator.integers(-8, 8, (20, 3))
    values[generator.random(values.shape) < missing] = np.nan
    columns = generator.integers(0, 3, measures)
    *_, levels, slopes = measured(values, depth, columns)
    for row in range(rows):
        *_, own_level, own_slope = measured(values[row : row + 1], depth, columns)
        np.testing.assert_array_equal(own_level[:, 0], levels[:, row])
        np.testing.assert_array_equal(own_slope[:, 0], slopes[:, row])
