"""Intervals of the score forecast: the coverage that was promised."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from records.cohort import Cohort
from tests.training.small_cohort import PERIODS, small_cohort
from training.fitting.calibration_data import HeldOutPredictions
from training.fitting.intervals import half_width, learn_intervals, with_coverage

SUBJECTS = 2


def scored(records: int, seed: int, spread: float = 10.0) -> Cohort:
    """A cohort in which every score is known and lies around 50, later periods further away."""
    drawn = np.random.default_rng(seed).normal(0, 1, (records, PERIODS, SUBJECTS))
    far = spread * np.linspace(0.5, 1.5, PERIODS)[None, :, None]
    cohort = small_cohort(records, seed=seed)
    return replace(
        cohort,
        lengths=np.full(records, PERIODS, np.int32),
        eligible=np.ones((records, PERIODS), bool),
        score=np.clip(50 + far * drawn, 0, 100).astype(np.float32),
    )


def around_fifty(cohort: Cohort) -> HeldOutPredictions:
    return HeldOutPredictions(np.full(cohort.score.shape, 50, np.float32), cohort, "some")


@settings(max_examples=60)
@given(
    count=st.integers(11, 400), coverage=st.sampled_from([0.5, 0.8, 0.9]), seed=st.integers(0, 999)
)
def test_the_half_width_is_the_order_statistic_of_the_theorem(
    count: int, coverage: float, seed: int
) -> None:
    actual = np.random.default_rng(seed).normal(0, 10, count)
    wide = half_width(np.zeros(count), actual, coverage=coverage, otherwise=1e9)
    rank = int(np.ceil(round((count + 1) * coverage, 9)))
    assert wide == pytest.approx(np.sort(np.abs(actual))[rank - 1])


def test_exchangeable_scores_are_held_as_often_as_the_law_says() -> None:
    # Lei et al. 2018, theorem 2.2: coverage <= P <= coverage + 1 / (n + 1), over all draws.
    count, coverage, rounds = 50, 0.9, 4000
    drawn = np.random.default_rng(0).standard_t(3, (rounds, count + 1))
    held = [
        abs(row[-1]) <= half_width(np.zeros(count), row[:-1], coverage=coverage, otherwise=1e9)
        for row in drawn[:400]
    ]
    # The theorem's own order statistic for the other rounds, which MAPIE was just proven to give.
    rank = int(np.ceil((count + 1) * coverage))
    widths = np.sort(np.abs(drawn[:, :-1]), axis=1)[:, rank - 1]
    share = float((np.abs(drawn[:, -1]) <= widths).mean())
    error = 4 * np.sqrt(coverage * (1 - coverage) / rounds)
    assert coverage - error <= share <= coverage + 1 / (count + 1) + error
    assert np.mean(held) == pytest.approx(share, abs=0.06)


def test_too_few_scores_promise_nothing_but_the_whole_range() -> None:
    assert half_width(np.zeros(10), np.ones(10), coverage=0.9, otherwise=100) == 100
    assert half_width(np.zeros(11), np.ones(11), coverage=0.9, otherwise=100) == pytest.approx(1)


def test_each_period_gets_the_width_that_it_needs_and_keeps_its_promise() -> None:
    learnt = learn_intervals(around_fifty(scored(3000, 1)))
    widths = np.array(learnt.half_width)
    assert (np.diff(widths, axis=0) > 0).all()
    other = scored(3000, 2)
    measured = with_coverage(learnt, around_fifty(other).predicted, other)
    assert list(measured.measured) == list(range(1, PERIODS + 1))
    assert np.array(list(measured.measured.values())) == pytest.approx(0.9, abs=0.02)
    assert measured.measured_overall == pytest.approx(0.9, abs=0.01)


def test_thin_periods_are_pooled_with_their_neighbours() -> None:
    cohort = scored(300, 3)
    known = cohort.eligible.copy()
    known[3:, PERIODS - 1] = False
    learnt = learn_intervals(around_fifty(replace(cohort, eligible=known)))
    assert learnt.scores[-1] == (3, 3)
    assert 10 < learnt.half_width[-1][0] < 40


def test_ends_stay_within_the_range_of_the_score() -> None:
    learnt = learn_intervals(around_fifty(scored(500, 4)))
    forecast = np.array([[1.0, 50.0], [99.0, np.nan]])
    low, high = learnt.around(forecast, np.array([1, PERIODS]))
    assert low[0, 0] == 0
    assert high[1, 0] == 100
    assert np.isnan([low[1, 1], high[1, 1]]).all()
    assert (low[0, 1], high[0, 1]) == (
        pytest.approx(50 - learnt.half_width[0][1]),
        pytest.approx(50 + learnt.half_width[0][1]),
    )
