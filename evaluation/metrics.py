"""How well a model does on one part of the records: the figures of both papers."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics

from evaluation.figures import Confusion, RiskFigures, RiskReport, ScoreFigures, ScoreReport
from evaluation.known import known_risk, known_score, last_known
from records.cohort import Bools, Cohort, Floats

THRESHOLD = 0.5


def risk_figures(outcome: NDArray[np.floating], probability: NDArray[np.floating]) -> RiskFigures:
    """Compare probabilities with outcomes.

    Args:
        outcome: (n,) 0 or 1.
        probability: (n,) 0 … 1.
    """
    truth, warned = outcome > 0.5, probability >= THRESHOLD
    counts = np.bincount(2 * truth + warned, minlength=4)
    true_negative, false_positive, false_negative, true_positive = map(int, counts)
    records, positives = int(truth.size), int(truth.sum())
    both = 0 < positives < records
    return RiskFigures(
        records=records,
        base_rate=_ratio(positives, records),
        accuracy=_ratio(true_positive + true_negative, records),
        precision=_ratio(true_positive, true_positive + false_positive),
        recall=_ratio(true_positive, positives),
        f1=_ratio(2 * true_positive, 2 * true_positive + false_positive + false_negative),
        auc=float(metrics.roc_auc_score(truth, probability)) if both else None,
        pr_auc=float(metrics.average_precision_score(truth, probability)) if positives else None,
        brier=float(np.mean((probability - truth) ** 2, dtype=np.float64)) if records else None,
        confusion=Confusion(
            true_negative=true_negative,
            false_positive=false_positive,
            false_negative=false_negative,
            true_positive=true_positive,
        ),
    )


def score_figures(actual: NDArray[np.floating], forecast: NDArray[np.floating]) -> ScoreFigures:
    """Compare forecasts with the scores that came; both (n,) in raw units."""
    if not actual.size:
        return ScoreFigures(scores=0, mae=None, rmse=None, r2=None)
    actual, forecast = actual.astype(np.float64), forecast.astype(np.float64)
    varies = actual.min() < actual.max()
    return ScoreFigures(
        scores=int(actual.size),
        mae=float(metrics.mean_absolute_error(actual, forecast)),
        rmse=float(metrics.root_mean_squared_error(actual, forecast)),
        r2=float(metrics.r2_score(actual, forecast)) if varies else None,
    )


def risk_report(cohort: Cohort, probability: Floats) -> RiskReport:
    """Judge a risk model.

    Args:
        cohort: The part to judge on.
        probability: (records, periods) as the model gave them.
    """
    known = known_risk(cohort)
    last = last_known(known)
    rows = np.flatnonzero(last >= 0)
    return RiskReport(
        last=risk_figures(cohort.risk[rows, last[rows]], probability[rows, last[rows]]),
        by_period=_by_period(risk_figures, known, cohort.risk, probability),
    )


def score_report(cohort: Cohort, forecast: Floats) -> ScoreReport:
    """Judge a score model.

    Args:
        cohort: The part to judge on.
        forecast: (records, periods, subjects) as the model gave them, raw units.
    """
    known = known_score(cohort)
    subjects = cohort.contract.targets.score.subjects
    return ScoreReport(
        overall=score_figures(cohort.score[known], forecast[known]),
        by_subject={
            name: score_figures(cohort.score[:, :, i][seen], forecast[:, :, i][seen])
            for i, name in enumerate(subjects)
            for seen in [known[:, :, i]]
        },
        by_period=_by_period(score_figures, known, cohort.score, forecast),
    )


def _by_period(figures: Any, known: Bools, target: Floats, predicted: Floats) -> dict[int, Any]:
    return {
        period + 1: figures(
            target[:, period][known[:, period]], predicted[:, period][known[:, period]]
        )
        for period in range(known.shape[1])
        if known[:, period].any()
    }


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None
