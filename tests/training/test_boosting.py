"""Gradient boosting on everything known so far."""

from dataclasses import replace

import numpy as np
import pytest

from records.cohort import Cohort
from tests.training.small_cohort import HOURS, MARK, small_cohort
from training import boosting
from training.boosting import risk_boosting, score_boosting
from training.metrics import risk_report, score_report
from training.naive import score_mean
from training.parts import Parts
from training.targets import known_risk, known_score

PARTS = Parts(small_cohort(200), small_cohort(60, seed=1), small_cohort(80, seed=2))


def test_it_predicts_every_step_that_counts_and_no_other() -> None:
    baseline = risk_boosting(PARTS, 0)
    np.testing.assert_array_equal(np.isfinite(baseline.predicted), known_risk(PARTS.test))
    scores = score_boosting(PARTS, 0)
    assert scores is not None
    np.testing.assert_array_equal(np.isfinite(scores.predicted), known_score(PARTS.test))


def test_it_is_far_better_than_guessing() -> None:
    report = risk_report(PARTS.test, risk_boosting(PARTS, 0).predicted)
    assert (report.last.auc or 0) > 0.8
    scores, mean = score_boosting(PARTS, 0), score_mean(PARTS, 0)
    assert scores is not None
    boosted = score_report(PARTS.test, scores.predicted).overall.mae or np.inf
    assert boosted < 0.7 * (score_report(PARTS.test, mean.predicted).overall.mae or 0)


def test_nothing_of_ineligible_steps_is_learnt() -> None:
    hidden = np.where(PARTS.train.eligible, PARTS.train.risk, np.float32(1))
    train = replace(PARTS.train, risk=hidden)
    np.testing.assert_array_equal(
        risk_boosting(replace(PARTS, train=train), 0).predicted, risk_boosting(PARTS, 0).predicted
    )


def test_it_stops_by_the_validation_part() -> None:
    misleading = replace(PARTS.validation, risk=1 - PARTS.validation.risk)
    stopped = risk_boosting(replace(PARTS, validation=misleading), 0).predicted
    sure = np.nanstd(risk_boosting(PARTS, 0).predicted)
    assert np.nanstd(stopped) < 0.8 * sure


def test_without_validation_steps_it_still_learns() -> None:
    blind = replace(PARTS.validation, risk=np.full_like(PARTS.validation.risk, np.nan))
    report = risk_report(PARTS.test, risk_boosting(replace(PARTS, validation=blind), 0).predicted)
    assert (report.last.auc or 0) > 0.8


def test_a_subject_without_scores_has_no_boosting() -> None:
    score = PARTS.train.score.copy()
    score[:, :, 1] = np.nan
    assert score_boosting(replace(PARTS, train=replace(PARTS.train, score=score)), 0) is None


def test_large_cohorts_are_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boosting, "_MOST_STEPS", 100)
    predicted = risk_boosting(PARTS, 0).predicted
    np.testing.assert_array_equal(risk_boosting(PARTS, 0).predicted, predicted)
    assert not np.array_equal(risk_boosting(PARTS, 1).predicted, predicted, equal_nan=True)


def test_features_never_observed_or_once_in_each_history_stop_nothing() -> None:
    def gappy(cohort: Cohort, hours: float) -> Cohort:
        values = cohort.values.copy()
        values[:, :, HOURS] = np.where(cohort.observed, hours, np.nan)
        values[:, 1:, MARK] = np.nan
        return replace(cohort, values=values)

    train, validation = gappy(PARTS.train, np.nan), gappy(PARTS.validation, np.nan)
    unseen = risk_boosting(Parts(train, validation, gappy(PARTS.test, np.nan)), 0)
    np.testing.assert_array_equal(~np.isnan(unseen.predicted), known_risk(PARTS.test))
    # What training knew nothing of tells nothing when it appears.
    later = risk_boosting(Parts(train, validation, gappy(PARTS.test, 9.0)), 0)
    np.testing.assert_array_equal(later.predicted, unseen.predicted)
    assert score_boosting(Parts(train, validation, gappy(PARTS.test, np.nan)), 0) is not None
