"""Load shapes stay between nothing and the peak, and mean what they are called."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.load.profiles import Profile, share_of_peak


@given(st.sampled_from(Profile), st.floats(0, 1))
def test_a_load_is_a_share_of_the_peak(profile: Profile, fraction: float) -> None:
    assert 0 < share_of_peak(profile, fraction) <= 1


@pytest.mark.parametrize("profile", [Profile.DAY, Profile.TERM_END, Profile.SPIKE])
def test_every_profile_but_the_soak_reaches_the_peak(profile: Profile) -> None:
    assert max(share_of_peak(profile, step / 100) for step in range(101)) == pytest.approx(1)


def test_a_spike_is_ten_times_what_is_around_it() -> None:
    before, during, after = (share_of_peak(Profile.SPIKE, at) for at in (0.3, 0.5, 0.8))
    assert during == pytest.approx(10 * before) == pytest.approx(10 * after)


def test_a_soak_never_changes() -> None:
    assert len({share_of_peak(Profile.SOAK, step / 50) for step in range(51)}) == 1
