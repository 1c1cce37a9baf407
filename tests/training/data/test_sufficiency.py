"""What is missing is said plainly."""

from dataclasses import replace

import numpy as np
import pytest

from records.cohort import Cohort
from records.errors import CohortError
from tests.training.small_cohort import AID, CONTRACT, HOURS, small_cohort
from training.data.parts import Parts
from training.data.statistics import learn_statistics
from training.data.sufficiency import (
    check_cohort,
    check_parts,
    check_statistics,
    missing_to_train,
    part_notes,
    thin_spots,
)
from training.data.targets import known_risk

PARTS = Parts(small_cohort(120), small_cohort(40, seed=1), small_cohort(60, seed=2))


def _without(cohort: Cohort, target: str) -> Cohort:
    return replace(cohort, **{target: np.full_like(getattr(cohort, target), np.nan)})


def test_a_good_cohort_passes(cohort: Cohort) -> None:
    check_cohort(cohort)
    check_parts(PARTS)
    assert check_statistics(learn_statistics(cohort), CONTRACT.feature_names) == []


def test_no_records(cohort: Cohort) -> None:
    with pytest.raises(CohortError, match="no records"):
        check_cohort(cohort.take([]))


def test_nobody_eligible(cohort: Cohort) -> None:
    with pytest.raises(CohortError, match="no eligible period"):
        check_cohort(replace(cohort, eligible=np.zeros_like(cohort.eligible)))


@pytest.mark.parametrize(
    ("target", "says"), [("risk", "known outcome"), ("score", "known next score")]
)
def test_no_known_target(cohort: Cohort, target: str, says: str) -> None:
    with pytest.raises(CohortError, match=says):
        check_cohort(_without(cohort, target))


@pytest.mark.parametrize(("outcome", "says"), [(0, "are not at risk"), (1, "are at risk")])
def test_one_class(outcome: int, says: str) -> None:
    train = replace(PARTS.train, risk=np.full_like(PARTS.train.risk, outcome))
    with pytest.raises(CohortError, match=says):
        check_parts(replace(PARTS, train=train))
    (line,) = missing_to_train(train)
    assert "column 'risk'" in line


@pytest.mark.parametrize(("outcome", "which"), [(1, "at risk"), (0, "not at risk")])
def test_too_few_of_one_outcome(outcome: int, which: str) -> None:
    risk = np.full_like(PARTS.train.risk, 1 - outcome)
    risk[[3, 5, 8]] = outcome
    eligible = PARTS.train.observed
    with pytest.raises(CohortError, match=f"only 3 students in the records are {which}"):
        check_cohort(replace(PARTS.train, risk=risk, eligible=eligible))
    few = replace(PARTS.test, risk=risk[:60], eligible=PARTS.test.observed)
    (note,) = [n for n in part_notes(replace(PARTS, test=few)) if "test records hold" in n]
    assert f"hold 3 students who are {which}" in note


def test_periods_in_which_few_count_are_named_together(cohort: Cohort) -> None:
    eligible = cohort.observed.copy()
    eligible[20:, 1:3] = False
    risk = cohort.risk.copy()
    risk[:, 4] = 1
    note, *_ = thin_spots(replace(cohort, eligible=eligible, risk=risk))
    assert note.startswith("week 2 to 3, 5: fewer than 30 of the records count there")


def test_intakes_with_few_students_or_one_outcome_are_named_in_one_note() -> None:
    cohort = small_cohort(400, cohorts=5)
    risk, names = cohort.risk.copy(), cohort.cohorts
    risk[names == "2003"] = np.where(np.isnan(risk[names == "2003"]), np.nan, 0)
    risk[names == "2005"] = np.where(np.isnan(risk[names == "2005"]), np.nan, 1)
    kept = (names != "2002") | (np.cumsum(names == "2002") <= 7)
    thin = replace(cohort, risk=risk).take(kept)
    (note,) = thin_spots(thin)
    counted = {
        name: len(set(thin.students[(names[kept] == name) & known_risk(thin).any(axis=1)]))
        for name in ("2002", "2003", "2005")
    }
    assert 1 < counted["2002"] <= 7
    assert note.startswith(
        f"cohort 2002 ({counted['2002']} students), 2003 ({counted['2003']} students, none at "
        f"risk), 2005 ({counted['2005']} students, all at risk): fewer than 30 students"
    )
    assert thin_spots(cohort) == []
    # One intake alone is described as the records that it is.
    assert thin_spots(thin.take(thin.cohorts == "2003"))[1:] == []
    many = small_cohort(120, cohorts=12)
    note = thin_spots(many)[-1]
    assert "and 6 more: fewer" in note


def test_thin_intakes_are_told_of_the_part_that_they_are_thin_in() -> None:
    test = replace(PARTS.test, cohorts=np.where(np.arange(60) < 4, "2009", "2010"))
    (note,) = [n for n in part_notes(replace(PARTS, test=test)) if "cohort 20" in n and "test" in n]
    assert note.startswith("cohort 2009 (4 students")
    assert "2010" not in note
    # A split by chance leaves few of each intake in the test part, and they are not judged apart.
    by_chance = replace(PARTS, test=PARTS.test.take(np.arange(40)))
    assert not [n for n in part_notes(by_chance) if n.startswith("cohort") and "test" in n]


def test_features_that_carry_nothing_are_told_before_training(cohort: Cohort) -> None:
    values = cohort.values.copy()
    values[:, :, HOURS] = np.where(cohort.observed, 3, np.nan)
    values[:, :, AID] = np.nan
    constant, unseen, *_ = thin_spots(replace(cohort, values=values))
    assert "'hours' has one and the same value" in constant
    assert "'aid' is never observed; fill its column" in unseen


def test_too_few_students_and_whatever_else_is_missing_in_one_message() -> None:
    train = PARTS.train.take(np.arange(20))
    parts = Parts(train, PARTS.validation, _without(PARTS.test, "score"))
    with pytest.raises(CohortError, match="only 20 students") as raised:
        check_parts(parts)
    assert "test records have no eligible period with a known next score" in str(raised.value)
    assert "(score_maths, score_reading)" in str(raised.value)


def test_many_records_of_few_students_are_few_students() -> None:
    with pytest.raises(CohortError, match="only 10 students"):
        check_parts(replace(PARTS, train=small_cohort(200, students=10)))


def test_features_that_carry_nothing_are_named(cohort: Cohort) -> None:
    values = cohort.values.copy()
    values[:, :, HOURS] = np.where(cohort.observed, 3, np.nan)
    values[:, :, AID] = np.nan
    learnt = learn_statistics(replace(cohort, values=values))
    constant, unseen = check_statistics(learnt, CONTRACT.feature_names)
    assert "'hours' has one and the same value" in constant
    assert "'aid' is never observed" in unseen


def test_no_variation_at_all(cohort: Cohort) -> None:
    values = np.where(cohort.observed[:, :, None], np.float32(1), np.float32(np.nan))
    still = replace(cohort, values=np.repeat(values, 5, axis=2))
    with pytest.raises(CohortError, match="no feature varies"):
        check_statistics(learn_statistics(still), CONTRACT.feature_names)
