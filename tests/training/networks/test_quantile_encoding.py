"""Quantile ramps: where a value lies among those of the training part, piece by piece."""

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.training.small_cohort import AID, HOURS, MARK, small_cohort
from training.networks.quantile_encoding import QuantileRamps, learn_edges

COHORT = small_cohort(200)
COLUMNS = [MARK, HOURS, AID]
EDGES = learn_edges(COHORT, COLUMNS, 5)
RAMPS = QuantileRamps(COLUMNS, EDGES)
MARKS = len(EDGES[0]) - 1


def encode(mark: float) -> list[float]:
    """Return the ramps of one mark, every other feature missing."""
    row = np.full((1, 1, 5), np.nan, np.float32)
    row[0, 0, MARK] = mark
    return [float(part) for part in np.asarray(RAMPS(row))[0, 0, :MARKS]]


def test_each_interval_holds_as_many_of_the_training_values() -> None:
    marks = COHORT.values[:, :, MARK][COHORT.observed]
    marks = marks[~np.isnan(marks) & (marks > EDGES[0][0]) & (marks < EDGES[0][-1])]
    counts = np.histogram(marks, EDGES[0])[0]
    assert counts.max() - counts.min() <= 0.1 * counts.sum()


def test_equal_quantiles_are_joined_and_what_does_not_vary_has_none() -> None:
    assert EDGES[2] == (0.0, 1.0)
    still = COHORT.values.copy()
    still[:, :, MARK] = np.where(np.isnan(still[:, :, MARK]), np.nan, np.float32(3))
    constant = COHORT.take(np.arange(len(COHORT)))
    constant.values[:] = still
    assert learn_edges(constant, [MARK, HOURS], 5)[0] == ()
    ramps = QuantileRamps([MARK, HOURS], learn_edges(constant, [MARK, HOURS], 5))
    assert np.asarray(ramps(still)).shape[-1] == 5


def test_a_missing_value_reaches_through_no_interval() -> None:
    assert encode(np.nan) == [0.0] * MARKS


@given(st.floats(-50, 50), st.floats(-50, 50))
def test_a_larger_value_reaches_further_and_the_intervals_in_order(
    one: float, other: float
) -> None:
    low, high = (encode(value) for value in sorted((one, other)))
    for each in (low, high):
        assert all(0 <= part <= 1 for part in each)
        # An interval is begun only where the one before is passed.
        assert all(before == 1 or after == 0 for before, after in itertools.pairwise(each))
    assert all(less <= more for less, more in zip(low, high, strict=True))


def test_the_layer_is_rebuilt_from_its_configuration() -> None:
    again = QuantileRamps.from_config(RAMPS.get_config())
    np.testing.assert_array_equal(
        np.asarray(again(COHORT.values)), np.asarray(RAMPS(COHORT.values))
    )
