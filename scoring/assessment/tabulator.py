"""Assess scores under a policy: arrays in, an `AssessmentTable` out."""

import numpy as np
from numpy.typing import NDArray

from records.arrays import Bools, Floats, Ints
from records.contract import Contract
from records.learnt.fences import Fences
from records.learnt.intervals import Intervals
from scoring.assessment.decisions import DecisionInputs, decide
from scoring.policy.model import Policy
from scoring.policy.recommender import Recommender
from scoring.policy.tiers import Tiers
from scoring.results import NO_TIER, AdviceTable, AssessmentTable, OutlierCells
from scoring.runtime.scores import Scores


class Tabulator:
    """Puts scores, tiers, trajectories, forecasts, outliers and recommendations into one table.

    Args:
        policy: Says how much must be observed.
        tiers: Decides tiers.
        recommender: The policy's rules, compiled.
        contract: Order and meaning of the features.
        fences: Bounds beyond which values are outliers.
        intervals: Half-widths around forecasts; None where the bundle has none.
    """

    def __init__(
        self,
        policy: Policy,
        tiers: Tiers,
        recommender: Recommender,
        contract: Contract,
        *,
        fences: Fences,
        intervals: Intervals | None,
    ) -> None:
        self._recommender = recommender
        self._fences = fences
        self._features = contract.feature_names
        is_actionable = [feature.actionable for feature in contract.features]
        # Where no feature is actionable, every value counts as observed.
        is_counted = is_actionable if any(is_actionable) else [True] * len(is_actionable)
        self._weights = np.array(is_counted, np.float32)
        possible = np.arange(1, contract.periods.maximum + 1) * sum(is_counted)
        self._inputs = DecisionInputs(tiers, policy.minimum, intervals, possible)

    def tabulate(
        self,
        values: Floats,
        lengths: Ints,
        scores: Scores,
        *,
        recommendations: bool | Bools = True,
        reference: NDArray[np.int8] | None = None,
    ) -> AssessmentTable:
        """Assess scores.

        Args:
            values: (rows, periods, features) float32, raw units, NaN for missing.
            lengths: (rows,) int32, periods observed, 0 to `periods`.
            scores: Of the same rows and periods.
            recommendations: Whether to evaluate the rules; (rows,) to choose for each row.
            reference: (rows,) position in `ORIGINS` of what relative features were compared with;
                None for the bundle.

        Returns:
            One row a student, in order; no row influences another.
        """
        if not values.shape[1]:
            values, scores = _with_one_period(values, scores)
        # A product of floats: several times faster than a sum over a short axis.
        observed = (~np.isnan(values)).astype(np.float32) @ self._weights
        decisions = decide(self._inputs, observed, lengths, scores)
        if recommendations is False:
            advice = AdviceTable.empty()
        else:
            tier = np.where(recommendations, decisions.tier, np.int8(NO_TIER))
            advice = self._recommender.advise(values, lengths, tier)
        outliers = self._outliers(values, lengths)
        return AssessmentTable(*decisions, outliers=outliers, advice=advice, reference=reference)

    def _outliers(self, values: Floats, lengths: Ints) -> OutlierCells:
        flags = self._fences.flag_outliers(values, self._features)
        cells = flags.ravel().nonzero()[0]
        if not cells.size:
            return OutlierCells.empty()
        _, periods, features = flags.shape
        row, at = np.divmod(cells, periods * features)
        period, feature = np.divmod(at, features)
        if not (within := period < lengths[row]).all():
            row, period, feature = row[within], period[within], feature[within]
        return OutlierCells(row, period + 1, feature)


def _with_one_period(values: Floats, scores: Scores) -> tuple[Floats, Scores]:
    """Give arrays without any period one in which nothing was observed."""
    rows, _, features = values.shape
    blank = np.full((rows, 1, features), np.nan, np.float32)
    subjects = scores.score.shape[2]
    return blank, Scores(
        risk=np.full((rows, 1), np.nan, np.float32),
        score=np.full((rows, 1, subjects), np.nan, np.float32),
    )
