"""The paired bootstrap: luck and skill are separated, with either model first."""

from dataclasses import replace
from time import perf_counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.bootstrap import BootstrapError, draws, paired_bootstrap
from evaluation.predictions import Predictions
from evaluation.weighted import RISK_FIGURES, SCORE_FIGURES


def _predictions(
    students: int = 80, periods: int = 3, *, seed: int = 0, noise: float = 0.4
) -> Predictions:
    """Draw outcomes and two models; `other` sees the truth through more noise."""
    random = np.random.default_rng(seed)
    people = np.repeat(np.arange(students), periods)
    truth = np.repeat(random.random(students) < 0.4, periods)
    ids = np.array([f"s{number:05d}" for number in people])

    def model(spread: float) -> np.ndarray:
        seen = 0.3 + 0.4 * truth + random.normal(0, spread, len(people))
        return np.clip(seen, 0.01, 0.99).astype(np.float32)

    return Predictions(
        target="risk",
        ids=ids,
        students=ids,
        cohorts=np.full(len(people), "2001"),
        periods=np.tile(np.arange(1, periods + 1, dtype=np.int32), students),
        subjects=np.full(len(people), ""),
        actual=truth.astype(np.float32),
        models={"network": model(0.1), "other": model(noise)},
    )


@given(st.sampled_from([*RISK_FIGURES]), st.integers(0, 10_000))
@settings(max_examples=30)
def test_equal_models_do_not_differ(figure: str, seed: int) -> None:
    found = _predictions(30, seed=seed)
    twins = Predictions(
        **{
            **vars(found),
            "models": {"network": found.models["other"], "twin": found.models["other"]},
        }
    )
    result = paired_bootstrap(twins, figure=figure, resamples=20, seed=seed)
    for difference in [*result.horizons.values(), result.mean]:
        if difference is not None:
            assert difference.low == difference.difference == difference.high == 0


@given(st.sampled_from([*RISK_FIGURES]), st.integers(0, 10_000))
@settings(max_examples=30)
def test_changing_places_changes_the_sign_and_nothing_else(figure: str, seed: int) -> None:
    predictions = _predictions(40, seed=seed)
    there = paired_bootstrap(
        predictions, figure=figure, model="network", against=["other"], resamples=50
    )
    back = paired_bootstrap(
        predictions, figure=figure, model="other", against=["network"], resamples=50
    )
    for mine, other in zip(there.horizons.values(), back.horizons.values(), strict=True):
        assert (mine is None) == (other is None)
        if mine is not None and other is not None:
            assert (mine.low, mine.high) == pytest.approx((-other.high, -other.low), abs=1e-9)


def test_a_better_model_is_found_better_and_the_best_other_is_chosen() -> None:
    found = _predictions(300)
    worse = np.full(len(found), 0.4, np.float32)
    three = replace(found, models={**found.models, "flat": worse})
    for figure, sign in (("auc", 1), ("brier", -1)):
        result = paired_bootstrap(three, figure=figure, resamples=200)
        assert result.less_is_better == (sign < 0)
        for difference in [*result.horizons.values(), result.mean]:
            assert difference is not None
            assert difference.against == "other" if figure == "auc" else difference.against
            assert min(sign * difference.low, sign * difference.high) > 0
    assert (
        paired_bootstrap(three, figure="auc", resamples=20).mean
        == paired_bootstrap(three, figure="auc", resamples=20).mean
    )


def test_a_student_is_drawn_with_all_records_and_horizons() -> None:
    one = _predictions(100, periods=1, noise=0.3)
    many = _predictions(100, periods=1, noise=0.3)
    # Every step twenty times, under one student: nothing new was seen.
    times = np.tile(np.arange(len(one)), 20)
    many = many.take(times)
    once = paired_bootstrap(one, figure="brier", resamples=300).mean
    again = paired_bootstrap(many, figure="brier", resamples=300).mean
    assert once is not None
    assert again is not None
    assert (again.low, again.high) == pytest.approx((once.low, once.high))


def test_draws_are_seeded_and_of_full_size() -> None:
    first = np.concatenate(list(draws(7, 250, 3)))
    assert first.shape == (250, 7)
    assert (first.sum(axis=1) == 7).all()
    np.testing.assert_array_equal(first, np.concatenate(list(draws(7, 250, 3))))
    assert (first != np.concatenate(list(draws(7, 250, 4)))).any()


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    """The means of two unbiased guesses differ by 0; 95% intervals hold 0 in most samples."""
    covered = 0
    for seed in range(100):
        random = np.random.default_rng(seed)
        found = _predictions(120, 1, seed=seed)
        noise = [random.normal(50, 10, len(found)).astype(np.float32) for _ in range(3)]
        models = {"network": noise[1], "other": noise[2]}
        scores = replace(found, target="score", actual=noise[0], models=models)
        mean = paired_bootstrap(scores, figure="mae", resamples=200, seed=seed).mean
        assert mean is not None
        covered += mean.low <= 0 <= mean.high
    assert 88 <= covered <= 100


def test_what_is_not_there_is_named() -> None:
    predictions = _predictions(10)
    for options, says in (
        ({"figure": "mae"}, "no figure is named 'mae'; there are false_negative_rate"),
        ({"figure": "auc", "model": "lstm"}, "no model is named 'lstm'; there are network, other"),
        ({"figure": "auc", "horizons": [2, 9]}, "no row counts at 9"),
        ({"figure": "auc", "against": []}, "nothing to compare with"),
    ):
        with pytest.raises(BootstrapError, match=says):
            paired_bootstrap(predictions, **options)
    assert set(SCORE_FIGURES) == {"mae", "rmse", "r2"}


def test_a_thousand_draws_of_seven_thousand_students_take_seconds() -> None:
    predictions = _predictions(7000, periods=4)
    start = perf_counter()
    paired_bootstrap(predictions, figure="auc", resamples=1000)
    assert perf_counter() - start < 60  # about 3 s on two shared cores
