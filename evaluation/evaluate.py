"""Judge a finished model on a cohort: everything that is printed, as one value."""

from collections.abc import Mapping, Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict

from evaluation.csv_tables import CSV_TABLES
from evaluation.curves import LiftPoint, ReliabilityPoint, lift_curve, reliability_curve
from evaluation.figures import NaiveFacts, RunMetrics
from evaluation.known import known_risk, known_score, last_known
from evaluation.metrics import run_metrics
from evaluation.naive import naive_risk, naive_score
from evaluation.weighted import Judged
from records.arrays import Floats
from records.cohort import Cohort
from records.errors import CohortError
from records.files.replace import FolderKind, json_object_with

_NO_NAIVE_ROWS = (
    "the bundle does not say what the naive rows need of its training records; train and export "
    "again to see them."
)


JSON = "evaluation.json"
PREDICTIONS = {"risk": "predictions-risk.parquet", "score": "predictions-score.parquet"}
EVALUATION = FolderKind(
    "evaluation",
    (JSON, *PREDICTIONS.values(), *(f"{name}.csv" for name in CSV_TABLES)),
    lambda folder: json_object_with(folder / JSON, {"model", "judged", "metrics", "reliability"}),
)


class Evaluation(BaseModel):
    """A model on a cohort that it was not fitted to.

    Attributes:
        model: Version of the bundle.
        data: What the cohort is.
        cohorts: Its intakes.
        records: How many it holds.
        judged: How many of them have a period that counts for the risk.
        metrics: Figures as in a run, beside the naive rows alone.
        reliability: Of the risk at each record's last period that counts.
        lift: Likewise.
        notes: What the reader should know.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    data: str
    cohorts: tuple[str, ...]
    records: int
    judged: int
    metrics: RunMetrics
    reliability: tuple[ReliabilityPoint, ...]
    lift: tuple[LiftPoint, ...]
    notes: tuple[str, ...]


def evaluate(
    cohort: Cohort,
    risk: Floats,
    score: Floats,
    *,
    model: str,
    data: str,
    naive: NaiveFacts | None,
    notes: tuple[str, ...] = (),
    horizons: Sequence[int] | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> tuple[Evaluation, Mapping[str, Floats], Mapping[str, Floats]]:
    """Judge a model's predictions for a cohort, beside the naive rows.

    Args:
        cohort: Records with their outcomes.
        risk: (records, periods) probability.
        score: (records, periods, subjects) forecast.
        model: Version of the model.
        data: What the cohort is.
        naive: What the naive rows need of the training records; None where it is not known.
        notes: What the reader should know.
        horizons: Periods, counted from 1, at which models are compared; None for a few.
        resamples: Draws of the students for intervals.
        seed: Of the draws.

    Returns:
        The evaluation, and the predictions judged: risk and score, 'network' first.

    Raises:
        CohortError: No step counts, so that there is nothing to judge by.
    """
    known = known_risk(cohort)
    if not known.any() and not known_score(cohort).any():
        raise CohortError(
            f"nothing to judge by: none of the {len(cohort)} records has an eligible period with "
            "a known outcome or next score. Evaluate on a cohort that has finished."
        )
    risks, scores = {"network": risk}, {"network": score}
    if naive is None:
        notes += (_NO_NAIVE_ROWS,)
    else:
        risks |= naive_risk(naive, cohort)
        scores |= naive_score(naive, cohort)
    last = last_known(known)
    rows = np.flatnonzero(last >= 0)
    judged = Judged(
        cohort.risk[rows, last[rows]].astype(np.float64), risk[rows, last[rows]].astype(np.float64)
    )
    outcome = judged.truth
    if len(rows) and outcome.min() == outcome.max():
        notes += (
            "all judged records have the same outcome: figures that need both are left open.",
        )
    return (
        Evaluation(
            model=model,
            data=data,
            cohorts=tuple(sorted(set(cohort.cohorts.tolist()) - {""})),
            records=len(cohort),
            judged=len(rows),
            metrics=run_metrics(
                cohort, risks, scores, horizons=horizons, resamples=resamples, seed=seed
            ),
            reliability=tuple(reliability_curve(judged)),
            lift=tuple(lift_curve(judged)),
            notes=notes,
        ),
        risks,
        scores,
    )
