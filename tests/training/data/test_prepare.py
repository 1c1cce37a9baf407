"""What is learnt before the networks is learnt from the training part alone."""

from dataclasses import replace

import numpy as np
import pytest

from records.cohort import Cohort
from tests.training.small_cohort import HOURS, MARK, small_cohort
from training.data.prepare import prepare
from training.settings import SplitSettings, TrainingSettings

SETTINGS = TrainingSettings(split=SplitSettings(kind="temporal"), score_selection=0.3)
COHORT = small_cohort(200)


def _changed(cohort: Cohort, rows: np.ndarray[tuple[int, ...], np.dtype[np.intp]]) -> Cohort:
    """Wreck values and targets of `rows`, without touching the stratification."""
    values, score = cohort.values.copy(), cohort.score.copy()
    values[rows, :, MARK] = np.where(np.isnan(values[rows, :, MARK]), np.nan, 20)
    values[rows, :, HOURS] *= 1000
    score[rows] = 100 - score[rows]
    return replace(cohort, values=values, score=score)


def test_changing_validation_and_test_records_changes_nothing_that_was_learnt() -> None:
    before = prepare(COHORT, SETTINGS)
    held = np.concatenate([before.split.validation, before.split.test])
    after = prepare(_changed(COHORT, held), SETTINGS)
    assert after.statistics == before.statistics
    assert after.fences.model_dump() == before.fences.model_dump()
    assert after.reference == before.reference
    assert after.selection == before.selection


def test_changing_training_records_changes_all_of_it() -> None:
    before = prepare(COHORT, SETTINGS)
    after = prepare(_changed(COHORT, before.split.train[::2]), SETTINGS)
    assert after.statistics != before.statistics
    assert after.fences.model_dump() != before.fences.model_dump()
    assert after.reference != before.reference
    assert after.selection != before.selection


def test_outlying_records_leave_the_training_part_only() -> None:
    divided = prepare(COHORT, SETTINGS).split
    rows = np.array([divided.train[0], divided.validation[0], divided.test[0]])
    values = COHORT.values.copy()
    values[rows, 0, HOURS] = 10_000
    spoiled = replace(COHORT, values=values)
    prepared = prepare(spoiled, SETTINGS)
    assert spoiled.ids[prepared.split.train[prepared.outlying]].tolist()[:1] == [
        COHORT.ids[rows[0]]
    ]
    assert COHORT.ids[rows[0]] not in prepared.parts.train.ids
    assert COHORT.ids[rows[1]] in prepared.parts.validation.ids
    assert COHORT.ids[rows[2]] in prepared.parts.test.ids
    # The fences and the reference still saw it, the statistics did not.
    assert max(prepared.statistics.maximum) < 10_000


def test_selection_is_off_unless_asked_for() -> None:
    prepared = prepare(COHORT, SETTINGS)
    assert prepared.selection["risk"].columns is None
    assert prepared.selection["score"].columns is not None
    assert MARK in prepared.selection["score"].columns


@pytest.mark.parametrize("limit", [0.0, 1.0])
def test_the_limit_of_outlying_records_is_a_setting(limit: float) -> None:
    wild = _changed(COHORT, np.arange(0, 200, 7))
    prepared = prepare(wild, SETTINGS.model_copy(update={"outlying_limit": limit}))
    assert bool(prepared.outlying.any()) == (limit == 1)
    assert any("outside" in note for note in prepared.notes) == (limit == 0)
