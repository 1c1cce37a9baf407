"""Metrics against numbers worked out by hand."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from evaluation.csv_tables import csv_tables
from evaluation.metrics import (
    risk_figures,
    risk_report,
    run_metrics,
    score_figures,
    score_report,
)
from records.cohort import Cohort
from report.figures.drawing import specification
from report.figures.score import by_subject
from report.tables import subject_tables
from tests.training.small_cohort import PERIODS
from training.data.targets import known_risk, known_score


def test_risk_figures_by_hand() -> None:
    outcome = np.array([1, 1, 1, 0, 0, 0, 0, 0])
    probability = np.array([0.9, 0.5, 0.2, 0.6, 0.4, 0.3, 0.1, 0.1])
    figures = risk_figures(outcome, probability)
    confusion = figures.confusion
    assert (confusion.true_positive, confusion.false_negative) == (2, 1)
    assert (confusion.false_positive, confusion.true_negative) == (1, 4)
    assert (figures.records, figures.base_rate) == (8, 3 / 8)
    assert figures.accuracy == 6 / 8
    assert figures.precision == figures.recall == pytest.approx(2 / 3)
    assert figures.f1 == pytest.approx(2 / 3)
    # Of the 15 pairs, 0.9 wins 5, 0.5 wins 4 and 0.2 wins 2.
    assert figures.auc == pytest.approx(11 / 15)
    # Precision at each true positive in descending order, weighed by its share of the recall.
    assert figures.pr_auc == pytest.approx((1 + 2 / 3 + 3 / 6) / 3)
    squares = [0.01, 0.25, 0.64, 0.36, 0.16, 0.09, 0.01, 0.01]
    assert figures.brier == pytest.approx(sum(squares) / 8)


def test_recall_and_precision_differ_where_warnings_are_few() -> None:
    figures = risk_figures(np.array([1, 1, 1, 1, 0]), np.array([0.9, 0.1, 0.1, 0.1, 0.1]))
    assert (figures.precision, figures.recall, figures.f1) == (1, 0.25, 0.4)


@pytest.mark.parametrize("outcome", [0, 1])
def test_one_class_leaves_undefined_figures_open(outcome: int) -> None:
    figures = risk_figures(np.full(3, outcome), np.array([0.1, 0.2, 0.3]))
    assert figures.auc is None
    assert figures.precision is None
    assert (figures.recall is None) == (outcome == 0)
    assert (figures.pr_auc is None) == (outcome == 0)
    assert figures.brier is not None


def test_no_records_leave_everything_open() -> None:
    figures = risk_figures(np.array([]), np.array([]))
    assert figures.records == 0
    assert {figures.accuracy, figures.f1, figures.auc, figures.brier, figures.base_rate} == {None}
    empty = score_figures(np.array([]), np.array([]))
    assert (empty.scores, empty.mae, empty.rmse, empty.r2) == (0, None, None, None)


def test_score_figures_by_hand() -> None:
    figures = score_figures(np.array([10, 20, 30, 40]), np.array([12, 20, 26, 40]))
    assert figures.scores == 4
    assert figures.mae == pytest.approx(6 / 4)
    assert figures.rmse == pytest.approx(np.sqrt(20 / 4))
    assert figures.r2 == pytest.approx(1 - 20 / 500)


def test_r2_of_equal_scores_is_open() -> None:
    figures = score_figures(np.array([50, 50]), np.array([40, 60]))
    assert (figures.mae, figures.r2) == (10, None)


def test_risk_is_judged_at_the_last_period_that_counts_and_at_every_period(cohort: Cohort) -> None:
    known = known_risk(cohort)
    probability = np.where(cohort.risk == 1, 0.9, 0.1).astype(np.float32)
    report = risk_report(cohort, probability)
    assert report.last.records == known.any(axis=1).sum()
    assert report.last.accuracy == 1
    assert {period: figures.records for period, figures in report.by_period.items()} == {
        period + 1: known[:, period].sum() for period in range(PERIODS)
    }
    # Wrong in the last period only, for everybody who has one that counts.
    last = np.flatnonzero(known[:, -1])
    probability[last, -1] = 1 - probability[last, -1]
    report = risk_report(cohort, probability)
    assert report.by_period[PERIODS].accuracy == 0
    assert report.by_period[PERIODS - 1].accuracy == 1
    assert report.last.confusion.true_positive < (report.last.base_rate or 0) * report.last.records


def test_what_does_not_count_is_not_judged(cohort: Cohort) -> None:
    probability = np.where(known_risk(cohort), 0.2, np.nan).astype(np.float32)
    forecast = np.where(known_score(cohort), 50, np.nan).astype(np.float32)
    assert risk_report(cohort, probability).last.brier is not None
    assert score_report(cohort, forecast).overall.mae is not None


def test_scores_are_judged_by_subject_and_period(cohort: Cohort) -> None:
    forecast = cohort.score + np.array([2, -4], np.float32)
    report = score_report(cohort, forecast)
    assert report.by_subject["maths"].mae == pytest.approx(2)
    assert report.by_subject["reading"].rmse == pytest.approx(4)
    counts = known_score(cohort).sum(axis=(0, 1))
    expected = (2 * counts[0] + 4 * counts[1]) / counts.sum()
    assert report.overall.mae == pytest.approx(expected)
    assert sum(figures.scores for figures in report.by_period.values()) == counts.sum()


def test_periods_in_which_nobody_counts_are_absent(cohort: Cohort) -> None:
    eligible = cohort.eligible.copy()
    eligible[:, 2] = False
    report = risk_report(replace(cohort, eligible=eligible), np.full_like(cohort.risk, 0.5))
    assert sorted(report.by_period) == [1, 2, 4, 5]


def test_horizons_with_few_students_are_not_compared(cohort: Cohort) -> None:
    eligible = cohort.observed.copy()
    eligible[25:, 3] = False
    thin = replace(cohort, eligible=eligible, risk=np.where(cohort.observed, 0, np.nan).astype("f"))
    thin.risk[::2][cohort.observed[::2]] = 1
    flat = np.full_like(thin.risk, 0.5)
    forecast = np.full_like(thin.score, 50)
    found = run_metrics(
        thin,
        {"network": flat, "base": flat},
        {"network": forecast, "mean": forecast},
        resamples=10,
    )
    assert 4 in found.risk.network.by_period
    assert all(4 not in one.horizons and 3 in one.horizons for one in found.comparisons)


def test_each_subject_is_judged_at_each_period(cohort: Cohort) -> None:
    report = score_report(cohort, np.full_like(cohort.score, 60))
    known = known_score(cohort)
    for column, subject in enumerate(("maths", "reading")):
        by_period = report.by_subject_and_period[subject]
        assert sum(of.scores for of in by_period.values()) == report.by_subject[subject].scores
        for period, figures in by_period.items():
            actual = cohort.score[:, period - 1, column][known[:, period - 1, column]]
            assert figures == score_figures(actual, np.full(len(actual), 60))
    at_two = [by_period[2].scores for by_period in report.by_subject_and_period.values()]
    assert sum(at_two) == report.by_period[2].scores


def test_tables_and_files_tell_each_subject_at_each_period(cohort: Cohort) -> None:
    risk = np.full_like(cohort.risk, 0.4)
    metrics = run_metrics(
        cohort, {"network": risk}, {"network": np.full_like(cohort.score, 60)}, resamples=10
    )
    found = metrics.score.network.by_subject_and_period["reading"][3]
    rows = list(csv.DictReader(csv_tables(metrics)["figures"].splitlines()))
    written = {
        row["figure"]: float(row["value"])
        for row in rows
        if (row["target"], row["period"], row["subject"]) == ("score", "3", "reading")
    }
    assert written == found.model_dump()
    (_, table) = subject_tables(metrics, cohort.contract)
    assert table.name == "subjects_by_period"
    assert len(table.rows) == 6
    cells = {row[0]: dict(zip(table.header, row, strict=True)) for row in table.rows}
    drawn = json.loads(specification(by_subject(metrics), titled=True))
    (bars,) = drawn["datasets"].values()
    assert {(bar["model"], bar["subject"]): bar["MAE"] for bar in bars} == {
        ("network", subject): of.mae for subject, of in metrics.score.network.by_subject.items()
    }
    assert cells["R², reading"]["week 3"] == found.r2
    assert cells["RMSE, reading"]["week 3"] == found.rmse
