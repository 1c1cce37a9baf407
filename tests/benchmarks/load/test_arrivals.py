"""Schedules keep their rate and know nothing of answers."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.load.arrivals import constant_arrivals, poisson_arrivals

RATES = st.floats(1, 2000)
LENGTHS = st.floats(0.1, 20)


@given(RATES, LENGTHS)
def test_constant_arrivals_are_evenly_spaced_at_the_rate(rate: float, seconds: float) -> None:
    times = constant_arrivals(rate, seconds)
    assert abs(len(times) - rate * seconds) <= 0.5 + 1e-6
    np.testing.assert_allclose(np.diff(times), 1 / rate, rtol=1e-6)


@given(RATES, LENGTHS, st.integers(0, 99))
def test_poisson_arrivals_ascend_within_the_schedule(
    rate: float, seconds: float, seed: int
) -> None:
    times = poisson_arrivals(rate, seconds, seed=seed)
    assert np.all(np.diff(times) >= 0)
    assert np.all((times >= 0) & (times < seconds))


def test_poisson_arrivals_have_the_gaps_of_a_poisson_process() -> None:
    gaps = np.diff(poisson_arrivals(1000, 50, seed=3))
    # Exponential gaps: mean and standard deviation are both the inverse of the rate.
    assert abs(gaps.mean() * 1000 - 1) < 0.02
    assert abs(gaps.std() * 1000 - 1) < 0.03


def test_equal_seeds_give_equal_schedules_and_others_do_not() -> None:
    first, again, other = (poisson_arrivals(100, 2, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
