"""Splits: by student, stratified or in the order of time."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from records.cohort import Cohort
from records.errors import CohortError
from tests.training.small_cohort import small_cohort
from training.data.splits import Split, split, stratified_split, temporal_split
from training.data.targets import known_risk, last_known
from training.settings import SplitKind, SplitSettings

drawn_cohorts = st.builds(
    small_cohort,
    st.integers(180, 240),
    seed=st.integers(0, 1000),
    students=st.none() | st.integers(120, 160),
    cohorts=st.integers(2, 6),
)
seeds = st.integers(0, 2**32 - 1)


@settings(max_examples=30)
@given(
    cohort=drawn_cohorts,
    kind=st.sampled_from(["stratified-80-20", "stratified-70-15-15", "temporal"]),
    seed=seeds,
)
def test_no_student_is_on_two_sides_and_no_record_is_lost(
    cohort: Cohort, kind: SplitKind, seed: int
) -> None:
    parts = split(cohort, SplitSettings(kind=kind), seed=seed).parts()
    together = np.sort(np.concatenate(list(parts.values())))
    np.testing.assert_array_equal(together, np.arange(len(cohort)))
    sides = [set(cohort.students[parts[name]]) for name in ("train", "validation", "test")]
    assert all(sides)
    assert sum(map(len, sides)) == len(set.union(*sides))


@settings(max_examples=20)
@given(seed=seeds)
@pytest.mark.parametrize(
    ("kind", "shares"),
    [("stratified-80-20", (0.7, 0.1, 0.2)), ("stratified-70-15-15", (0.7, 0.15, 0.15))],
)
def test_each_part_has_its_share_of_the_students_and_of_those_at_risk(
    kind: SplitKind, shares: tuple[float, float, float], seed: int
) -> None:
    cohort = small_cohort(400, seed=3)
    divided = split(cohort, SplitSettings(kind=kind), seed=seed)
    outcome = cohort.risk[np.arange(400), last_known(known_risk(cohort))]
    overall = np.nanmean(outcome)
    for rows, share in zip((divided.train, divided.validation, divided.test), shares, strict=True):
        assert len(rows) == pytest.approx(400 * share, abs=2)
        # One student more or less in a part of forty is 2.5%.
        assert np.nanmean(outcome[rows]) == pytest.approx(overall, abs=0.03)


def test_the_seed_decides_who_is_where(cohort: Cohort) -> None:
    first, again, other = (
        stratified_split(cohort, validation=0.1, test=0.2, seed=seed) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first.test, again.test)
    assert not np.array_equal(first.test, other.test)


def _intakes(cohort: Cohort, divided: Split) -> list[list[str]]:
    return [
        np.unique(cohort.cohorts[rows]).tolist()
        for rows in (divided.train, divided.validation, divided.test)
    ]


def test_a_temporal_split_tests_on_the_latest_cohort(cohort: Cohort) -> None:
    divided = temporal_split(cohort)
    assert _intakes(cohort, divided) == [["2001", "2002"], ["2003"], ["2004"]]
    assert not divided.left_out.size


def test_with_many_cohorts_the_borders_come_near_the_shares() -> None:
    cohort = small_cohort(800, cohorts=20)
    divided = temporal_split(cohort)
    train, validation, test = _intakes(cohort, divided)
    assert max(train) < min(validation) <= max(validation) < min(test)
    assert len(divided.train) / 800 == pytest.approx(0.7, abs=0.04)
    assert len(divided.test) / 800 == pytest.approx(0.15, abs=0.04)


@pytest.mark.parametrize("cohorts", [2, 3])
def test_with_few_cohorts_earlier_students_validate(cohorts: int) -> None:
    cohort = small_cohort(120, cohorts=cohorts)
    divided = temporal_split(cohort)
    train, validation, test = _intakes(cohort, divided)
    assert test == [f"{2000 + cohorts}"]
    assert train == validation == [f"{2001 + i}" for i in range(cohorts - 1)]


def test_cohorts_can_be_named(cohort: Cohort) -> None:
    divided = temporal_split(cohort, validation=["2002"], test=["2003"])
    assert _intakes(cohort, divided) == [["2001"], ["2002"], ["2003"]]
    assert set(cohort.cohorts[divided.left_out]) == {"2004"}
    divided = temporal_split(cohort, test=["2003"])
    assert _intakes(cohort, divided) == [["2001", "2002"], ["2001", "2002"], ["2003"]]
    divided = temporal_split(cohort, validation=["2003"])
    assert _intakes(cohort, divided) == [["2001", "2002"], ["2003"], ["2004"]]


def test_a_returning_student_is_tested_and_leaves_no_trace_in_training() -> None:
    cohort = small_cohort(200, students=60)
    divided = temporal_split(cohort)
    tested = set(cohort.students[divided.test])
    assert set(cohort.students[divided.left_out]) & tested
    latest = np.flatnonzero(cohort.cohorts == "2004")
    np.testing.assert_array_equal(divided.test, latest)


def test_records_without_a_cohort_are_left_out_of_a_temporal_split(cohort: Cohort) -> None:
    names = cohort.cohorts.copy()
    names[:10] = ""
    divided = temporal_split(replace(cohort, cohorts=names))
    assert set(range(10)) <= set(divided.left_out)


@pytest.mark.parametrize(
    ("test", "validation", "says"),
    [
        (["1999"], [], "no eligible record"),
        (["2001"], [], "no cohort is left to train on"),
        (["2003"], ["2003"], "cannot validate and test"),
        ([], ["2004"], "no cohort comes after"),
    ],
)
def test_impossible_cohorts_are_refused(
    cohort: Cohort, test: list[str], validation: list[str], says: str
) -> None:
    with pytest.raises(CohortError, match=says):
        temporal_split(cohort, test=test, validation=validation)


def test_one_cohort_cannot_be_split_in_time() -> None:
    with pytest.raises(CohortError, match="at least two cohorts"):
        temporal_split(small_cohort(50, cohorts=1))


@pytest.mark.parametrize("students", [0, 1, 3, 5])
def test_too_few_students_are_refused_in_plain_words(cohort: Cohort, students: int) -> None:
    few = cohort.take(np.arange(students))
    with pytest.raises(CohortError, match="too few students"):
        stratified_split(few, validation=0.1, test=0.2, seed=0)


def test_a_stratum_of_one_student_does_not_stop_the_split(cohort: Cohort) -> None:
    risk = np.zeros_like(cohort.risk)
    risk[0] = 1
    divided = stratified_split(replace(cohort, risk=risk), validation=0.15, test=0.15, seed=0)
    assert len(divided.train) + len(divided.validation) + len(divided.test) == len(cohort)
