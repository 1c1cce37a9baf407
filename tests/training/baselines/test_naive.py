"""Naive baselines against numbers worked out by hand."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from records.arrays import Floats
from records.cohort import Cohort
from records.contract import Feature
from tests.training.small_cohort import MARK, small_cohort
from training.baselines.history_features import last_observed, mean_so_far
from training.baselines.naive import (
    risk_base_rate,
    risk_last_value,
    score_last,
    score_mean,
    score_mean_so_far,
)
from training.data.parts import Parts
from training.data.targets import known_risk, known_score
from training.model import Fitted

PARTS = Parts(small_cohort(120), small_cohort(40, seed=1), small_cohort(60, seed=2))


def test_the_base_rate_is_that_of_the_training_records_in_the_period() -> None:
    known = known_risk(PARTS.train)
    predicted = risk_base_rate(PARTS, 0).predict(PARTS.test, known_risk(PARTS.test))
    steps = known_risk(PARTS.test)
    np.testing.assert_array_equal(np.isnan(predicted), ~steps)
    for period in range(known.shape[1]):
        expected = PARTS.train.risk[:, period][known[:, period]].mean()
        assert predicted[:, period][steps[:, period]] == pytest.approx(expected, rel=1e-5)


def test_a_period_without_training_steps_gets_the_overall_rate() -> None:
    eligible = PARTS.train.eligible.copy()
    eligible[:, 4] = False
    train = replace(PARTS.train, eligible=eligible)
    predicted = risk_base_rate(replace(PARTS, train=train), 0).predict(PARTS.test)
    overall = train.risk[known_risk(train)].mean()
    assert predicted[:, 4][known_risk(PARTS.test)[:, 4]] == pytest.approx(overall, rel=1e-5)


def test_the_last_value_is_that_of_the_most_telling_feature() -> None:
    baseline = risk_last_value(PARTS, 0)
    assert baseline is not None
    assert baseline.reads == "mark"
    steps = known_risk(PARTS.test)
    predicted = baseline.predict(PARTS.test, steps)
    mark = last_observed(PARTS.test.values[:, :, MARK])
    seen = steps & ~np.isnan(mark)
    order = np.argsort(mark[seen])
    assert (np.diff(predicted[seen][order]) <= 0).all()
    assert len(np.unique(predicted[steps & np.isnan(mark)])) == 1


def test_without_a_telling_feature_there_is_no_last_value() -> None:
    values = np.where(np.isnan(PARTS.train.values), np.nan, np.float32(1))
    train = replace(PARTS.train, values=values.astype(np.float32))
    assert risk_last_value(replace(PARTS, train=train), 0) is None


def test_the_mean_is_by_subject() -> None:
    predicted = score_mean(PARTS, 0).predict(PARTS.test)
    for subject in range(2):
        known = known_score(PARTS.train)[:, :, subject]
        expected = PARTS.train.score[:, :, subject][known].mean()
        steps = known_score(PARTS.test)[:, :, subject]
        assert predicted[:, :, subject][steps] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("baseline", "carry"), [(score_last, last_observed), (score_mean_so_far, mean_so_far)]
)
def test_the_last_score_is_laid_over_the_range_of_the_target(
    baseline: Callable[[Parts, int], Fitted | None], carry: Callable[[Floats], Floats]
) -> None:
    found = baseline(PARTS, 0)
    assert found is not None
    assert found.reads == "maths: mark, reading: mark"
    # Marks go from 0 to 20, scores from 0 to 100.
    predicted = found.predict(PARTS.test)
    carried = carry(PARTS.test.values[:, :, MARK]) * 5
    for subject in range(2):
        steps = known_score(PARTS.test)[:, :, subject]
        seen = steps & ~np.isnan(carried)
        assert predicted[:, :, subject][seen] == pytest.approx(carried[seen], rel=1e-5)
        mean = PARTS.train.score[:, :, subject][known_score(PARTS.train)[:, :, subject]].mean()
        unseen = steps & np.isnan(carried)
        assert unseen.any()
        assert predicted[:, :, subject][unseen] == pytest.approx(mean, rel=1e-5)


def test_without_a_feature_of_known_range_there_is_no_last_score(cohort: Cohort) -> None:
    contract = cohort.contract
    unbounded = contract.model_copy(
        update={"features": (Feature(name="mark", label="Mark"), *contract.features[1:])}
    )
    parts = Parts(*(replace(part, contract=unbounded) for part in vars(PARTS).values()))
    # What is left has levels, or a range without an end.
    assert score_last(parts, 0) is None
