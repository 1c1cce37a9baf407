"""Add reasons to the answers of a `score` request, in steps."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter

import msgspec
import numpy as np

from explain.bundles import explainer_of, simulator_of
from explain.reasons.types import Reasons, View
from explain.what_if.estimates import RecommendationEstimate
from records.arrays import Floats, Ints
from scoring.results import AssessmentTable
from scoring.runtime.scorer import Scorer
from scoring.steps import Steps

Estimates = tuple[RecommendationEstimate, ...]
Explanation = tuple[Reasons | None, Estimates | None]
_json = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True, eq=False)
class Explaining:
    """An answer to a `score` request whose reasons are still to be found.

    Attributes:
        steps: Find them; return the whole answer.
        seconds: What that is reckoned to take.
        assessed: Students in it.
        refused: Students that were refused.
    """

    steps: Steps[bytes]
    seconds: float
    assessed: int
    refused: int


class ReasonsResponder:
    """Finds reasons for assessed students of a loaded bundle.

    Args:
        scorer: The bundle, warmed up.

    Attributes:
        seconds: What the reasons of one student take at most, measured.
    """

    def __init__(self, scorer: Scorer) -> None:
        self._explainer = explainer_of(scorer)
        self._simulator = simulator_of(scorer)
        self._policy = scorer.bundle.policy
        self.seconds = self._measured()

    def explain_in_steps(
        self,
        values: Floats,
        lengths: Ints,
        table: AssessmentTable,
        *,
        view: View | None,
        has_estimates: bool,
    ) -> Steps[list[Explanation]]:
        """Find reasons and estimates of assessed students.

        Args:
            values: (rows, periods, features) that were scored.
            lengths: (rows,) periods observed.
            table: Their assessments.
            view: Which view of the reasons is wanted; None for none.
            has_estimates: Whether estimates beside recommendations are wanted.

        Returns:
            One a row.
        """
        reasons: Sequence[Reasons | None] = [None] * len(values)
        estimates: Sequence[Estimates | None] = [None] * len(values)
        if view is not None:
            reasons = yield from self._explainer.explain_in_steps(
                values, lengths, table.trajectory, view
            )
        if has_estimates:
            estimates = yield from self._simulator.estimates_in_steps(
                [row[:length] for row, length in zip(values, lengths.tolist(), strict=True)],
                _recommended(table),
                self._policy,
            )
        return list(zip(reasons, estimates, strict=True))

    def explaining(
        self,
        explanations: Steps[list[Explanation]],
        students: int,
        *,
        write: Callable[[Sequence[bytes]], bytes],
        refused: int,
    ) -> Explaining:
        """Return what adds explanations to the answer of a request.

        Args:
            explanations: What finds them.
            students: How many they are of.
            write: Writes the answer, given the last fields of each student.
            refused: Students that were refused.
        """

        def steps() -> Steps[bytes]:
            found = yield from explanations
            return write(
                [
                    b',"reasons":%b,"estimates":%b' % (_json(reasons), _json(estimates))
                    for reasons, estimates in found
                ]
            )

        return Explaining(steps(), self.seconds * students, students, refused)

    def _measured(self) -> float:
        """Explain a student who differs from the typical one in everything, to the last period."""
        contract = self._explainer.contract
        shape = (1, contract.periods.maximum, len(contract.features))
        values = np.zeros(shape, np.float32)
        lengths, trajectory = np.full(1, shape[1], np.int32), np.full(shape[:2], 0.5)
        for _ in range(2):  # the first one makes plans
            began = perf_counter()
            self._explainer.explain(values, lengths, trajectory)
        return perf_counter() - began


def _recommended(table: AssessmentTable) -> list[list[tuple[int, float]]]:
    """Return position and expected value of the rules recommended to each row."""
    advice = table.advice
    found: list[list[tuple[int, float]]] = [[] for _ in range(len(table))]
    columns = (advice.row.tolist(), advice.rule.tolist(), advice.expected.tolist())
    for row, rule, expected in zip(*columns, strict=True):
        found[row].append((rule, expected))
    return found
