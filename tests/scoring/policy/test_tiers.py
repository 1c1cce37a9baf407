"""What decides tiers: fixed thresholds, or capacity."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from records.contract import load_contract
from records.errors import ContractError
from records.learnt.calibration import Calibration
from scoring.policy.model import Policy, load_policy, policy_text
from scoring.policy.tiers import Tiers, tiers_of
from scoring.rounding import round_risk

PERIODS = 3
SHARES = np.linspace(0, 1, 201)
PLAIN = Policy(name="plain", version=1, contract="simulated")
BY_CAPACITY = PLAIN.model_copy(update={"capacity": {"high": 0.05, "moderate": 0.15}})
risks = hnp.arrays(
    np.float32, (4, PERIODS), elements=st.floats(0, 1, width=32) | st.just(float("nan"))
)


def spread_of(probability: np.ndarray) -> Calibration:
    periods = probability.shape[1]
    quantiles = np.quantile(probability, SHARES, axis=0).T
    return Calibration(
        learnt_on="made up",
        cohorts=(),
        records=(len(probability),) * periods,
        slope=(1.0,) * periods,
        offset=(0.0,) * periods,
        shares=tuple(SHARES),
        quantiles=tuple(map(tuple, quantiles)),
    )


def drawn(seed: int = 0) -> np.ndarray:
    """Probabilities that rise from period to period."""
    return np.random.default_rng(seed).beta(2, 8, (5000, PERIODS)) ** [1.2, 1.0, 0.8]


@given(risks)
def test_fixed_thresholds_are_the_policys_own(risk: np.ndarray) -> None:
    tiers = tiers_of(PLAIN, None)
    assert tiers.kind == "fixed"
    assert (tiers.decide(risk) == Tiers(PLAIN).decide(risk)).all()


def test_each_tier_holds_its_share_of_the_cohort_at_every_period() -> None:
    tiers = tiers_of(BY_CAPACITY, spread_of(drawn()))
    assert tiers.kind == "capacity"
    decided = tiers.decide(drawn())
    for tier, share in ((2, 0.05), (1, 0.15), (0, 0.8)):
        assert (decided == tier).mean(axis=0) == pytest.approx(share, abs=0.002)
    assert (np.diff(tiers.bounds(PERIODS)[2]) > 0).all()


@given(risks)
def test_by_capacity_a_higher_risk_is_never_a_lower_tier_and_bounds_are_of_the_upper(
    risk: np.ndarray,
) -> None:
    tiers = tiers_of(BY_CAPACITY, spread_of(drawn()))
    decided = tiers.decide(risk)
    assert ((decided == -1) == np.isnan(risk)).all()
    order = np.argsort(risk, axis=0)
    in_order = np.take_along_axis(decided, order, axis=0)
    for column in in_order.T:
        assert (np.diff(column[column >= 0]) >= 0).all()
    bounds = tiers.bounds(PERIODS)
    assert tiers.decide(bounds).tolist() == [[0] * PERIODS, [1] * PERIODS, [2] * PERIODS]
    assert (tiers.decide_rounded(round_risk(risk)) == decided).all()


def test_a_short_history_uses_the_thresholds_of_its_own_periods() -> None:
    tiers = tiers_of(BY_CAPACITY, spread_of(drawn()))
    risk = drawn(1)
    assert (tiers.decide(risk[:, :2]) == tiers.decide(risk)[:, :2]).all()


def test_capacity_without_a_spread_says_what_to_do() -> None:
    with pytest.raises(ContractError, match=r"\[capacity\].*train and export again"):
        tiers_of(BY_CAPACITY, None)
    assert Tiers(PLAIN).bounds(PERIODS).ravel().tolist() == [0, 0.4, 0.7]


@pytest.mark.parametrize(
    ("capacity", "why"),
    [
        ("high = 0.05", "'moderate' needs a share"),
        ("high = 0.05\nmoderate = 0.1\nlow = 0.5", "'low' is no tier above the lowest"),
        ("high = 0.6\nmoderate = 0.4", "must leave something"),
        ("high = 5\nmoderate = 15", "less than 1"),
    ],
)
def test_a_capacity_that_cannot_be_is_refused_by_line(
    tmp_path: Path, capacity: str, why: str
) -> None:
    text = policy_text("simulated").replace("[[tiers]]", f"[capacity]\n{capacity}\n\n[[tiers]]", 1)
    path = tmp_path / "policy.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ContractError, match=why) as caught:
        load_policy(path, load_contract("simulated"))
    assert "policy.toml:" in str(caught.value)
