"""Paper B's simulated students: every kind of feature, five subjects, six semesters."""

import tracemalloc

import numpy as np
import pytest

from records.cohort import Cohort
from records.contract import Kind
from records.sources.semesters import simulate, simulate_cohort

SUBJECTS = ("mathematics", "chinese", "english", "physics", "chemistry")


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return simulate_cohort(4096, seed=7)


def column(cohort: Cohort, name: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return cohort.values[:, :, cohort.contract.feature_names.index(name)]


def test_the_papers_thousand_students_are_the_default() -> None:
    cohort = simulate_cohort()
    assert len(cohort) == 1000
    assert cohort.contract.targets.score.subjects == SUBJECTS


def test_the_same_seed_gives_the_same_students_whatever_the_chunk() -> None:
    whole = simulate_cohort(2500, seed=5).fingerprint()
    for chunk in (999, 2048, 5000):
        parts = list(simulate(2500, seed=5, chunk=chunk))
        assert Cohort.concatenate(parts).fingerprint() == whole


def test_memory_does_not_grow_with_the_number_of_students() -> None:
    def peak(students: int) -> int:
        tracemalloc.start()
        for _ in simulate(students, chunk=2048):
            pass
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    assert peak(40_000) < 1.2 * peak(6_000)


def test_values_keep_the_contract(cohort: Cohort) -> None:
    for position, feature in enumerate(cohort.contract.features):
        values = cohort.values[:, :, position]
        assert np.nanmin(values) >= feature.lower_bound
        assert np.nanmax(values) <= feature.upper_bound
        if feature.kind is not Kind.NUMERIC or feature.unit == "count":
            known = values[~np.isnan(values)]
            np.testing.assert_array_equal(known, known.round())
        if feature.kind is not Kind.NUMERIC:
            assert len(np.unique(known)) == feature.upper_bound + 1


def test_the_score_is_the_next_semesters_examinations(cohort: Cohort) -> None:
    for position, subject in enumerate(SUBJECTS):
        np.testing.assert_array_equal(
            cohort.score[:, :-1, position], column(cohort, subject)[:, 1:]
        )
    assert np.isnan(cohort.score[:, -1]).all()


def test_risk_is_a_mean_below_sixty_in_the_next_semester(cohort: Cohort) -> None:
    sat = ~np.isnan(cohort.score).all(axis=2)
    means = np.nanmean(cohort.score[sat], axis=1)
    np.testing.assert_array_equal(cohort.risk[sat], means < 60)
    assert np.isnan(cohort.risk[~sat]).all()
    assert 0.15 < np.nanmean(cohort.risk) < 0.30


def test_nobody_is_judged_after_the_last_semester_or_for_moving_away(cohort: Cohort) -> None:
    assert not cohort.eligible[:, -1].any()
    moved = cohort.lengths < 6
    assert 0.01 < moved.mean() < 0.10
    last = cohort.lengths[moved] - 1
    assert np.isnan(cohort.risk[moved, last]).all()


def test_courses_are_chosen_once_after_the_second_semester(cohort: Cohort) -> None:
    courses = column(cohort, "courses")
    assert (courses[:, :2][cohort.observed[:, :2]] == 0).all()
    chosen = courses[cohort.lengths == 6][:, 2:]
    assert (chosen > 0).all()
    assert (chosen == chosen[:, :1]).all()


def test_tutoring_goes_to_those_who_need_it(cohort: Cohort) -> None:
    tutored = column(cohort, "tutoring") == 1
    exam = column(cohort, "exam")
    assert np.nanmean(exam[tutored]) < np.nanmean(exam[~tutored & cohort.observed]) - 3


def test_some_persons_begin_again_with_a_later_intake(cohort: Cohort) -> None:
    persons, counts = np.unique(cohort.students, return_counts=True)
    again = persons[counts > 1]
    assert 0.03 < len(again) / len(persons) < 0.10
    for person in again[:30]:
        rows = np.nonzero(cohort.students == person)[0]
        assert len(np.unique(cohort.cohorts[rows])) == 2
        assert len(np.unique(cohort.audit["gender"][rows])) == 1
