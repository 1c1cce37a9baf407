"""Add reasons to the answers of a `score` request, in steps."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter

import msgspec
import numpy as np

from explain.bundles import explainer_of
from explain.reasons.types import Reasons, View
from records.arrays import Doubles, Floats, Ints
from scoring.runtime.scorer import Scorer
from scoring.steps import Steps

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
        self.seconds = self._measured()

    def explain(
        self, values: Floats, lengths: Ints, trajectories: Doubles, view: View
    ) -> list[Reasons | None]:
        """Explain students at once; as `explain.reasons.explainer.Explainer.explain`."""
        return self._explainer.explain(values, lengths, trajectories, view)

    def explaining(
        self,
        values: Floats,
        lengths: Ints,
        trajectories: Doubles,
        view: View,
        *,
        write: Callable[[Sequence[bytes]], bytes],
        refused: int,
    ) -> Explaining:
        """Return what finds the reasons of a request's students.

        Args:
            values: (rows, periods, features) that were scored.
            lengths: (rows,) periods observed.
            trajectories: (rows, periods) risk as it is shown.
            view: Why the estimate is what it is, or why it changed.
            write: Writes the answer, given the last fields of each student.
            refused: Students that were refused.
        """

        def steps() -> Steps[bytes]:
            found = yield from self._explainer.explain_in_steps(values, lengths, trajectories, view)
            return write([b',"reasons":' + _json(reasons) for reasons in found])

        return Explaining(steps(), self.seconds * len(values), len(values), refused)

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
