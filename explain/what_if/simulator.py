"""The simulator: a history and futures in, what the model would estimate out."""

from collections.abc import Sequence
from dataclasses import dataclass

from explain.questions import Predict, Question, answer_all_in_steps, answer_in_steps
from explain.what_if.describe import WhatIfDescriber
from explain.what_if.estimates import RecommendationEstimate, estimate_recommendations
from explain.what_if.futures import FutureRequest, Futures, Outlook
from explain.what_if.levers import moves_of
from explain.what_if.recourse import Combination, search
from explain.what_if.types import Recourse, WhatIf
from records.arrays import Floats
from records.contract import Contract
from records.learnt.relative import Moments
from records.learnt.typical import Typical
from scoring.policy.model import Policy
from scoring.policy.tiers import Tiers
from scoring.rounding import round_risk
from scoring.steps import Steps
from scoring.students.relatives import Relatives


@dataclass(frozen=True)
class Hidden:
    """What is not offered, since its improvement raised the estimate too often.

    Attributes:
        features: Names of features.
        groups: Labels of groups that are moved together.
    """

    features: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class WhatIfRequest:
    """What is asked about one student.

    Attributes:
        history: (observed periods, features), relative features filled in.
        risk: The estimate now, as it is shown.
        periods: How many periods to append; fewer where the contract ends before.
        futures: Futures to ask about; None for all presets that apply.
        has_recourse: Whether the smallest sufficient change is wanted.
        below: The bound for it; None for the lower bound of the present tier.
        moments: What relative features are computed from; the bundle's where None.
    """

    history: Floats
    risk: float
    periods: int = 2
    futures: Sequence[FutureRequest] | None = None
    has_recourse: bool = True
    below: float | None = None
    moments: Moments | None = None


class Simulator:
    """Asks one model about futures.

    Args:
        predict: The model; see `explain.reasons.explainer.Explainer`.
        contract: What records hold.
        typical: Medians and ranges of the cohort; None leaves nothing to change.
        relatives: Compute relative features anew; None where the contract has none.
        tiers: What decides tiers.
        hidden: What is not offered.

    Attributes:
        contract: What records hold.
        futures: Makes histories with futures.
    """

    def __init__(
        self,
        predict: Predict,
        contract: Contract,
        typical: Typical | None,
        *,
        relatives: Relatives | None,
        tiers: Tiers,
        hidden: Hidden,
    ) -> None:
        self.contract = contract
        self.futures = Futures(contract, typical, relatives)
        self._predict = predict
        self._hidden = hidden
        self._describer = WhatIfDescriber(contract, tiers)

    def simulate_in_steps(self, request: WhatIfRequest) -> Steps[WhatIf]:
        """Answer a what-if, an execution of a few milliseconds in each step."""
        return answer_in_steps(self._predict, self.question(request))

    def estimates_in_steps(
        self,
        histories: Sequence[Floats],
        recommended: Sequence[Sequence[tuple[int, float]]],
        policy: Policy,
    ) -> Steps[list[tuple[RecommendationEstimate, ...]]]:
        """Ask about the recommendations of several students, an execution in each step."""
        return answer_all_in_steps(
            self._predict,
            (
                self.estimates(history, policy, rules)
                for history, rules in zip(histories, recommended, strict=True)
            ),
        )

    def estimates(
        self, history: Floats, policy: Policy, recommended: Sequence[tuple[int, float]]
    ) -> Question[tuple[RecommendationEstimate, ...]]:
        """Ask about recommendations; see `estimate_recommendations`."""
        return estimate_recommendations(
            self.futures, policy, history, recommended, self._hidden.features
        )

    def question(self, request: WhatIfRequest) -> Question[WhatIf]:
        """Ask about the futures of one student."""
        start = len(request.history)
        periods = min(request.periods, self.contract.periods.maximum - start)
        outlook = self.futures.outlook(request.history, periods, self._hidden.features)
        wanted = request.futures
        if wanted is None:
            wanted = [FutureRequest(name, name) for name in self.futures.presets(outlook)]
        changes = [self.futures.changes(outlook, one) for one in wanted]
        risks = yield self.futures.histories(outlook, [{}, *changes], request.moments)
        after = round_risk(risks[:, start:])
        recourse = None
        if request.has_recourse:
            recourse = yield from self._recourse(request, outlook, float(after[0, -1]))
        return self._describer.describe(
            outlook,
            request.risk,
            futures=list(zip(wanted, changes, after[1:], strict=True)),
            hidden=self._hidden.features,
            recourse=recourse,
        )

    def _recourse(
        self, request: WhatIfRequest, outlook: Outlook, unchanged: float
    ) -> Question[Recourse | None]:
        below = request.below
        if below is None:
            below = self._describer.lower_bound(outlook, request.risk)
        if below <= 0:  # the lowest tier
            return None

        def histories(combinations: Sequence[Combination]) -> Floats:
            futures = [outlook.changed(_values_of(one)) for one in combinations]
            return self.futures.histories(outlook, futures, request.moments)

        moves = moves_of(outlook.levers, self._hidden.groups)
        found = yield from search(moves, histories, below=below, unchanged=unchanged)
        return self._describer.recourse(found, below, len(outlook.course))


def _values_of(combination: Combination) -> dict[int, float]:
    return {column: value for move in combination for column, value in move.values.items()}
