"""The latent processes that the simulated students are made of."""

import numpy as np

from records.sources.generative import (
    BLOCK,
    GROUP,
    INTAKES,
    autoregressive,
    first_departure,
    life_events,
    second_enrolments,
    slip_decimals,
)


def rng() -> np.random.Generator:
    return np.random.default_rng(1)


def test_the_process_stays_around_its_level_and_remembers() -> None:
    level = np.full(20_000, 2.0)
    path = autoregressive(rng(), level, np.zeros((20_000, 5)), memory=0.8, spread=0.6)
    np.testing.assert_allclose(path.mean(axis=0), 2.0, atol=0.05)
    np.testing.assert_allclose(path.std(axis=0), 1.0, atol=0.05)
    assert abs(np.corrcoef(path[:, 0], path[:, 1])[0, 1] - 0.8) < 0.02


def test_a_shock_lasts_and_fades() -> None:
    shocks = np.zeros((1, 4))
    shocks[0, 1] = -1.0
    path = autoregressive(rng(), np.zeros(1), shocks, memory=0.5, spread=1e-12)
    np.testing.assert_allclose(path, [[0, -1, -0.5, -0.25]], atol=1e-9)


def test_a_life_event_is_one_unbroken_stretch() -> None:
    events = life_events(rng(), 5000, 8, share=0.3, stay=0.5)
    begins = (events & ~np.pad(events, ((0, 0), (1, 0)))[:, :-1]).sum(axis=1)
    assert set(begins.tolist()) == {0, 1}
    assert abs(begins.mean() - 0.3) < 0.03


def test_who_leaves_attends_up_to_the_period_of_leaving() -> None:
    hazard = np.array([[0, 1, 0], [0, 0, 0], [1, 1, 1]], float)
    assert first_departure(rng(), hazard).tolist() == [2, 3, 1]


def test_a_slipped_decimal_is_a_tenth_and_rare() -> None:
    marks = slip_decimals(rng(), np.full((1000, 100), 80.0), share=0.01)
    assert set(np.unique(marks)) == {8.0, 80.0}
    assert abs((marks == 8).mean() - 0.01) < 0.002


def test_only_who_failed_and_can_come_back_enrols_again() -> None:
    failed = np.zeros(BLOCK, bool)
    intakes = np.zeros(BLOCK, np.int64)
    failed[[3, 5, GROUP + 2, 2 * GROUP - 1]] = True
    intakes[GROUP + 2] = INTAKES - 1
    again, first = second_enrolments(failed, intakes)
    assert again.tolist() == [GROUP - 1]
    assert first.tolist() == [3]
