"""Gradient boosting on everything known so far."""

from dataclasses import replace

import numpy as np
import pytest

from evaluation.metrics import risk_report, score_report
from records.cohort import Cohort
from tests.training.small_cohort import HOURS, MARK, small_cohort
from training.baselines import boosting
from training.baselines.boosting import (
    horizons,
    risk_boosting,
    risk_boosting_by_horizon,
    score_boosting,
    score_boosting_by_horizon,
)
from training.baselines.naive import score_mean
from training.data.parts import Parts
from training.data.targets import known_risk

PARTS = Parts(small_cohort(200), small_cohort(60, seed=1), small_cohort(80, seed=2))


def test_it_predicts_every_step_that_counts_and_no_other() -> None:
    baseline = risk_boosting(PARTS, 0)
    np.testing.assert_array_equal(
        np.isfinite(baseline.predict(PARTS.test, known_risk(PARTS.test))), known_risk(PARTS.test)
    )
    scores = score_boosting(PARTS, 0)
    assert scores is not None
    np.testing.assert_array_equal(
        np.isfinite(scores.predict(PARTS.test)).all(axis=2), PARTS.test.observed
    )


def test_it_is_far_better_than_guessing() -> None:
    report = risk_report(PARTS.test, risk_boosting(PARTS, 0).predict(PARTS.test))
    assert (report.last.auc or 0) > 0.8
    scores, mean = score_boosting(PARTS, 0), score_mean(PARTS, 0)
    assert scores is not None
    boosted = score_report(PARTS.test, scores.predict(PARTS.test)).overall.mae or np.inf
    assert boosted < 0.7 * (score_report(PARTS.test, mean.predict(PARTS.test)).overall.mae or 0)


def test_nothing_of_ineligible_steps_is_learnt() -> None:
    hidden = np.where(PARTS.train.eligible, PARTS.train.risk, np.float32(1))
    train = replace(PARTS.train, risk=hidden)
    np.testing.assert_array_equal(
        risk_boosting(replace(PARTS, train=train), 0).predict(PARTS.test),
        risk_boosting(PARTS, 0).predict(PARTS.test),
    )


def test_it_stops_by_the_validation_part() -> None:
    misleading = replace(PARTS.validation, risk=1 - PARTS.validation.risk)
    stopped = risk_boosting(replace(PARTS, validation=misleading), 0).predict(PARTS.test)
    sure = np.nanstd(risk_boosting(PARTS, 0).predict(PARTS.test))
    assert np.nanstd(stopped) < 0.8 * sure


def test_without_validation_steps_it_still_learns() -> None:
    blind = replace(PARTS.validation, risk=np.full_like(PARTS.validation.risk, np.nan))
    report = risk_report(
        PARTS.test, risk_boosting(replace(PARTS, validation=blind), 0).predict(PARTS.test)
    )
    assert (report.last.auc or 0) > 0.8


def test_a_subject_without_scores_has_no_boosting() -> None:
    score = PARTS.train.score.copy()
    score[:, :, 1] = np.nan
    assert score_boosting(replace(PARTS, train=replace(PARTS.train, score=score)), 0) is None


def test_large_cohorts_are_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boosting, "_MOST_STEPS", 100)
    predicted = risk_boosting(PARTS, 0).predict(PARTS.test)
    np.testing.assert_array_equal(risk_boosting(PARTS, 0).predict(PARTS.test), predicted)
    assert not np.array_equal(
        risk_boosting(PARTS, 1).predict(PARTS.test), predicted, equal_nan=True
    )


def test_features_never_observed_or_once_in_each_history_stop_nothing() -> None:
    def gappy(cohort: Cohort, hours: float) -> Cohort:
        values = cohort.values.copy()
        values[:, :, HOURS] = np.where(cohort.observed, hours, np.nan)
        values[:, 1:, MARK] = np.nan
        return replace(cohort, values=values)

    train, validation = gappy(PARTS.train, np.nan), gappy(PARTS.validation, np.nan)
    fitted = risk_boosting(Parts(train, validation, PARTS.test), 0)
    unseen = fitted.predict(gappy(PARTS.test, np.nan))
    np.testing.assert_array_equal(~np.isnan(unseen), PARTS.test.observed)
    # What training knew nothing of tells nothing when it appears.
    np.testing.assert_array_equal(fitted.predict(gappy(PARTS.test, 9.0)), unseen)
    assert score_boosting(Parts(train, validation, gappy(PARTS.test, np.nan)), 0) is not None


def test_each_horizon_is_tuned_and_predicted_by_its_own_model() -> None:
    parts = Parts(small_cohort(600), small_cohort(200, seed=1), small_cohort(300, seed=2))
    risk, scores = risk_boosting_by_horizon(parts, 0), score_boosting_by_horizon(parts, 0)
    assert scores is not None
    everywhere = risk.predict(parts.test)
    np.testing.assert_array_equal(np.isfinite(everywhere), parts.test.observed)
    assert (risk_report(parts.test, everywhere).last.auc or 0) > 0.8
    assert (score_report(parts.test, scores.predict(parts.test)).overall.r2 or 0) > 0.5
    # Blanking what comes later leaves what was said before.
    early = risk.predict(parts.test.at(2))
    np.testing.assert_array_equal(early[:, :2], everywhere[:, :2])


def test_horizons_grow_with_the_number_of_periods() -> None:
    assert horizons(5) == (1, 2, 3, 4, 5)
    assert horizons(14) == (1, 2, 3, 4, 5, 6, 14)
    assert horizons(39) == (4, 8, 12, 16, 39)
