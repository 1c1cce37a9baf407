"""Percentiles, goodput and the four outcomes are counted apart."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from benchmarks.load.outcomes import Outcome, Samples, outcome_of, percentile, summarise

LATENCIES = hnp.arrays(np.float64, st.integers(1, 200), elements=st.floats(0, 100))


@given(LATENCIES, st.floats(0.1, 100))
def test_a_percentile_is_the_smallest_latency_that_enough_do_not_exceed(
    values: NDArray[np.float64], percent: float
) -> None:
    found = percentile(values, percent)
    assert found in values
    assert np.mean(values <= found) >= percent / 100 - 1e-9
    below = values[values < found]
    if below.size:
        assert np.mean(values <= below.max()) < percent / 100 + 1e-9


def test_nobody_answered_means_no_percentile() -> None:
    assert math.isnan(percentile(np.array([]), 99))


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, Outcome.ANSWERED),
        (204, Outcome.ANSWERED),
        (429, Outcome.REFUSED),
        (503, Outcome.REFUSED),
        (400, Outcome.FAILED),
        (500, Outcome.FAILED),
        (504, Outcome.FAILED),
        (0, Outcome.UNANSWERED),
    ],
)
def test_refusals_are_no_failures(status: int, outcome: Outcome) -> None:
    assert outcome_of(status) is outcome


@given(
    st.lists(st.tuples(st.sampled_from(Outcome), st.floats(0, 2)), min_size=1, max_size=100),
    st.floats(0, 2),
)
def test_every_request_is_counted_once(
    requests: list[tuple[Outcome, float]], deadline: float
) -> None:
    outcomes = np.array([outcome for outcome, _ in requests], np.int8)
    latency = np.array([seconds for _, seconds in requests])
    zeros = np.zeros(len(requests))
    seen = summarise(Samples(zeros, latency, zeros, outcomes, seconds=4.0), deadline=deadline)
    assert seen.offered == len(requests) / 4
    others = (seen.refused + seen.failed + seen.unanswered) * seen.offered
    assert math.isclose(seen.answered + others, seen.offered)
    in_time = sum(o is Outcome.ANSWERED and s <= deadline for o, s in requests)
    assert seen.goodput == in_time / 4


def test_fast_refusals_do_not_improve_the_latency_of_answers() -> None:
    latency = np.array([0.5, 0.001, 0.001, 0.001])
    outcomes = np.array([Outcome.ANSWERED, *[Outcome.REFUSED] * 3], np.int8)
    seen = summarise(Samples(latency, latency, latency, outcomes, seconds=1.0), deadline=1.0)
    assert seen.p50 == 500
    assert seen.refused == 0.75
