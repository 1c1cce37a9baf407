"""Fences: learnt from the training records, the same when they flag."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from records.cohort import Cohort
from records.learnt.fences import Fences, learn_fences
from records.sources import semesters, simulated
from tests.records.strategies import cohorts


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return simulated.simulate_cohort(400, seed=1)


def test_fences_are_tukeys(cohort: Cohort) -> None:
    fences = learn_fences(cohort, reach=1.5)
    quiz = cohort.values[:, :, cohort.contract.feature_names.index("quiz")]
    first, third = np.nanpercentile(quiz, [25, 75])
    assert fences.lower["quiz"] == pytest.approx(first - 1.5 * (third - first))
    assert fences.upper["quiz"] == pytest.approx(third + 1.5 * (third - first))


def test_only_numeric_features_get_fences() -> None:
    fences = learn_fences(semesters.simulate_cohort(200))
    assert "homework" in fences.lower
    assert not {"classroom", "courses", "tutoring", "background"} & fences.lower.keys()


def test_a_feature_without_spread_or_values_gets_no_fence(cohort: Cohort) -> None:
    values = cohort.values.copy()
    observed = cohort.observed
    values[:, :, 0][observed] = 80
    values[:, :, 1] = np.nan
    fences = learn_fences(replace(cohort, values=values))
    assert set(fences.lower) == {"internal_marks", "quiz", "engagement"}


def test_what_lies_outside_is_flagged_and_nothing_else() -> None:
    fences = Fences(reach=3, lower={"quiz": 10}, upper={"quiz": 90})
    values = np.array([[9, 9], [10, 10], [90, 90], [91, 91], [np.nan, np.nan]], np.float32)
    flags = fences.flag_outliers(values, ("attendance", "quiz"))
    assert flags.tolist() == [[False, mark] for mark in (True, False, False, True, False)]
    # The same fences, asked about features in another order.
    flags = fences.flag_outliers(values, ("quiz", "attendance"))
    assert flags.tolist() == [[mark, False] for mark in (True, False, False, True, False)]


@given(cohort=cohorts(), reach=st.floats(0.5, 5))
@settings(max_examples=30, deadline=None)
def test_between_the_quartiles_nothing_is_outlying(cohort: Cohort, reach: float) -> None:
    fences = learn_fences(cohort, reach=reach)
    for name in fences.lower:
        column = cohort.contract.feature_names.index(name)
        values = cohort.values[:, :, column]
        first, third = np.nanpercentile(values, [25, 75])
        inner = values[(values >= first) & (values <= third)][:, None]
        assert not fences.flag_outliers(inner, (name,)).any()


def test_fences_survive_their_file_and_refuse_a_broken_one(cohort: Cohort) -> None:
    fences = learn_fences(cohort)
    assert Fences.model_validate_json(fences.model_dump_json()) == fences
    with pytest.raises(ValidationError, match="same features"):
        Fences(reach=3, lower={"quiz": 1}, upper={})


def test_fences_stay_equal_to_their_like_once_they_were_used() -> None:
    used, fresh, other = (
        Fences(reach=3.0, lower={"quiz": 1.0}, upper={"quiz": upper}) for upper in (9.0, 9.0, 8.0)
    )
    for fences in (used, fresh, other):
        fences.flag_outliers(np.zeros((1, 1), np.float32), ("quiz",))
    assert used == fresh
    assert used != other
