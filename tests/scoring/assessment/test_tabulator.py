"""No row of a batch influences another, to the last bit, under any policy."""

from dataclasses import fields, is_dataclass

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from records.arrays import Bools, Floats, Ints
from records.learnt.calibration import Calibration
from records.learnt.fences import Fences
from records.learnt.intervals import Intervals
from scoring.assessment.tabulator import Tabulator
from scoring.policy.model import Policy
from scoring.policy.recommender import Recommender
from scoring.policy.tiers import Tiers, tiers_of
from scoring.runtime.scorer import Scores
from tests.scoring.school import CONTRACT, PERIODS, REFERENCE, policies, students

SUBJECTS = 2
BOUNDS = [0, -0.0, 0.4, 0.7, 0.3999995, 0.39999949, 1, 1e-9]
FENCES = Fences(reach=3, lower={"mark": 20.0, "late": -1e60}, upper={"mark": 90.0, "late": 20.0})
unhurried = settings(deadline=None, max_examples=150)


def by_capacity(policy: Policy) -> Tiers:
    shares = np.linspace(0, 1, 11)
    spread = Calibration(
        learnt_on="made up",
        cohorts=(),
        records=(100,) * PERIODS,
        slope=(1.0,) * PERIODS,
        offset=(0.0,) * PERIODS,
        shares=tuple(shares),
        quantiles=tuple(tuple(shares ** (1 + period / 3)) for period in range(PERIODS)),
    )
    capacity = {"high": 0.2, "moderate": 0.5}
    return tiers_of(policy.model_copy(update={"capacity": capacity}), spread)


def intervals(generator: np.random.Generator) -> Intervals:
    widths = generator.choice([0, 0.00004, 0.5, 7.25, 200], (PERIODS, SUBJECTS))
    return Intervals(
        coverage=0.9,
        learnt_on="made up",
        subjects=("maths", "music"),
        minimum=float(generator.choice([-1e-5, 0.0, 20.0])),
        maximum=80.5,
        scores=((1,) * SUBJECTS,) * PERIODS,
        half_width=tuple(map(tuple, widths.tolist())),
    )


def scores(generator: np.random.Generator, rows: int, silent: float) -> Scores:
    """Models that say anything, in numbers that lie on bounds, or nothing."""
    shape = (rows, PERIODS)
    risk = np.where(
        generator.random(shape) < 0.5, generator.choice(BOUNDS, shape), generator.random(shape)
    )
    score = generator.choice([-1e-5, 1e-5, 0, 50.00005, -3, 3e38, np.inf], (*shape, SUBJECTS))
    score = np.where(
        generator.random(score.shape) < 0.5, generator.uniform(0, 99, score.shape), score
    )
    risk[generator.random(shape) < silent] = np.nan
    score[generator.random(score.shape) < silent] = np.nan
    return Scores(risk.astype(np.float32), score.astype(np.float32))


def assert_same(one: object, other: object) -> None:
    """Compare tables and arrays, tables within them too; -0.0 is not 0.0."""
    if is_dataclass(one):
        assert type(one) is type(other), (one, other)
        for field in fields(one):
            assert_same(getattr(one, field.name), getattr(other, field.name))
    elif isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        assert (one.dtype, one.shape) == (other.dtype, other.shape)
        np.testing.assert_array_equal(one, other)
        if one.dtype.kind == "f":
            real = ~np.isnan(one)
            np.testing.assert_array_equal(np.signbit(one[real]), np.signbit(other[real]))
    else:
        assert one is other is None


@st.composite
def asked(draw: st.DrawFn, rows: int) -> tuple[bool | Bools, NDArray[np.int8] | None]:
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    some: Bools = generator.random(rows) < 0.5
    origins = generator.integers(0, 4, rows).astype(np.int8)
    recommendations = st.booleans() | st.just(some)
    return draw(recommendations), draw(st.none() | st.just(origins))


@unhurried
@given(
    policies(),
    students(),
    st.integers(1, 3),
    st.sampled_from([0.0, 0.25, 1 / 3, 0.7, 1.0]),
    st.sampled_from([0.0, 0.2, 1.0]),
    st.integers(0, 2**32 - 1),
    st.data(),
)
def test_a_student_alone_gets_what_the_batch_gets_to_the_last_bit(  # noqa: PLR0917 - each is drawn
    policy: Policy,
    batch: tuple[Floats, Ints, NDArray[np.int8]],
    periods: int,
    share: float,
    silent: float,
    seed: int,
    data: st.DataObject,
) -> None:
    generator = np.random.default_rng(seed)
    values, lengths, _ = batch
    minimum = policy.minimum.model_copy(update={"periods": periods, "share": share})
    policy = policy.model_copy(update={"minimum": minimum})
    tabulator = Tabulator(
        policy,
        by_capacity(policy) if data.draw(st.booleans()) else tiers_of(policy, None),
        Recommender(policy, CONTRACT, REFERENCE),
        CONTRACT,
        fences=FENCES,
        intervals=intervals(generator) if data.draw(st.booleans()) else None,
    )
    recommendations, reference = data.draw(asked(len(values)))
    scored = scores(generator, len(values), silent)
    together = tabulator.tabulate(
        values, lengths, scored, recommendations=recommendations, reference=reference
    )
    for row in range(len(values)):
        own = slice(row, row + 1)
        alone = tabulator.tabulate(
            values[own],
            lengths[own],
            Scores(scored.risk[own], scored.score[own]),
            recommendations=recommendations
            if isinstance(recommendations, bool)
            else recommendations[own],
            reference=None if reference is None else reference[own],
        )
        assert_same(alone, together.part(row, row + 1))
