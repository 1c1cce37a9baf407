"""Extreme records leave the training part, unless they are too many to be outliers."""

import numpy as np

from records.arrays import Floats
from records.cohort import Cohort
from records.learnt.fences import Fences
from tests.training.small_cohort import HOURS
from training.data.outliers import outlying_records, removable_records


def _fences(upper: float) -> Fences:
    return Fences(reach=3, lower={"hours": -1}, upper={"hours": upper})


def _highest(cohort: Cohort) -> Floats:
    return np.asarray(np.nan_to_num(cohort.values[:, :, HOURS]).max(axis=1))


def test_one_value_outside_its_fences_makes_a_record_outlying(cohort: Cohort) -> None:
    limit = float(np.sort(_highest(cohort))[-3])
    flagged = outlying_records(cohort, _fences(limit))
    np.testing.assert_array_equal(flagged, _highest(cohort) > np.float32(limit))
    assert flagged.sum() == 2


def test_few_outlying_records_are_removed(cohort: Cohort) -> None:
    limit = float(np.sort(_highest(cohort))[-3])
    removed, notes = removable_records(cohort, _fences(limit), limit=0.05)
    assert removed.sum() == 2
    assert not notes


def test_many_outlying_records_are_a_group_and_stay(cohort: Cohort) -> None:
    removed, notes = removable_records(cohort, _fences(5), limit=0.05)
    assert not removed.any()
    flagged = int(outlying_records(cohort, _fences(5)).sum())
    (note,) = notes
    assert note.startswith(f"{flagged} of 120 training records")
    assert "none was removed" in note
