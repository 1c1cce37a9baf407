"""What a network rests on: laws of permutation importance."""

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from records.arrays import Floats
from records.load import load_cohort
from report.contribution import contribution, permuted


@given(
    records=st.integers(2, 12),
    periods=st.integers(1, 6),
    seed=st.integers(0, 2**32 - 1),
)
def test_permuting_only_moves_values_between_records_observed_there(
    records: int, periods: int, seed: int
) -> None:
    chance = np.random.default_rng(seed)
    lengths = chance.integers(0, periods + 1, records).astype(np.int32)
    values = chance.normal(size=(records, periods, 3)).astype(np.float32)
    values[np.arange(periods) >= lengths[:, None]] = np.nan
    start = int(chance.integers(0, periods))
    changed = permuted(values, lengths, 1, range(start, periods), chance.permutation(records))
    np.testing.assert_array_equal(np.sort(changed, axis=0), np.sort(values, axis=0))
    np.testing.assert_array_equal(np.isnan(changed), np.isnan(values))
    np.testing.assert_array_equal(changed[:, :start], values[:, :start])
    np.testing.assert_array_equal(changed[:, :, [0, 2]], values[:, :, [0, 2]])
    for period in range(start, periods):
        there = lengths > period
        if there.sum() > 1:
            assert (changed[there, period, 1] != values[there, period, 1]).all()


def test_a_feature_contributes_where_and_only_where_it_is_read() -> None:
    """Forecast the second feature of the latest period: nothing else may contribute."""
    cohort = load_cohort("simulated", students=150, seed=3)
    read = np.nan_to_num(cohort.values[:, :, 1])
    found = contribution(
        cohort,
        lambda values: np.nan_to_num(values[:, :, 1])[:, :, None],
        read[:, :, None],
        cohort.observed[:, :, None],
        lambda predicted, actual: np.abs(predicted - actual),
        figure="mean absolute error",
    )
    others = np.delete(np.arange(len(found.whole)), 1)
    assert (found.whole[others] == 0).all()
    assert (np.nan_to_num(found.by_span[others]) == 0).all()
    assert found.whole[1] > 0
    assert (found.by_span[1] > 0).all()
    assert found.spans[0][0] == 1
    assert found.spans[-1][1] == cohort.lengths.max()
    assert all(a[1] + 1 == b[0] for a, b in itertools.pairwise(found.spans))
    # Every span alone is diluted by the steps after it; the last has none.
    assert found.by_span[1, -1] > found.by_span[1, 0]


def test_what_comes_later_does_not_count_against_what_was_said_before() -> None:
    """A running mean errs only from the permuted span on, and the span's figure is of that."""
    cohort = load_cohort("simulated", students=150, seed=3)

    def running(values: Floats) -> Floats:
        seen = np.nan_to_num(values[:, :, 0]).cumsum(axis=1)
        return np.asarray(seen / np.arange(1, values.shape[1] + 1), np.float32)[:, :, None]

    first = np.zeros_like(cohort.observed)
    first[:, 0] = cohort.observed[:, 0]
    found = contribution(
        cohort,
        running,
        running(cohort.values),
        first[:, :, None],
        lambda predicted, actual: np.abs(predicted - actual),
        figure="mean absolute error",
    )
    assert found.by_span[0, 0] > 0
    assert np.isnan(found.by_span[0, 1:]).all()
