"""The figures of a run: the layout of `metrics.json`.

Every figure is over the periods that count (eligible, target known); a figure that is undefined,
such as the AUC of one class, is None. `evaluation.metrics` computes them.
"""

from pydantic import BaseModel, ConfigDict


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Confusion(_Frozen):
    """Counts of predictions at the threshold against outcomes; positive means at risk."""

    true_negative: int
    false_positive: int
    false_negative: int
    true_positive: int


class RiskFigures(_Frozen):
    """Paper A's figures and those that need no threshold.

    Attributes:
        records: How many were judged.
        base_rate: Share of them that was at risk.
        accuracy: Share judged rightly at the threshold.
        precision: Share of the warned that was at risk.
        recall: Share of those at risk that was warned.
        f1: Harmonic mean of precision and recall.
        auc: Area under the ROC curve.
        pr_auc: Area under the precision-recall curve, as average precision.
        brier: Mean squared difference of probability and outcome.
        confusion: The counts behind accuracy, precision and recall.
    """

    records: int
    base_rate: float | None
    accuracy: float | None
    precision: float | None
    recall: float | None
    f1: float | None
    auc: float | None
    pr_auc: float | None
    brier: float | None
    confusion: Confusion


class RiskReport(_Frozen):
    """A risk model on one part.

    Attributes:
        last: At each record's last period that counts.
        by_period: At each period, counted from 1, for the records that count there: the honest
            figures for a warning in that period.
    """

    last: RiskFigures
    by_period: dict[int, RiskFigures]


class ScoreFigures(_Frozen):
    """Paper B's figures; errors in raw units.

    Attributes:
        scores: How many were forecast.
        mae: Mean absolute error.
        rmse: Root of the mean squared error.
        r2: Coefficient of determination; None for fewer than two scores or equal ones.
    """

    scores: int
    mae: float | None
    rmse: float | None
    r2: float | None


class ScoreReport(_Frozen):
    """A score model on one part: over everything, by subject, and by period from 1."""

    overall: ScoreFigures
    by_subject: dict[str, ScoreFigures]
    by_period: dict[int, ScoreFigures]


class RiskTable(_Frozen):
    """The network beside the baselines, judged on the very same periods."""

    network: RiskReport
    baselines: dict[str, RiskReport]


class ScoreTable(_Frozen):
    """The network beside the baselines, judged on the very same scores."""

    network: ScoreReport
    baselines: dict[str, ScoreReport]


class RunMetrics(_Frozen):
    """`metrics.json`: both models and all baselines on the test part.

    Attributes:
        threshold: Probability from which a record counts as warned in accuracy, precision,
            recall, F1 and confusion. The policy's tiers are another matter.
        risk: Figures of the risk network and its baselines.
        score: Figures of the score network and its baselines.
    """

    threshold: float
    risk: RiskTable
    score: ScoreTable
