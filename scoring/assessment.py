"""The assessment: what is said of one student at one period, and how it is arrived at."""

from dataclasses import dataclass
from math import isfinite
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from records.cohort import Bools, Floats, Ints
from scoring.measures import Doubles, Positions
from scoring.policy import Policy, rounded
from scoring.recommend import DECIMALS, Recommendation, Recommender, by_row
from scoring.scorer import AnyScorer, Scores
from scoring.table import (
    ASSESSED,
    NO_ESTIMATE,
    NO_TIER,
    NOT_ENOUGH_DATA,
    ORIGINS,
    STATUSES,
    AdviceTable,
    AssessmentTable,
    OutlyingCells,
    ReferenceOrigin,
    Status,
)
from scoring.tiers import tiers_of

# By whether enough is known, plus twice whether there is a tier.
_STATUS = np.array([NOT_ENOUGH_DATA, NO_ESTIMATE, ASSESSED, ASSESSED], np.int8)


@dataclass(frozen=True, slots=True)
class RiskPoint:
    """The risk as it stood at the end of one period."""

    period: Annotated[int, Field(description="Period, counted from 1.", examples=[3])]
    risk: Annotated[
        float,
        Field(description="Estimated probability, with what was known then.", examples=[0.462]),
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
            description="Lower end of the interval that is to hold the score; how often it does, "
            "`model.forecast_coverage` says. null from a bundle without intervals.",
            examples=[44.1],
        ),
    ] = None
    high: Annotated[
        float | None, Field(description="Upper end of that interval.", examples=[72.5])
    ] = None


@dataclass(frozen=True, slots=True)
class OutlyingValue:
    """A value outside the fences of the training records: flagged, never changed."""

    period: Annotated[int, Field(description="Period, counted from 1.", examples=[2])]
    feature: Annotated[str, Field(description="Feature of the contract.", examples=["quiz"])]


@dataclass(frozen=True, slots=True)
class Observed:
    """How much the assessment rests on."""

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
    """What is said of one student at the end of the last observed period.

    All numbers are estimates. Unless the status is 'assessed' there is no risk, tier, trajectory,
    forecast or recommendation; `observed` says how much was known.
    """

    status: Annotated[
        Status,
        Field(
            description="Whether enough is known of the student to assess them; `no_estimate` "
            "where it is, but values far outside any range left the model without a number."
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
        Field(description="Risk after every period in which enough was known, oldest first."),
    ]
    forecast: Annotated[
        tuple[ScoreForecast, ...], Field(description="The next score, one entry a subject.")
    ]
    outlying: Annotated[
        tuple[OutlyingValue, ...],
        Field(description="Values outside the fences of the training records."),
    ]
    observed: Observed
    recommendations: Annotated[
        tuple[Recommendation, ...],
        Field(description="What is advised, the worst first; none in the lowest tier."),
    ]
    reference: Annotated[
        ReferenceOrigin,
        Field(
            description="What relative features were compared with: the cohort kept in the "
            "bundle, the students of this very request (`batch`), what came with the request "
            "(`request`), or nothing, as what is there was sent (`sent`). What is usual, in "
            "recommendations, always refers to the bundle."
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
        recommender: The policy's rules, compiled.
        tiers: What decides tiers.
    """

    def __init__(self, scorer: AnyScorer, policy: Policy | None = None) -> None:
        self.scorer = scorer
        self.policy = policy or scorer.bundle.policy
        contract = scorer.bundle.contract
        self.tiers = scorer.bundle.tiers
        if policy is not None:
            self.tiers = tiers_of(policy, scorer.bundle.calibration)
        self._intervals = scorer.bundle.intervals
        self._fences = scorer.bundle.fences
        self._features = contract.feature_names
        self._names = [tier.name for tier in self.policy.tiers]
        self.recommender = Recommender(self.policy, contract, scorer.bundle.reference)
        actionable = [i for i, feature in enumerate(contract.features) if feature.actionable]
        # None stands for all of them.
        some = 0 < len(actionable) < len(contract.features)
        self._actionable = np.array(actionable, np.intp) if some else None
        self._each = np.ones(len(actionable) if some else len(contract.features), np.intp)
        self._clock = np.arange(1, contract.periods.maximum + 1, dtype=np.int32)
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
        """Score students and say what the policy makes of it.

        Args:
            values: (rows, periods, features) float32, raw units, NaN for missing.
            lengths: (rows,) periods observed, 0 to `periods`.
            recommendations: Whether to evaluate the rules.
            forecast: Whether to run the score graph.
            reference: As `tabulate`.

        Returns:
            One assessment a row, in order; no row influences another's.

        Raises:
            CohortError: Shapes or lengths that do not fit the bundle's contract.
        """
        scores = self.scorer.score(values, lengths, forecast=forecast)
        return self.conclude(
            values, lengths, scores, recommendations=recommendations, reference=reference
        )

    def conclude(
        self,
        values: Floats,
        lengths: Ints,
        scores: Scores,
        *,
        recommendations: bool = True,
        reference: NDArray[np.int8] | None = None,
    ) -> list[Assessment]:
        """Say what the policy makes of scores that are already there; else as `assess`."""
        return self.worded(
            self.tabulate(
                values, lengths, scores, recommendations=recommendations, reference=reference
            )
        )

    def tabulate(
        self,
        values: Floats,
        lengths: Ints,
        scores: Scores,
        *,
        recommendations: bool | Bools = True,
        reference: NDArray[np.int8] | None = None,
    ) -> AssessmentTable:
        """Say what the policy makes of scores, as arrays.

        Args:
            values: (rows, periods, features) float32, raw units, NaN for missing.
            lengths: (rows,) int32, periods observed, 0 to `periods`.
            scores: Of the same rows and periods.
            recommendations: Whether to evaluate the rules; (rows,) to say so row by row.
            reference: (rows,) position in `ORIGINS` of what relative features were compared with;
                None for the bundle.

        Returns:
            One row a student, in order; no row influences another's.
        """
        if not values.shape[1]:
            values, scores = _with_one_period(values, scores)
        rows, periods, _ = values.shape
        clock = self._clock[:periods]
        within = clock <= lengths[:, None]
        # Where each row's last period stands in a flat array; without any period the last column,
        # where nothing is observed either.
        last = np.arange(0, rows * periods, periods) + (lengths - 1) % periods
        seen, share = self._sufficiency(values, within)
        minimum = self.policy.minimum
        enough = within & (seen >= minimum.periods) & (share >= minimum.share)
        risk = rounded(np.where(enough, scores.risk, np.nan))
        tiers = self.tiers.of_rounded(risk)
        tier = tiers.ravel().take(last)
        assessed = tier != NO_TIER
        wanted = tier if recommendations is True else np.where(recommendations, tier, NO_TIER)
        since = _since(tiers, tier, within, clock) * assessed
        if not assessed.all():
            risk[~assessed] = np.nan
        forecast = _forecast(_at(scores.score, last), assessed)
        low, high = self._interval(forecast, lengths)
        return AssessmentTable(
            status=_STATUS.take(enough.ravel().take(last) + 2 * assessed),
            period=lengths,
            risk=risk.ravel().take(last),
            tier=tier,
            since=since,
            trajectory=risk,  # NaN is where there is no tier
            forecast=forecast,
            low=low,
            high=high,
            observed_periods=seen.ravel().take(last),
            observed_share=share.ravel().take(last).round(DECIMALS),
            outlying=self._outlying(values, lengths),
            advice=AdviceTable.none()
            if recommendations is False
            else self.recommender.advise(values, lengths, wanted),
            reference=reference,
        )

    def worded(self, table: AssessmentTable) -> list[Assessment]:
        """Put a table into words: one assessment a row, in order."""
        rows = len(table)
        points = _trajectories(table.trajectory)
        forecasts = np.stack((table.forecast, table.low, table.high), axis=2).tolist()
        outlying, advice = self._flags(table.outlying, rows), table.advice
        recommendations = by_row(self.recommender.worded(advice), advice.row, rows)
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
                outlying[row],
                known,
                recommendations[row],
                ORIGINS[origin],
            )
            for row, (status, period, risk, tier, since, origin, known) in enumerate(
                zip(*(column.tolist() for column in whole), observed, strict=True)
            )
        ]

    def _sufficiency(self, values: Floats, within: Bools) -> tuple[Positions, Doubles]:
        """Tell after every period how much is known: observed periods, share of the values."""
        considered = values if self._actionable is None else values.take(self._actionable, axis=2)
        # A product: several times faster than a sum over a short axis.
        seen = (~np.isnan(considered)) @ self._each
        seen *= within
        possible = self._clock[: values.shape[1]] * considered.shape[2]
        return (seen > 0).cumsum(axis=1), seen.cumsum(axis=1) / possible

    def _interval(self, forecast: Doubles, lengths: Ints) -> Doubles:
        """Return (2, rows, subjects) lower and upper ends, rounded."""
        if self._intervals is None:
            return np.full((2, *forecast.shape), np.nan)
        return self._intervals.around(forecast, lengths).round(DECIMALS)

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

    def _outlying(self, values: Floats, lengths: Ints) -> OutlyingCells:
        flags = self._fences.outlying(values, self._features)
        if not flags.any():
            return OutlyingCells.none()
        _, periods, features = flags.shape
        row, at = np.divmod(flags.ravel().nonzero()[0], periods * features)
        period, feature = np.divmod(at, features)
        if not (within := period < lengths[row]).all():
            row, period, feature = row[within], period[within], feature[within]
        return OutlyingCells(row, period + 1, feature)

    def _flags(self, cells: OutlyingCells, rows: int) -> list[tuple[OutlyingValue, ...]]:
        names = [self._features[column] for column in cells.feature.tolist()]
        return by_row(list(map(OutlyingValue, cells.period.tolist(), names)), cells.row, rows)


def _with_one_period(values: Floats, scores: Scores) -> tuple[Floats, Scores]:
    """Give arrays without any period one in which nothing was observed."""
    rows, _, features = values.shape
    blank = np.full((rows, 1, features), np.nan, np.float32)
    subjects = scores.score.shape[2]
    return blank, Scores(
        risk=np.full((rows, 1), np.nan, np.float32),
        score=np.full((rows, 1, subjects), np.nan, np.float32),
    )


def _at(scores: Floats, last: Positions) -> Floats:
    """Return (rows, subjects) scores at flat positions of row and period."""
    rows, periods, subjects = scores.shape
    return scores.reshape(rows * periods, subjects).take(last, axis=0)


def _forecast(scores: Floats, assessed: Bools) -> Doubles:
    known = np.where(assessed[:, None] & np.isfinite(scores), scores, np.nan)
    return np.asarray(known.astype(np.float64).round(DECIMALS))


def _trajectories(risk: Doubles) -> list[tuple[RiskPoint, ...]]:
    row, period = (~np.isnan(risk)).nonzero()
    points = list(map(RiskPoint, (period + 1).tolist(), risk[row, period].tolist()))
    return by_row(points, row, len(risk))


def _since(
    tiers: NDArray[np.int8], present: NDArray[np.int8], within: Bools, clock: Ints
) -> Positions:
    """Find the period since which each row has had its present tier without a break."""
    other = within & (tiers != present[:, None])
    return np.asarray((other * clock).max(axis=1) + 1, np.intp)
