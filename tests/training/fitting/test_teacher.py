"""The teacher: its word on a student comes from other students only."""

from dataclasses import replace

import numpy as np

from tests.training.small_cohort import small_cohort
from training.data.targets import known_risk
from training.fitting.teacher import out_of_fold_risk

COHORT = small_cohort(900, students=700)
COLUMNS = list(range(5))
TAUGHT = out_of_fold_risk(COHORT, COLUMNS, 3)


def test_every_step_with_a_known_outcome_is_taught_and_no_other() -> None:
    known = known_risk(COHORT)
    np.testing.assert_array_equal(np.isfinite(TAUGHT), known)
    assert np.nanmin(TAUGHT) > 0
    assert np.nanmax(TAUGHT) < 1


def test_what_it_says_tells_the_outcome() -> None:
    known = known_risk(COHORT)
    at_risk = COHORT.risk[known] > 0.5
    assert TAUGHT[known][at_risk].mean() - TAUGHT[known][~at_risk].mean() > 0.3


def test_a_students_own_outcomes_change_nothing_of_what_it_says_of_them() -> None:
    student = COHORT.students[np.flatnonzero(known_risk(COHORT).any(axis=1))[0]]
    own = COHORT.students == student
    turned = replace(COHORT, risk=np.where(own[:, None], 1 - COHORT.risk, COHORT.risk))
    again = out_of_fold_risk(turned, COLUMNS, 3)
    np.testing.assert_array_equal(again[own], TAUGHT[own])
    assert not np.array_equal(again[~own], TAUGHT[~own], equal_nan=True)


def test_one_outcome_among_the_others_is_what_it_says() -> None:
    known = known_risk(COHORT)
    nobody = replace(COHORT, risk=np.where(known, np.float32(0), np.float32(np.nan)))
    assert np.nanmax(out_of_fold_risk(nobody, COLUMNS, 3)) == 0
