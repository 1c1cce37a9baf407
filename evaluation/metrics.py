"""How well a model does on one part of the records: the figures of both papers."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation import weighted
from evaluation.bootstrap import paired_bootstrap
from evaluation.fairness import fairness_report
from evaluation.figures import (
    CapacityFigures,
    Confusion,
    NaiveFacts,
    RiskFigures,
    RiskReport,
    RiskTable,
    RunMetrics,
    ScoreFigures,
    ScoreReport,
    ScoreTable,
)
from evaluation.known import known_risk, known_score, last_known
from evaluation.predictions import Predictions, risk_predictions, score_predictions
from evaluation.weighted import CAPACITIES, SCORE_FIGURES, THRESHOLD, Figure, Judged, ones
from records.arrays import Bools, Floats
from records.cohort import Cohort

__all__ = [
    "THRESHOLD",
    "risk_figures",
    "risk_report",
    "run_metrics",
    "score_figures",
    "score_report",
    "spread_horizons",
]

# Horizons with fewer students are not compared where others have more.
FEWEST_COMPARED = 30


def risk_figures(outcome: NDArray[np.floating], probability: NDArray[np.floating]) -> RiskFigures:
    """Compare probabilities with outcomes.

    Args:
        outcome: (n,) 0 or 1.
        probability: (n,) 0 … 1.
    """
    judged = Judged(np.asarray(outcome, np.float64), np.asarray(probability, np.float64))
    weights = ones(judged)

    def figure(of: Figure) -> float | None:
        value = float(of(judged, weights)[0])
        return None if np.isnan(value) else value

    counts = np.bincount((2 * judged.truth + judged.warned).astype(int), minlength=4)
    true_negative, false_positive, false_negative, true_positive = map(int, counts)
    share = figure(weighted.base_rate)
    at_capacity = {}
    for capacity in CAPACITIES:
        found = figure(weighted.precision_at(capacity))
        at_capacity[round(100 * capacity)] = CapacityFigures(
            precision=found,
            recall=figure(weighted.recall_at(capacity)),
            lift=found / share if found is not None and share else None,
        )
    return RiskFigures(
        records=len(judged.actual),
        false_negative_rate=figure(weighted.false_negative_rate),
        base_rate=share,
        accuracy=figure(weighted.accuracy),
        precision=figure(weighted.precision),
        recall=figure(weighted.recall),
        f1=figure(weighted.f1),
        auc=figure(weighted.auc),
        pr_auc=figure(weighted.pr_auc),
        brier=figure(weighted.brier),
        expected_calibration_error=figure(weighted.expected_calibration_error),
        at_capacity=at_capacity,
        confusion=Confusion(
            false_negative=false_negative,
            true_positive=true_positive,
            false_positive=false_positive,
            true_negative=true_negative,
        ),
    )


def score_figures(actual: NDArray[np.floating], forecast: NDArray[np.floating]) -> ScoreFigures:
    """Compare forecasts with the scores that came; both (n,) in raw units."""
    judged = Judged(np.asarray(actual, np.float64), np.asarray(forecast, np.float64))
    found = {name: float(of(judged, ones(judged))[0]) for name, of in SCORE_FIGURES.items()}
    return ScoreFigures(
        scores=len(judged.actual),
        **{name: None if np.isnan(value) else value for name, value in found.items()},
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
        by_subject_and_period={
            name: _by_period(
                score_figures, known[:, :, i], cohort.score[:, :, i], forecast[:, :, i]
            )
            for i, name in enumerate(subjects)
        },
    )


def _by_period(figures: Any, known: Bools, target: Floats, predicted: Floats) -> dict[int, Any]:
    return {
        period + 1: figures(
            target[:, period][known[:, period]], predicted[:, period][known[:, period]]
        )
        for period in range(known.shape[1])
        if known[:, period].any()
    }


def run_metrics(
    cohort: Cohort,
    risk: Mapping[str, Floats],
    score: Mapping[str, Floats],
    *,
    uncalibrated: Floats | None = None,
    naive: NaiveFacts | None = None,
    horizons: Sequence[int] | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> RunMetrics:
    """Judge both networks and the models beside them on one part.

    Args:
        cohort: The part to judge on.
        risk: Model -> (records, periods) probability, 'network' among them.
        score: Model -> (records, periods, subjects) forecast, 'network' among them.
        uncalibrated: (records, periods) what the risk network gave before it was calibrated.
        naive: Of the training records, to be kept with the figures.
        horizons: Periods, counted from 1, at which models are compared; None for a few. Those
            with fewer than 30 students are left out where others have more: their interval would
            say nothing.
        resamples: Draws for the intervals of the comparisons.
        seed: Of the draws.
    """
    risks = {name: risk_report(cohort, predicted) for name, predicted in risk.items()}
    scores = {name: score_report(cohort, predicted) for name, predicted in score.items()}
    compared = []
    for predictions, figures in (
        (risk_predictions(cohort, risk), ("auc", "brier")),
        (score_predictions(cohort, score), ("mae", "rmse")),
    ):
        there = _compared(predictions)
        chosen = spread_horizons(there) if horizons is None else sorted({*horizons} & {*there})
        if chosen and len(predictions.models) > 1:
            compared += [
                paired_bootstrap(
                    predictions, figure=figure, horizons=chosen, resamples=resamples, seed=seed
                )
                for figure in figures
            ]
    return RunMetrics(
        threshold=THRESHOLD,
        risk=RiskTable(
            network=risks.pop("network"),
            uncalibrated=None if uncalibrated is None else risk_report(cohort, uncalibrated),
            baselines=risks,
        ),
        score=ScoreTable(network=scores.pop("network"), baselines=scores),
        comparisons=tuple(compared),
        naive=naive,
        fairness=fairness_report(cohort, risk["network"], resamples=resamples, seed=seed),
    )


def _compared(predictions: Predictions) -> list[int]:
    """List the periods in which enough students count, or all where none has enough."""
    periods = np.unique(predictions.periods).tolist()
    enough = [
        period
        for period in periods
        if len(np.unique(predictions.students[predictions.periods == period])) >= FEWEST_COMPARED
    ]
    return enough or periods


def spread_horizons(periods: Sequence[int], most: int = 6) -> list[int]:
    """Pick at most `most` of `periods`, spread from the first to the last."""
    last = len(periods) - 1
    return sorted(
        {periods[round(last * step / (most - 1))] for step in range(most)} if last >= 0 else ()
    )
