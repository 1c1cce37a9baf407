"""Time and memory, measured."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from report.complexity import growth, measure_all, table


@given(exponent=st.floats(0.2, 3.5), factor=st.floats(1e-6, 10))
def test_growth_recovers_the_exponent_of_a_power(exponent: float, factor: float) -> None:
    sizes = np.array([100, 200, 500, 1000])
    seconds = factor * sizes.astype(float) ** exponent
    assert growth(sizes.tolist(), seconds.tolist()) == pytest.approx(exponent, abs=1e-6)


def test_a_real_fit_is_measured_in_a_process_of_its_own() -> None:
    told: list[tuple[int, int]] = []
    (one,) = measure_all(["ridge"], [120], [3], progress=lambda _, *step: told.append(step))
    assert told == [(0, 1), (1, 1)]
    assert one.fit_seconds > 0
    assert one.microseconds > 0
    assert one.megabytes >= 0
    assert table([one]).rows[0][:3] == ("ridge", 120, 3)
