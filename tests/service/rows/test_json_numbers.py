"""Numbers written by the column are those of the JSON encoder, one by one."""

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.rounding import DECIMALS, RISK_DECIMALS
from service.rows.json_numbers import _FEW_NUMBERS, Trajectories, risk_lists, written

unhurried = settings(deadline=None)
EDGES = [0.0, -0.0, -99.9999, -100.0, 999.9999, 1000.0, 1e300, -1e300, 123456.7891, np.nan]
NUMBERS = (
    st.floats(-101, 1001) | st.floats(allow_infinity=False, allow_nan=True) | st.sampled_from(EDGES)
)


def one_by_one(numbers: np.ndarray[tuple[int], np.dtype[np.float64]]) -> list[bytes]:
    return [msgspec.json.encode(number) for number in numbers.tolist()]


@unhurried
@given(st.lists(NUMBERS, max_size=40), st.booleans())
def test_columns_and_single_numbers_are_the_same_json(drawn: list[float], many: bool) -> None:
    with np.errstate(over="ignore", invalid="ignore"):
        numbers = np.array(drawn, np.float64).round(DECIMALS)
    numbers = numbers[~np.isinf(numbers)]
    if many:
        numbers = np.concatenate([numbers, np.full(_FEW_NUMBERS + 1, 61.5)])
    if len(numbers):
        assert written(numbers) == one_by_one(numbers)


@pytest.mark.parametrize("whole", [0, 7, -99, 61, 999])
def test_every_decimal_is_written_as_it_is_alone(whole: int) -> None:
    decimals = np.arange(10**DECIMALS) / 10**DECIMALS
    numbers = (whole + (decimals if whole >= 0 else -decimals)).round(DECIMALS)
    assert written(numbers) == one_by_one(numbers)


def points(risks: list[float]) -> bytes:
    shown = [(period, risk) for period, risk in enumerate(risks, 1) if not np.isnan(risk)]
    return b",".join([b'{"period":%d,"risk":%.6f}' % point for point in shown])


@unhurried
@given(
    rows=st.integers(1, 30),
    periods=st.integers(1, 120),
    missing=st.sampled_from([0.0, 0.1, 1.0]),
    seed=st.integers(0, 2**32 - 1),
)
def test_trajectories_are_those_of_single_risks(
    rows: int, periods: int, missing: float, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    risks = generator.choice([0, 1, 1e-6, 0.4, 0.999999, generator.random()], (rows, periods))
    risks = risks.round(RISK_DECIMALS)
    risks[generator.random(risks.shape) < missing] = np.nan
    lengths = generator.integers(1, periods + 1, rows).astype(np.int32)
    risks[np.arange(periods) >= lengths[:, None]] = np.nan
    # An assessed student has a risk after the last period.
    risks[np.isnan(risks[np.arange(rows), lengths - 1])] = np.nan

    last, trajectories = Trajectories(130).encode(risks, lengths)

    assert trajectories == [points(row) for row in risks.tolist()]
    latest = risks[np.arange(rows), lengths - 1]
    assert last == [b"null" if np.isnan(risk) else b"%.6f" % risk for risk in latest.tolist()]


def test_every_risk_is_written_as_it_is_alone() -> None:
    generator = np.random.default_rng(1)
    drawn = np.unique(np.concatenate([np.arange(20_000), generator.integers(0, 10**6, 80_000)]))
    millionths = np.concatenate([drawn, np.arange(0, 10**6 + 1, 1000)])
    risks = (millionths / 10**RISK_DECIMALS).round(RISK_DECIMALS)
    assert risk_lists(risks[None], np.array([len(risks)], np.int32)) == msgspec.json.encode(
        risks.tolist()
    )


@unhurried
@given(rows=st.integers(0, 12), periods=st.integers(0, 9), seed=st.integers(0, 2**32 - 1))
def test_lists_of_risks_are_as_long_as_their_histories(rows: int, periods: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    risks = generator.choice([0, 1, 2e-6, 0.4, 0.1234, generator.random()], (rows, periods))
    risks[generator.random((rows, periods)) < 0.3] = np.nan
    risks, sizes = (
        risks.round(RISK_DECIMALS),
        generator.integers(0, periods + 1, rows, dtype=np.int32),
    )
    expected = [row[:size] for row, size in zip(risks.tolist(), sizes.tolist(), strict=True)]
    assert b"[%b]" % risk_lists(risks, sizes) == msgspec.json.encode(expected)
