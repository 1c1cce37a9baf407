"""Pearson selection."""

from dataclasses import replace

import numpy as np
import pytest

from records.cohort import Cohort
from records.errors import CohortError
from tests.training.small_cohort import AID, HOURS, MARK, TRACK
from training.data.selection import pearson, select_features
from training.data.targets import known_score


def test_r_is_pearsons() -> None:
    a, b = np.array([1.0, 2, 3, 5]), np.array([1.0, 3, 2, 6])
    # Sums of squares 8.75 and 14, of products 10.
    assert pearson(a, b) == pytest.approx(10 / np.sqrt(8.75 * 14))
    assert pearson(a, -b) == pytest.approx(-10 / np.sqrt(8.75 * 14))


@pytest.mark.parametrize("values", [[], [1.0], [2.0, 2.0, 2.0]])
def test_r_of_what_does_not_vary_is_undefined(values: list[float]) -> None:
    other = np.arange(len(values), dtype=np.float64)
    assert pearson(np.array(values), other) is None
    assert pearson(other, np.array(values)) is None


def test_features_below_the_threshold_are_dropped_and_reported(cohort: Cohort) -> None:
    chosen = select_features(cohort, cohort.score, known_score(cohort), threshold=0.5)
    by_name = {feature.feature: feature for feature in chosen.features}
    assert chosen.columns is not None
    assert MARK in chosen.columns
    assert HOURS not in chosen.columns
    assert by_name["mark"].kept
    assert (by_name["mark"].r or 0) > 0.8
    assert not by_name["hours"].kept
    assert abs(by_name["hours"].r or 0) < 0.5


def test_without_a_threshold_all_are_read_and_still_reported(cohort: Cohort) -> None:
    chosen = select_features(cohort, cohort.score, known_score(cohort), threshold=None)
    assert chosen.columns is None
    assert all(feature.kept and feature.r is not None for feature in chosen.features)


def test_only_targets_that_count_are_correlated(cohort: Cohort) -> None:
    other = np.where(cohort.eligible[:, :, None], cohort.score, np.float32(-1000))
    known = known_score(cohort)
    assert select_features(cohort, other, known, threshold=0.5) == select_features(
        cohort, cohort.score, known, threshold=0.5
    )


def test_a_category_counts_by_its_strongest_level(cohort: Cohort) -> None:
    values = cohort.values.copy()
    best = np.nan_to_num(cohort.score[:, :, 0]) > 50
    # Middle level for the good ones: the code itself tells little, the level all.
    others = np.where(np.arange(len(cohort))[:, None] % 2, 0, 2)
    values[:, :, TRACK] = np.where(cohort.observed, np.where(best, 1, others), np.nan)
    told = replace(cohort, values=values)
    chosen = select_features(told, told.score, known_score(told), threshold=0.5)
    assert chosen.features[TRACK].kept


def test_a_feature_that_is_constant_or_never_observed_is_dropped(cohort: Cohort) -> None:
    values = cohort.values.copy()
    values[:, :, HOURS] = np.where(cohort.observed, 3, np.nan)
    values[:, :, AID] = np.nan
    still = replace(cohort, values=values)
    chosen = select_features(still, still.score, known_score(still), threshold=0.1)
    assert [chosen.features[i].r for i in (HOURS, AID)] == [None, None]
    assert not chosen.features[HOURS].kept


def test_nothing_left_says_what_to_do(cohort: Cohort) -> None:
    with pytest.raises(CohortError, match=r"0\.99.*lower the threshold"):
        select_features(cohort, cohort.score, known_score(cohort), threshold=0.99)
