"""The assessment: what is said of one student at one period, and how it is arrived at."""

from dataclasses import dataclass
from itertools import pairwise
from math import isfinite
from typing import Annotated, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from records.cohort import Bools, Floats, Ints
from scoring.measures import Doubles, Positions
from scoring.policy import Policy, rounded
from scoring.recommend import DECIMALS, Recommendation, Recommender
from scoring.scorer import Scorer, Scores

Status = Literal["assessed", "not_enough_data", "no_estimate"]
Thing = TypeVar("Thing")
_NO_TIER = -1


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
        Literal["bundle"],
        Field(description="Cohort that 'usual' refers to: the one kept in the bundle."),
    ]


class Assessor:
    """Assess students with a scorer and a policy.

    Args:
        scorer: Its bundle brings contract, fences and reference.
        policy: Checked against the bundle's contract; the bundle's own where None.
    """

    def __init__(self, scorer: Scorer, policy: Policy | None = None) -> None:
        self.scorer = scorer
        self.policy = policy or scorer.bundle.policy
        contract = scorer.bundle.contract
        self._fences = scorer.bundle.fences
        self._features = contract.feature_names
        self._names = [tier.name for tier in self.policy.tiers]
        self._recommender = Recommender(self.policy, contract, scorer.bundle.reference)
        actionable = [i for i, feature in enumerate(contract.features) if feature.actionable]
        # None stands for all of them.
        some = 0 < len(actionable) < len(contract.features)
        self._actionable = np.array(actionable, np.intp) if some else None
        self._subjects = contract.targets.score.subjects
        self._unit = contract.targets.score.unit

    def assess(
        self, values: Floats, lengths: Ints, *, recommendations: bool = True
    ) -> list[Assessment]:
        """Score students and say what the policy makes of it.

        Args:
            values: (rows, periods, features) float32, raw units, NaN for missing.
            lengths: (rows,) periods observed, 0 to `periods`.
            recommendations: Whether to evaluate the rules.

        Returns:
            One assessment a row, in order; no row influences another's.

        Raises:
            CohortError: Shapes or lengths that do not fit the bundle's contract.
        """
        scores = self.scorer.score(values, lengths)
        return self.conclude(values, lengths, scores, recommendations=recommendations)

    def conclude(
        self, values: Floats, lengths: Ints, scores: Scores, *, recommendations: bool = True
    ) -> list[Assessment]:
        """Say what the policy makes of scores that are already there; else as `assess`."""
        if not values.shape[1]:
            values, scores = _with_one_period(values, scores)
        clock = np.arange(1, values.shape[1] + 1)
        within = clock <= lengths[:, None]
        # Without any period this is the last column, where nothing is observed either.
        last = (np.arange(len(values)), lengths - 1)
        enough, observed = self._sufficiency(values, within, clock, last)
        risk = rounded(np.where(enough, scores.risk, np.nan))
        tiers = self.policy.tier_of_rounded(risk)
        present = tiers[last]
        points = _trajectories(risk, tiers != _NO_TIER)
        forecasts = scores.score[last].astype(np.float64).round(DECIMALS).tolist()
        outlying = self._outlying(values, within)
        advice: list[tuple[Recommendation, ...]] = [()] * len(values)
        if recommendations:
            advice = self._recommender.recommend(values, lengths, present)
        since = _since(tiers, present, within, clock).tolist()
        known = enough[last].tolist()
        # By position: less than half the time of keywords, and this runs once for every student.
        return [
            Assessment(
                "assessed",
                length,
                points[row][-1].risk,
                self._names[tier],
                since[row],
                points[row],
                self._forecast(forecasts[row]),
                outlying[row],
                observed[row],
                advice[row],
                "bundle",
            )
            if tier != _NO_TIER
            else Assessment(
                "no_estimate" if known[row] else "not_enough_data",
                length,
                None,
                None,
                None,
                (),
                (),
                outlying[row],
                observed[row],
                (),
                "bundle",
            )
            for row, (length, tier) in enumerate(
                zip(lengths.tolist(), present.tolist(), strict=True)
            )
        ]

    def _sufficiency(
        self, values: Floats, within: Bools, clock: Positions, last: tuple[NDArray[np.integer], ...]
    ) -> tuple[Bools, list[Observed]]:
        """Tell after which periods enough was known, and how much is known at the last one."""
        considered = values if self._actionable is None else values.take(self._actionable, axis=2)
        seen = (~np.isnan(considered)).sum(axis=2) * within
        periods = (seen > 0).cumsum(axis=1)
        share = seen.cumsum(axis=1) / (clock * considered.shape[2])
        minimum = self.policy.minimum
        enough = within & (periods >= minimum.periods) & (share >= minimum.share)
        told = periods[last].tolist(), share[last].round(DECIMALS).tolist()
        return enough, list(map(Observed, *told))

    def _forecast(self, scores: list[float]) -> tuple[ScoreForecast, ...]:
        return tuple(
            [
                ScoreForecast(subject, value, self._unit)
                for subject, value in zip(self._subjects, scores, strict=True)
                if isfinite(value)
            ]
        )

    def _outlying(self, values: Floats, within: Bools) -> list[tuple[OutlyingValue, ...]]:
        flags = self._fences.outlying(values, self._features) & within[:, :, None]
        _, periods, columns = flags.nonzero()
        if not periods.size:
            return [()] * len(values)
        names = [self._features[column] for column in columns.tolist()]
        return _by_row(flags, tuple(map(OutlyingValue, (periods + 1).tolist(), names)))


def _with_one_period(values: Floats, scores: Scores) -> tuple[Floats, Scores]:
    """Give arrays without any period one in which nothing was observed."""
    rows, _, features = values.shape
    blank = np.full((rows, 1, features), np.nan, np.float32)
    subjects = scores.score.shape[2]
    return blank, Scores(
        risk=np.full((rows, 1), np.nan, np.float32),
        score=np.full((rows, 1, subjects), np.nan, np.float32),
    )


def _trajectories(risk: Doubles, shown: Bools) -> list[tuple[RiskPoint, ...]]:
    periods = (shown.nonzero()[1] + 1).tolist()
    return _by_row(shown, tuple(map(RiskPoint, periods, risk[shown].tolist())))


def _since(
    tiers: NDArray[np.int8], present: NDArray[np.int8], within: Bools, clock: Positions
) -> Positions:
    """Find the period since which each row has had its present tier without a break."""
    other = within & (tiers != present[:, None])
    return np.asarray((other * clock).max(axis=1) + 1, np.intp)


def _by_row(mask: Bools, things: tuple[Thing, ...]) -> list[tuple[Thing, ...]]:
    """Split `things`, one for each true cell of `mask`, into one tuple a row."""
    if not things:
        return [()] * len(mask)
    if len(mask) == 1:
        return [things]
    ends = mask.sum(axis=tuple(range(1, mask.ndim))).cumsum().tolist()
    return [things[start:end] for start, end in pairwise([0, *ends])]
