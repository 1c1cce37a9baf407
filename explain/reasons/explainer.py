"""The explainer: histories and their estimates in, reasons out."""

from collections.abc import Iterable, Sequence

import numpy as np

from explain.comparison import Comparison, Comparisons
from explain.logits import logit
from explain.questions import Predict, Question, answer_all_in_steps, answer_in_steps
from explain.reasons.describe import Describer
from explain.reasons.split import split
from explain.reasons.types import MissingValues, Reasons, View
from explain.reasons.when import describe_course, find_turn
from records.arrays import Doubles, Floats, Ints
from records.contract import Contract
from records.groups import FeatureGroup, feature_groups
from records.learnt.typical import Typical
from scoring.steps import Steps, finish


class Explainer:
    """Explains estimates of one model.

    Args:
        predict: The model: (rows, periods, features) raw units and (rows,) lengths to (rows,
            periods) risk after every period.
        contract: What records hold.
        typical: What students are compared with; None where nothing is kept of the cohort.

    Attributes:
        contract: What records hold.
        groups: Features that are explained together.
        comparisons: Finds what a student is compared with.
    """

    def __init__(self, predict: Predict, contract: Contract, typical: Typical | None) -> None:
        self.contract = contract
        self.groups: tuple[FeatureGroup, ...] = feature_groups(contract)
        self.comparisons = Comparisons(contract, typical)
        self._predict = predict
        self._describer = Describer(contract, self.groups)

    def explain(
        self, values: Floats, lengths: Ints, trajectories: Doubles, view: View = "level"
    ) -> list[Reasons | None]:
        """Explain the estimates of students.

        Args:
            values: (rows, periods, features) float32, raw units, NaN for missing, relative
                features filled in: what the model was asked about.
            lengths: (rows,) periods observed.
            trajectories: (rows, periods) risk after every period as it is shown, NaN where it is
                not; see `scoring.results.AssessmentTable`.
            view: Why the estimate is what it is, or why it changed.

        Returns:
            One a row; None where no estimate is shown at the last period, or the model gave no number.
        """
        return finish(self.explain_in_steps(values, lengths, trajectories, view))

    def explain_in_steps(
        self, values: Floats, lengths: Ints, trajectories: Doubles, view: View = "level"
    ) -> Steps[list[Reasons | None]]:
        """Explain as `explain` does, an execution of a few milliseconds in each step."""
        rows = [
            row
            for row, length in enumerate(lengths.tolist())
            if length and not np.isnan(trajectories[row, length - 1])
        ]
        found: list[Reasons | None] = [None] * len(values)
        reasons = yield from answer_all_in_steps(
            self._predict, self._questions(values, lengths, trajectories, rows, view)
        )
        for row, one in zip(rows, reasons, strict=True):
            found[row] = one
        return found

    def explain_one_in_steps(
        self, history: Floats, trajectory: Doubles, view: View = "level"
    ) -> Steps[Reasons | None]:
        """Explain the estimate of one student.

        Args:
            history: (periods, features) up to the last observed period.
            trajectory: (periods,) risk after each of them as it is shown.
            view: As `explain`.
        """
        return answer_in_steps(self._predict, self.question(history, trajectory, view))

    def question(
        self, history: Floats, trajectory: Doubles, view: View
    ) -> Question[Reasons | None]:
        """Ask what counts towards the estimate at the end of one history; see `explain`."""
        comparison = self._comparison(history, trajectory, view)
        filled, missing = self._filled(history, comparison)
        nothing = np.full_like(history, np.nan)
        beside = np.stack((filled, nothing))
        found = yield from split(history, comparison.values, self.groups, beside)
        if not np.isfinite(found.logits).all() or not np.isfinite(found.beside).all():
            return None
        effect = float(logit(found.risk) - logit(found.beside[0, -1])) if missing else 0.0
        return self._describer.describe(
            history,
            comparison,
            found,
            missing=MissingValues(
                values=missing,
                effect=round(effect, 6),
                nothing_known=round(float(found.beside[1, -1]), 6),
            ),
            when=describe_course(trajectory, float(found.beside[1, 0])),
        )

    def _questions(
        self,
        values: Floats,
        lengths: Ints,
        trajectories: Doubles,
        rows: Sequence[int],
        view: View,
    ) -> Iterable[Question[Reasons | None]]:
        for row in rows:
            length = int(lengths[row])
            yield self.question(values[row, :length], trajectories[row, :length], view)

    def _comparison(self, history: Floats, trajectory: Doubles, view: View) -> Comparison:
        if view == "change" and len(history) > 1:
            turn = find_turn(trajectory)
            since = turn.period - 1 if turn else len(history) - 1
            return self.comparisons.own_course(history, since)
        return self.comparisons.typical(history)

    def _filled(self, history: Floats, comparison: Comparison) -> tuple[Floats, int]:
        """Put typical values where a student's are missing; return how many there are."""
        if comparison.usual is None:
            return history, 0
        usual = comparison.usual.median[: len(history)]
        missing = np.isnan(history) & ~np.isnan(usual)
        return np.where(missing, usual, history), int(missing.sum())
