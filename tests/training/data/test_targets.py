"""Which steps count."""

from dataclasses import replace

import numpy as np
import pytest

from records.cohort import Cohort
from tests.training.small_cohort import PERIODS
from training.data.targets import (
    known_risk,
    known_score,
    last_known,
    risk_examples,
    score_examples,
    score_spread,
    usable,
)


def test_a_step_counts_when_it_is_eligible_and_its_outcome_known(cohort: Cohort) -> None:
    expected = cohort.eligible & np.isfinite(cohort.risk)
    np.testing.assert_array_equal(known_risk(cohort), expected)
    assert 0 < expected.sum() < cohort.eligible.sum()


def test_subjects_count_one_by_one(cohort: Cohort) -> None:
    known = known_score(cohort)
    assert not known[~cohort.eligible].any()
    assert (known[:, :, 0] != known[:, :, 1]).any()


def test_examples_hold_no_nan_target(cohort: Cohort) -> None:
    for examples in (risk_examples(cohort, PERIODS), score_examples(cohort, PERIODS)):
        assert np.isfinite(examples.target).all()
        assert examples.target.shape == examples.weight.shape


def test_weights_are_zero_where_a_step_does_not_count_and_one_on_average(cohort: Cohort) -> None:
    examples = score_examples(cohort, PERIODS)
    rows = known_score(cohort).any(axis=(1, 2))
    np.testing.assert_array_equal(examples.weight > 0, known_score(cohort)[rows])
    assert len(np.unique(examples.weight)) == 2
    assert examples.weight.mean() == pytest.approx(1, abs=1e-5)


def test_records_without_a_counting_step_are_no_examples(cohort: Cohort) -> None:
    eligible = cohort.eligible.copy()
    eligible[:5] = False
    examples = risk_examples(replace(cohort, eligible=eligible), PERIODS)
    assert len(examples.values) == known_risk(cohort)[5:].any(axis=1).sum()


def test_the_last_known_period_is_found() -> None:
    known = np.array([[True, False, True, False], [False] * 4, [True] * 4, [True] + [False] * 3])
    assert last_known(known).tolist() == [2, -1, 3, 0]


def test_a_record_is_usable_for_either_target(cohort: Cohort) -> None:
    blind = replace(cohort, risk=np.full_like(cohort.risk, np.nan))
    np.testing.assert_array_equal(usable(blind), known_score(cohort).any(axis=(1, 2)))
    blind = replace(cohort, score=np.full_like(cohort.score, np.nan))
    np.testing.assert_array_equal(usable(blind), known_risk(cohort).any(axis=1))


def test_the_spread_of_the_scores_is_over_the_steps_that_count(cohort: Cohort) -> None:
    mean, spread = score_spread(cohort)
    maths = cohort.score[:, :, 0][known_score(cohort)[:, :, 0]]
    assert (mean[0], spread[0]) == pytest.approx((maths.mean(), maths.std()), rel=1e-5)


def test_a_subject_that_does_not_vary_has_a_spread_of_one(cohort: Cohort) -> None:
    score = cohort.score.copy()
    score[:, :, 1] = np.nan
    _, spread = score_spread(replace(cohort, score=score))
    assert spread[1] == 1
