"""The figures of a run: the layout of `metrics.json`.

Every figure is over the periods that count (eligible, target known); a figure that is undefined,
such as the AUC of one class, is None. `evaluation.metrics` computes them.
"""

from pydantic import BaseModel, ConfigDict


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Confusion(_Frozen):
    """Counts of predictions at the threshold against outcomes; positive means at risk."""

    false_negative: int
    true_positive: int
    false_positive: int
    true_negative: int


class CapacityFigures(_Frozen):
    """What an advising office finds that sees a fixed share of the students, the riskiest first.

    Attributes:
        precision: Share of those it sees that was at risk.
        recall: Share of those at risk that it sees.
        lift: Precision as a multiple of the base rate.
    """

    precision: float | None
    recall: float | None
    lift: float | None


class RiskFigures(_Frozen):
    """Paper A's figures and those that need no threshold.

    Attributes:
        records: How many were judged.
        false_negative_rate: Share of those at risk that was not warned: whom the model overlooks.
        base_rate: Share of them that was at risk.
        accuracy: Share judged rightly at the threshold.
        precision: Share of the warned that was at risk.
        recall: Share of those at risk that was warned.
        f1: Harmonic mean of precision and recall.
        auc: Area under the ROC curve.
        pr_auc: Area under the precision-recall curve, as average precision.
        brier: Mean squared difference of probability and outcome.
        expected_calibration_error: Mean distance of probability and outcome over ten bins of
            equal mass (`evaluation.weighted`).
        at_capacity: Percentage of the students that can be seen -> what is found among them.
        confusion: The counts behind accuracy, precision and recall.
    """

    records: int
    false_negative_rate: float | None
    base_rate: float | None
    accuracy: float | None
    precision: float | None
    recall: float | None
    f1: float | None
    auc: float | None
    pr_auc: float | None
    brier: float | None
    expected_calibration_error: float | None
    at_capacity: dict[int, CapacityFigures]
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
    """A score model on one part.

    Attributes:
        overall: Over everything.
        by_subject: Over all periods.
        by_period: Over all subjects, at each period, counted from 1.
        by_subject_and_period: Subject -> period -> figures; empty in runs of earlier versions.
    """

    overall: ScoreFigures
    by_subject: dict[str, ScoreFigures]
    by_period: dict[int, ScoreFigures]
    by_subject_and_period: dict[str, dict[int, ScoreFigures]] = {}


class RiskTable(_Frozen):
    """The network beside the baselines, judged on the very same periods.

    Attributes:
        network: As it is served: calibrated.
        uncalibrated: The same network without its calibration.
        baselines: By name.
    """

    network: RiskReport
    uncalibrated: RiskReport | None = None
    baselines: dict[str, RiskReport]


class ScoreTable(_Frozen):
    """The network beside the baselines, judged on the very same scores."""

    network: ScoreReport
    baselines: dict[str, ScoreReport]


class Difference(_Frozen):
    """A figure of a model beside that of the best other, and an interval for the difference.

    Attributes:
        value: The model's figure.
        against: The best other model; several for a mean over horizons where they differ.
        other: Its figure.
        difference: `value` less `other`.
        low: Lower bound of the interval of the difference.
        high: Upper bound.
    """

    value: float
    against: str
    other: float
    difference: float
    low: float
    high: float


class Comparison(_Frozen):
    """A paired bootstrap by student (`evaluation.bootstrap`).

    Attributes:
        figure: Which figure is compared.
        less_is_better: Whether a difference below 0 speaks for the model.
        model: Which model is compared with the best other.
        resamples: Draws of the students.
        level: Share of the draws within the interval.
        seed: Of the draws.
        students: How many were drawn from, each with all records and horizons.
        horizons: Period, counted from 1 -> difference; None where the figure is undefined.
        mean: Of the means over these horizons.
    """

    figure: str
    less_is_better: bool
    model: str
    resamples: int
    level: float
    seed: int
    students: int
    horizons: dict[int, Difference | None]
    mean: Difference | None


class GroupFigures(_Frozen):
    """One group of an audit attribute at each record's last period that counts.

    A figure is None where it is undefined, rests on too few cases, or the group is suppressed.

    Attributes:
        group: Value of the attribute; 'unknown' where it is not known.
        suppressed: Whether the group is too small to be shown, or would give one away that is.
        records: How many were judged.
        base_rate: Share of them that was at risk.
        recall: Share of those at risk that was warned.
        false_positive_rate: Share of those not at risk that was warned.
        precision: Share of the warned that was at risk.
        expected_calibration_error: As in `RiskFigures`, within the group.
        calibration_bias: Mean probability less base rate; above 0 where risk is overstated.
        auc: Area under the ROC curve within the group.
        abroca: Area between its ROC curve and that of the attribute's largest group.
        abroca_low: Lower bound of a bootstrap interval by student; None for the largest group.
        abroca_high: Upper bound. An area is never below 0, so both lie high where groups are small.
    """

    group: str
    suppressed: bool
    records: int | None = None
    base_rate: float | None = None
    recall: float | None = None
    false_positive_rate: float | None = None
    precision: float | None = None
    expected_calibration_error: float | None = None
    calibration_bias: float | None = None
    auc: float | None = None
    abroca: float | None = None
    abroca_low: float | None = None
    abroca_high: float | None = None


class Gap(_Frozen):
    """The largest difference of a figure between two groups of known value.

    Attributes:
        difference: Highest less lowest; for `abroca` the largest area.
        lowest: Group of the lowest figure; for `abroca` the largest group.
        highest: Group of the highest figure.
        low: Lower bound of a bootstrap interval by student.
        high: Upper bound. Both lie high where groups are small: a largest difference is never
            below 0, so chance alone makes one.
    """

    difference: float
    lowest: str
    highest: str
    low: float | None
    high: float | None


class AttributeFairness(_Frozen):
    """A risk model by the groups of one audit attribute.

    Attributes:
        attribute: Name in the contract.
        label: Plain words.
        groups: Every group, by name.
        gaps: Figure -> gap; None where fewer than two groups have the figure.
    """

    attribute: str
    label: str
    groups: tuple[GroupFigures, ...]
    gaps: dict[str, Gap | None]


class FairnessReport(_Frozen):
    """A risk model by every audit attribute (`evaluation.fairness`).

    Attributes:
        period: Where it was judged, counted from 1; None for each record's last one that counts.
        threshold: Probability from which a record counts as warned.
        smallest: Groups of fewer records are suppressed.
        fewest_cases: Figures that rest on fewer records are left open.
        records: How many were judged in all.
        attributes: One for each audit attribute of the contract.
    """

    period: int | None
    threshold: float
    smallest: int
    fewest_cases: int
    records: int
    attributes: tuple[AttributeFairness, ...]


class NaiveFacts(_Frozen):
    """What the naive rows need of the training records (`evaluation.naive`).

    Attributes:
        base_rate: Share at risk at each period, the first first.
        mean: Subject -> mean score.
        carried: 'last_score' and 'mean_so_far' -> subject -> feature that is carried on.
    """

    base_rate: tuple[float, ...]
    mean: dict[str, float]
    carried: dict[str, dict[str, str]]


class RunMetrics(_Frozen):
    """`metrics.json`: both models and all baselines on the test part.

    Attributes:
        threshold: Probability from which a record counts as warned in accuracy, precision,
            recall, F1 and confusion. The policy's tiers are another matter.
        risk: Figures of the risk network and its baselines.
        score: Figures of the score network and its baselines.
        comparisons: The networks against the best baseline at a few horizons, with intervals.
        fairness: The risk network by audit attribute.
        naive: What other cohorts need to be judged beside the naive rows.
    """

    threshold: float
    risk: RiskTable
    score: ScoreTable
    comparisons: tuple[Comparison, ...] = ()
    fairness: FairnessReport | None = None
    naive: NaiveFacts | None = None
