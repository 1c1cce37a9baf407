"""Assess students with a scorer and a policy, as one `Assessment` for each student."""

from dataclasses import dataclass
from math import isfinite
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from records.arrays import Doubles, Floats, Ints
from scoring.assessment.tabulator import Tabulator
from scoring.policy.model import Policy
from scoring.policy.recommendation import Recommendation
from scoring.policy.recommender import Recommender
from scoring.policy.tiers import tiers_of
from scoring.results import (
    NO_TIER,
    ORIGINS,
    STATUSES,
    AssessmentTable,
    OutlierCells,
    ReferenceOrigin,
    Status,
    split_by_row,
)
from scoring.runtime.scorer import Scorer, Scores


@dataclass(frozen=True, slots=True)
class RiskPoint:
    """The risk at the end of one period."""

    period: Annotated[int, Field(description="Period, counted from 1.", examples=[3])]
    risk: Annotated[
        float,
        Field(
            description="Estimated probability, from what was observed by then.", examples=[0.462]
        ),
    ]


@dataclass(frozen=True, slots=True)
class ScoreForecast:
    """The forecast of the next score in one subject."""

    subject: Annotated[str, Field(description="Subject of the contract.", examples=["score"])]
    value: Annotated[float, Field(description="Estimated next score.", examples=[58.3])]
    unit: Annotated[str, Field(description="Unit of the score.", examples=["points"])]
    low: Annotated[
        float | None,
        Field(
            description="Lower end of the interval around the forecast; `model.forecast_coverage` is "
            "the share of scores that such intervals hold. null from a bundle without intervals.",
            examples=[44.1],
        ),
    ] = None
    high: Annotated[
        float | None, Field(description="Upper end of that interval.", examples=[72.5])
    ] = None


@dataclass(frozen=True, slots=True)
class Outlier:
    """A value outside the fences of the training records: flagged, never changed."""

    period: Annotated[int, Field(description="Period, counted from 1.", examples=[2])]
    feature: Annotated[str, Field(description="Feature of the contract.", examples=["quiz"])]


@dataclass(frozen=True, slots=True)
class Observed:
    """How much was observed of the student."""

    periods: Annotated[
        int,
        Field(description="Periods with at least one actionable value observed.", examples=[5]),
    ]
    share: Annotated[
        float,
        Field(description="Share of the actionable values observed so far.", examples=[0.88]),
    ]


@dataclass(frozen=True, slots=True)
class Assessment:
    """The assessment of one student at the end of the last observed period.

    All numbers are estimates. Unless the status is 'assessed' there is no risk, tier, trajectory,
    forecast or recommendation; `observed` shows how much data there was.
    """

    status: Annotated[
        Status,
        Field(
            description="Whether enough was observed of the student to assess them; `no_estimate` "
            "where it was, but values far outside any range left the model without a number."
        ),
    ]
    period: Annotated[int, Field(description="Last observed period, 0 for none.", examples=[5])]
    risk: Annotated[
        float | None,
        Field(
            description="Estimated probability of the outcome, to six decimals; the tier is "
            "decided on exactly this number.",
            examples=[0.731],
        ),
    ]
    tier: Annotated[str | None, Field(description="Name of the policy's tier.", examples=["high"])]
    since: Annotated[
        int | None,
        Field(
            description="Period since which the tier has been this one without a break.",
            examples=[4],
        ),
    ]
    trajectory: Annotated[
        tuple[RiskPoint, ...],
        Field(description="Risk after every period in which enough was observed, oldest first."),
    ]
    forecast: Annotated[
        tuple[ScoreForecast, ...], Field(description="The next score, one entry a subject.")
    ]
    outliers: Annotated[
        tuple[Outlier, ...],
        Field(description="Values outside the fences of the training records."),
    ]
    observed: Observed
    recommendations: Annotated[
        tuple[Recommendation, ...],
        Field(description="Recommendations, the most severe first; none in the lowest tier."),
    ]
    reference: Annotated[
        ReferenceOrigin,
        Field(
            description="What relative features were compared with: the cohort in the bundle "
            "(`bundle`), the students of the same request (`batch`), the reference in the request "
            "(`request`), or nothing, since they were sent (`sent`). Recommendations always compare "
            "with the bundle's cohort."
        ),
    ]


class Assessor:
    """Assess students with a scorer and a policy.

    Args:
        scorer: Its bundle brings contract, fences and reference.
        policy: Checked against the bundle's contract; the bundle's own where None.

    Raises:
        ContractError: The policy goes by capacity and the bundle has no calibration.

    Attributes:
        scorer: Scores students.
        policy: The policy in use.
        recommender: The policy's rules, compiled.
        tiers: Decides tiers.
        tabulate: Assesses scores as a table; see `Tabulator.tabulate`.
    """

    def __init__(self, scorer: Scorer, policy: Policy | None = None) -> None:
        self.scorer = scorer
        self.policy = policy or scorer.bundle.policy
        contract = scorer.bundle.contract
        self.tiers = scorer.bundle.tiers
        if policy is not None:
            self.tiers = tiers_of(policy, scorer.bundle.calibration)
        self._features = contract.feature_names
        self._names = [tier.name for tier in self.policy.tiers]
        self.recommender = Recommender(self.policy, contract, scorer.bundle.reference)
        tabulator = Tabulator(
            *(self.policy, self.tiers, self.recommender, contract),
            fences=scorer.bundle.fences,
            intervals=scorer.bundle.intervals,
        )
        self.tabulate = tabulator.tabulate
        self._subjects = contract.targets.score.subjects
        self._unit = contract.targets.score.unit

    def assess(
        self,
        values: Floats,
        lengths: Ints,
        *,
        recommendations: bool = True,
        forecast: bool = True,
        reference: NDArray[np.int8] | None = None,
    ) -> list[Assessment]:
        """Score students and assess them under the policy.

        Args:
            values: (rows, periods, features) float32, raw units, NaN for missing.
            lengths: (rows,) periods observed, 0 to `periods`.
            recommendations: Whether to evaluate the rules.
            forecast: Whether to run the score graph.
            reference: As `Tabulator.tabulate`.

        Returns:
            One assessment a row, in order; no row influences another's.

        Raises:
            CohortError: Shapes or lengths that do not fit the bundle's contract.
        """
        scores = self.scorer.score(values, lengths, forecast=forecast)
        return self.assess_scores(
            values, lengths, scores, recommendations=recommendations, reference=reference
        )

    def assess_scores(
        self,
        values: Floats,
        lengths: Ints,
        scores: Scores,
        *,
        recommendations: bool = True,
        reference: NDArray[np.int8] | None = None,
    ) -> list[Assessment]:
        """Assess students whose scores are given; other arguments as `assess`."""
        return self.to_assessments(
            self.tabulate(
                values, lengths, scores, recommendations=recommendations, reference=reference
            )
        )

    def to_assessments(self, table: AssessmentTable) -> list[Assessment]:
        """Return one assessment for each row of a table, in order."""
        rows = len(table)
        points = _trajectories(table.trajectory)
        forecasts = np.stack((table.forecast, table.low, table.high), axis=2).tolist()
        outliers, advice = self._flags(table.outliers, rows), table.advice
        recommendations = split_by_row(
            self.recommender.to_recommendations(advice), advice.row, rows
        )
        observed = map(Observed, table.observed_periods.tolist(), table.observed_share.tolist())
        reference = np.zeros(rows, np.int8) if table.reference is None else table.reference
        whole = (table.status, table.period, table.risk, table.tier, table.since, reference)
        # By position: less than half the time of keywords.
        return [
            Assessment(
                STATUSES[status],
                period,
                risk if tier != NO_TIER else None,
                self._names[tier] if tier != NO_TIER else None,
                since if tier != NO_TIER else None,
                points[row],
                self._forecast(forecasts[row]),
                outliers[row],
                extent,
                recommendations[row],
                ORIGINS[origin],
            )
            for row, (status, period, risk, tier, since, origin, extent) in enumerate(
                zip(*(column.tolist() for column in whole), observed, strict=True)
            )
        ]

    def _forecast(self, scores: list[list[float]]) -> tuple[ScoreForecast, ...]:
        return tuple(
            [
                ScoreForecast(
                    subject,
                    value,
                    self._unit,
                    low if isfinite(low) else None,
                    high if isfinite(high) else None,
                )
                for subject, (value, low, high) in zip(self._subjects, scores, strict=True)
                if isfinite(value)
            ]
        )

    def _flags(self, cells: OutlierCells, rows: int) -> list[tuple[Outlier, ...]]:
        names = [self._features[column] for column in cells.feature.tolist()]
        return split_by_row(list(map(Outlier, cells.period.tolist(), names)), cells.row, rows)


def _trajectories(risk: Doubles) -> list[tuple[RiskPoint, ...]]:
    row, period = (~np.isnan(risk)).nonzero()
    points = list(map(RiskPoint, (period + 1).tolist(), risk[row, period].tolist()))
    return split_by_row(points, row, len(risk))
