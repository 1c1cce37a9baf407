"""In simulated terms the estimators find what was built in as often as their intervals claim."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from cases.effects.discontinuity import discontinuity
from cases.effects.figures import Estimate, detectable_effect
from cases.effects.randomised import Comparison, Drawn, compare, value_of
from cases.effects.simulated import SimulatedTerm, simulate_term

TERMS = 200
# 95% intervals over 200 terms: fewer than 180 or more than 199 hits would be a one in a thousand.
FEWEST, MOST = 180, 199


def terms(**keys: float) -> list[SimulatedTerm]:
    chance = np.random.default_rng(20261130)
    return [simulate_term(chance, **keys) for _ in range(TERMS)]  # type: ignore[arg-type]


def hits(estimates: list[Estimate], truth: float) -> int:
    return sum(one.low <= truth <= one.high for one in estimates)


@pytest.mark.parametrize("effect", [0.0, 0.3])
def test_the_discontinuity_covers_the_effect_at_the_bound(effect: float) -> None:
    found = []
    for term in terms(effect=effect, students=6000):
        one = discontinuity(term.risk, term.failed, 0.4, contacted=term.contacted)
        assert one is not None
        assert one.first_stage is not None
        found.append(one)
    covered = hits([one.effect for one in found], -effect / 2)
    assert FEWEST <= covered <= MOST
    followed = hits([one.first_stage for one in found if one.first_stage], 0.5)
    assert FEWEST <= followed <= MOST
    alarms = sum(one.density.p_value < 0.05 for one in found)
    assert alarms <= 22
    mean = float(np.mean([one.effect.value for one in found]))
    assert mean == pytest.approx(-effect / 2, abs=0.02)


_ESTIMATORS: dict[str, Callable[[Comparison], Estimate]] = {
    "difference": lambda one: one.difference,
    "ips": lambda one: one.ips,
    "snips": lambda one: one.snips,
    "doubly_robust": lambda one: one.doubly_robust,
}


@pytest.mark.parametrize("effect", [0.0, 0.25])
@pytest.mark.parametrize("estimator", sorted(_ESTIMATORS))
def test_randomised_comparisons_cover_the_difference(estimator: str, effect: float) -> None:
    found = []
    for term in terms(first_effect=effect, effect=0.1, students=1200):
        compared = compare(term.drawn)
        assert compared is not None
        found.append(_ESTIMATORS[estimator](compared))
    # Where the risk is small its lowering is cut off at 0, which the truth has to know of.
    truth = true_difference(effect)
    assert FEWEST <= hits(found, truth) <= MOST
    if effect == 0:
        assert sum(one.excludes_zero for one in found) <= 20


def true_difference(effect: float) -> float:
    """The mean over a large population of what following the first recommendation changes."""
    risk = np.random.default_rng(1).beta(2, 2.5, 2_000_000)
    seen = risk[risk >= 0.4]
    without = np.clip(seen - 0.1, 0, 1)
    return float(0.5 * (np.clip(seen - 0.1 - effect, 0, 1) - without).mean())


def test_the_doubly_robust_estimator_uses_what_is_known_before() -> None:
    narrower = [
        compared.doubly_robust.error < compared.difference.error
        for term in terms(students=1200)
        if (compared := compare(term.drawn))
    ]
    assert sum(narrower) > 0.9 * TERMS


def test_unequal_probabilities_are_weighted_away() -> None:
    chance = np.random.default_rng(5)
    found = []
    for _ in range(TERMS):
        worse = chance.random(1500) < 0.5
        share = np.where(worse, 0.8, 0.2)
        is_first = chance.random(1500) < share
        # The first is drawn for those who fail more often; it changes nothing.
        failed = (chance.random(1500) < np.where(worse, 0.6, 0.2)).astype(float)
        drawn = Drawn(is_first, share, failed, np.zeros((1500, 1)))
        compared = compare(drawn)
        assert compared is not None
        assert compared.difference.low > 0.1
        found.append(compared)
    for estimator in ("ips", "snips", "doubly_robust"):
        assert FEWEST <= hits([_ESTIMATORS[estimator](one) for one in found], 0.0) <= MOST


def test_the_value_of_another_rule_is_its_mean_outcome() -> None:
    chance = np.random.default_rng(6)
    found = []
    for _ in range(TERMS):
        share = chance.uniform(0.3, 0.7, 1000)
        is_first = chance.random(1000) < share
        outcome = (chance.random(1000) < np.where(is_first, 0.3, 0.6)).astype(float)
        found.append(value_of(outcome, is_first, share))
    assert FEWEST <= hits(found, 0.3) <= MOST


def test_a_split_that_was_helped_along_is_noticed() -> None:
    chance = np.random.default_rng(7)
    risk = chance.uniform(0.2, 0.6, 4000)
    moved = (risk > 0.36) & (risk < 0.4) & (chance.random(4000) < 0.5)
    risk[moved] += 0.04
    found = discontinuity(risk, (chance.random(4000) < risk).astype(float), 0.4)
    assert found is not None
    assert found.density.p_value < 0.001
    assert found.density.above > found.density.below


def test_too_few_students_give_no_estimate() -> None:
    few = np.linspace(0.3, 0.5, 40)
    assert discontinuity(few, np.zeros(40), 0.4) is None
    drawn = Drawn(np.arange(12) < 3, np.full(12, 0.5), np.zeros(12), np.zeros((12, 1)))
    assert compare(drawn) is None


def test_the_detectable_effect_is_that_of_the_text_books() -> None:
    assert detectable_effect(200, rate=0.3) == pytest.approx(0.128, abs=0.001)
    assert detectable_effect(1000, rate=0.3) == pytest.approx(0.0574, abs=0.0005)
    assert detectable_effect(0, rate=0.3) == math.inf
