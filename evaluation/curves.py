"""Points of the curves that a reader looks at: reliability and lift."""

import numpy as np
from pydantic import BaseModel, ConfigDict

from evaluation.weighted import Judged, ones, precision_at, recall_at

LIFT_SHARES = (0.01, 0.02, 0.05, 0.10, 0.15, 0.20, 0.30, 0.40, 0.50, 0.75, 1.0)


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ReliabilityPoint(_Frozen):
    """One bin of equal mass.

    Attributes:
        records: How many are in it.
        probability: Their mean probability.
        at_risk: Share of them that was at risk; on the diagonal where probabilities are right.
    """

    records: int
    probability: float
    at_risk: float


class LiftPoint(_Frozen):
    """What is found when a share of the students is seen, the riskiest first.

    Attributes:
        share: Of the students.
        precision: Share of those seen that was at risk.
        recall: Share of those at risk that is seen; None without records at risk.
    """

    share: float
    precision: float
    recall: float | None


def reliability_curve(judged: Judged) -> list[ReliabilityPoint]:
    """Compare probability and outcome within the bins of the expected calibration error."""
    if not len(judged.actual):
        return []
    return [
        ReliabilityPoint(
            records=int(here.sum()),
            probability=float(judged.predicted[here].mean()),
            at_risk=float(judged.truth[here].mean()),
        )
        for number in np.unique(judged.bins)
        for here in [judged.bins == number]
    ]


def lift_curve(judged: Judged) -> list[LiftPoint]:
    """Tell what seeing more students would find."""
    if not len(judged.actual):
        return []
    weights = ones(judged)
    points = []
    for share in LIFT_SHARES:
        found = float(recall_at(share)(judged, weights)[0])
        points.append(
            LiftPoint(
                share=share,
                precision=float(precision_at(share)(judged, weights)[0]),
                recall=None if np.isnan(found) else found,
            )
        )
    return points
