"""What calibration and intervals are learnt on: never what the weights saw."""

import numpy as np
import pytest

from records.cohort import Cohort
from tests.training.small_cohort import small_cohort
from training.data.prepare import Prepared, prepare
from training.fitting.calibration_data import held_out_records
from training.settings import SplitSettings, TrainingSettings


def _prepared(cohort: Cohort, split: SplitSettings) -> Prepared:
    return prepare(cohort, TrainingSettings(split=split))


def test_a_split_by_chance_asks_the_served_network_about_its_validation_part(
    cohort: Cohort,
) -> None:
    prepared = _prepared(cohort, SplitSettings())
    (only,) = held_out_records(prepared)
    assert only.without is None
    assert only.cohort is prepared.parts.validation


def test_later_cohorts_that_validate_are_enough() -> None:
    prepared = _prepared(small_cohort(400, cohorts=5), SplitSettings(kind="temporal"))
    (only,) = held_out_records(prepared)
    assert only.name == "later cohorts of the validation part"
    assert min(only.cohort.cohorts.tolist()) > max(prepared.parts.train.cohorts.tolist())


def test_training_cohorts_are_left_out_in_turn_where_validation_is_of_the_same() -> None:
    prepared = _prepared(small_cohort(900, cohorts=3, students=700), SplitSettings(kind="temporal"))
    validating, *left_out = held_out_records(prepared)
    assert validating.without is None
    assert [one.name for one in left_out] == ["cohort 2001, left out", "cohort 2002, left out"]
    for one in left_out:
        assert one.without is not None
        parts = one.without.parts
        seen = np.union1d(parts.train.students, parts.validation.students)
        assert not np.isin(one.cohort.students, seen).any()
        assert set(one.cohort.cohorts).isdisjoint({*parts.train.cohorts, *parts.validation.cohorts})
        assert one.without.statistics != prepared.statistics


@pytest.mark.parametrize("records", [200])
def test_cohorts_too_small_to_tell_anything_are_not_left_out(records: int) -> None:
    prepared = _prepared(small_cohort(records, cohorts=3), SplitSettings(kind="temporal"))
    assert len(held_out_records(prepared)) == 1
