"""The contract and the policy in force, as the scoring service last answered.

Pages need their words (labels, units, tiers). They are read in the background of requests: a scoring
service that is away or slow delays no page, and what was read last remains in use.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from desk.charts.risk_line import TierBand
from desk.scoring_client import ScorerClient, ScorerError
from desk.views.marks import TierWords
from records.contract import Contract, Feature
from scoring.policy.model import Policy, Rule

_log = logging.getLogger(__name__)
_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Facts:
    """Contract and policy; None before the scoring service has answered for the first time."""

    contract: Contract | None = None
    policy: Policy | None = None
    features: dict[str, Feature] = field(default_factory=dict)
    rules: dict[str, Rule] = field(default_factory=dict)

    @classmethod
    def of(cls, contract: Contract, policy: Policy) -> "Facts":
        """Index features by name and rules by id."""
        return cls(
            contract,
            policy,
            {feature.name: feature for feature in contract.features},
            {rule.id: rule for rule in policy.rules},
        )

    @property
    def tiers(self) -> TierWords:
        """Labels of the tiers, from the lowest."""
        tiers = self.policy.tiers if self.policy else ()
        return TierWords({tier.name: tier.label for tier in tiers})

    @property
    def bands(self) -> tuple[TierBand, ...]:
        """Tiers with the least risk of each; one band without a name where they are not known."""
        if self.policy is None:
            return (TierBand("", 0.0),)
        return tuple(TierBand(tier.label, tier.from_) for tier in self.policy.tiers)

    def without_tiers(self) -> "Facts":
        """Return the same facts for a chart that shows no tiers."""
        return replace(self, policy=None)

    @property
    def period_name(self) -> str:
        """What a period is called."""
        return self.contract.periods.name if self.contract else "period"

    @property
    def periods(self) -> int:
        """How many periods a term has; 1 where that is not known."""
        return self.contract.periods.maximum if self.contract else 1

    def owner_label(self, role: str | None) -> str:
        """Return the label of a role of the policy; the role itself where there is none."""
        if role is None:
            return ""
        owner = self.policy.owners.get(role) if self.policy else None
        return owner.label if owner else role


class FactsSource:
    """Reads the facts now and then.

    Args:
        scorer: The scoring service.
        clock: Monotonic seconds.
    """

    def __init__(self, scorer: ScorerClient, clock: Callable[[], float] = time.monotonic) -> None:
        self._scorer = scorer
        self._clock = clock
        self._lock = threading.Lock()
        self._facts = Facts()
        self._next = float("-inf")
        self._is_reading = False

    def current(self) -> Facts:
        """Return the facts read last; where they are old, have them read in the background."""
        with self._lock:
            is_due = self._clock() >= self._next and not self._is_reading
            self._is_reading = self._is_reading or is_due
        if is_due:
            threading.Thread(target=self.refresh, name="facts", daemon=True).start()
        return self._facts

    def refresh(self) -> bool:
        """Read the facts now; return whether the scoring service answered."""
        try:
            facts = Facts.of(self._scorer.contract(), self._scorer.policy())
        except ScorerError as error:
            _log.warning("The scoring service did not answer: %s", error)
            return False
        else:
            self._facts = facts
            return True
        finally:
            with self._lock:
                self._next = self._clock() + _SECONDS
                self._is_reading = False
