"""Paper A's simulated students: reproducible, streamed, plausible and not trivial."""

import tracemalloc

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from records.cohort import Cohort
from records.errors import CohortError
from records.learnt.fences import learn_fences
from records.sources.simulated import simulate, simulate_cohort


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return simulate_cohort(4096, seed=7)


def test_the_same_seed_gives_the_same_students_whatever_the_chunk() -> None:
    whole = simulate_cohort(2500, seed=5).fingerprint()
    for chunk in (1000, 1024, 1500, 5000):
        parts = list(simulate(2500, seed=5, chunk=chunk))
        assert Cohort.concatenate(parts).fingerprint() == whole
        assert [len(part) for part in parts[:-1]] == [chunk] * (len(parts) - 1)


def test_asking_for_more_students_does_not_change_the_first() -> None:
    few, many = simulate_cohort(700, seed=5), simulate_cohort(2000, seed=5)
    assert many.take(np.arange(700)).fingerprint() == few.fingerprint()


def test_another_seed_gives_other_students() -> None:
    assert simulate_cohort(50, seed=1).fingerprint() != simulate_cohort(50, seed=2).fingerprint()


def test_memory_does_not_grow_with_the_number_of_students() -> None:
    def peak(students: int) -> int:
        tracemalloc.start()
        for _ in simulate(students, chunk=2048):
            pass
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    assert peak(60_000) < 1.2 * peak(6_000)


@pytest.mark.parametrize(
    ("students", "seed", "chunk", "name"),
    [(0, 0, 10, "students"), (10, -1, 10, "seed"), (10, 0, 0, "chunk")],
)
def test_arguments_out_of_range_are_refused_at_once(
    students: int, seed: int, chunk: int, name: str
) -> None:
    with pytest.raises(CohortError, match=f"`{name}` must be at least"):
        simulate(students, seed=seed, chunk=chunk)


def test_values_keep_the_contract(cohort: Cohort) -> None:
    for position, feature in enumerate(cohort.contract.features):
        values = cohort.values[:, :, position]
        assert np.nanmin(values) >= feature.lower_bound
        assert np.nanmax(values) <= feature.upper_bound


def test_a_sensible_share_is_at_risk_and_every_dropout_is(cohort: Cohort) -> None:
    risk = np.nanmax(cohort.risk, axis=1)
    left = cohort.lengths < 8
    assert 0.20 <= risk.mean() <= 0.30
    assert 0.02 <= left.mean() <= 0.15
    assert risk[left].all()
    np.testing.assert_array_equal(np.isnan(cohort.risk), ~cohort.observed)


def test_the_score_is_the_next_periods_mean_of_assignments_and_quizzes(cohort: Cohort) -> None:
    names = cohort.contract.feature_names
    assignments, quiz = (cohort.values[:, :, names.index(n)] for n in ("assignments", "quiz"))
    both = ~np.isnan(assignments[:, 1:]) & ~np.isnan(quiz[:, 1:])
    expected = (assignments[:, 1:] + quiz[:, 1:]) / 2
    np.testing.assert_allclose(cohort.score[:, :-1, 0][both], expected[both], rtol=1e-6)
    neither = np.isnan(assignments[:, 1:]) & np.isnan(quiz[:, 1:])
    np.testing.assert_array_equal(np.isnan(cohort.score[:, :-1, 0]), neither)
    assert np.isnan(cohort.score[:, -1]).all()


def test_internal_marks_exist_in_two_periods_only(cohort: Cohort) -> None:
    internal = cohort.values[:, :, cohort.contract.feature_names.index("internal_marks")]
    assert np.nonzero(~np.isnan(internal).all(axis=0))[0].tolist() == [2, 5]


def test_the_disengaged_miss_more(cohort: Cohort) -> None:
    names = cohort.contract.feature_names
    engagement = cohort.values[:, :, names.index("engagement")]
    missing = np.isnan(cohort.values[:, :, names.index("assignments")])
    low, high = np.nanpercentile(engagement, [25, 75])
    assert missing[engagement < low].mean() > 2 * missing[engagement > high].mean() > 0


def test_a_handful_of_values_lies_outside_the_fences(cohort: Cohort) -> None:
    fences = learn_fences(cohort)
    outlying = fences.flag_outliers(cohort.values, cohort.contract.feature_names).any(axis=(1, 2))
    assert 0 < outlying.mean() < 0.03


def test_some_persons_enrol_again_in_a_later_intake(cohort: Cohort) -> None:
    assert len(np.unique(cohort.cohorts)) == 5
    persons, counts = np.unique(cohort.students, return_counts=True)
    again = persons[counts == 2]
    assert 0.03 < len(again) / len(persons) < 0.10
    assert counts.max() == 2
    for person in again[:50]:
        rows = np.nonzero(cohort.students == person)[0]
        first, second = rows[np.argsort(cohort.cohorts[rows])]
        assert cohort.cohorts[first] < cohort.cohorts[second]
        assert np.nanmax(cohort.risk[first]) == 1
        assert cohort.audit["gender"][first] == cohort.audit["gender"][second]


def test_risk_is_seen_early_better_late_and_never_perfectly(cohort: Cohort) -> None:
    def auc(period: int) -> float:
        there = cohort.eligible[:, period - 1]
        sums = np.nansum(cohort.values[there, :period], axis=1)
        means = sums / np.maximum(1, (~np.isnan(cohort.values[there, :period])).sum(axis=1))
        scaled = (means - means.mean(axis=0)) / (means.std(axis=0) + 1e-9)
        outcome = cohort.risk[there, period - 1]
        half = len(outcome) // 2
        model = LogisticRegression().fit(scaled[:half], outcome[:half])
        return float(roc_auc_score(outcome[half:], model.predict_proba(scaled[half:])[:, 1]))

    early, late = auc(1), auc(8)
    assert 0.65 < early < 0.82
    assert 0.85 < late < 0.93
