"""Make up students that keep a contract, at random: what the load tests send."""

import json
import math
from typing import Any

import numpy as np

from records.contract import Contract, Feature, Kind

# How far values reach on a side where the contract sets no limit.
_OPEN_SPAN = 100.0


class StudentSource:
    """Draws students whose every value the contract allows, spread evenly over what it allows.

    Evenly, because a load test wants every branch taken; these are no plausible students.

    Args:
        contract: What a record holds.
        seed: Equal seeds draw equal students.
        complete: Every student has every period and every value; otherwise histories end
            anywhere and one value in ten is missing.
    """

    def __init__(self, contract: Contract, *, seed: int = 0, complete: bool = False) -> None:
        self._contract = contract
        self._rng = np.random.default_rng(seed)
        self._complete = complete
        self._drawn = 0

    def student(self) -> dict[str, Any]:
        """Draw one student, as a `score` request carries it."""
        self._drawn += 1
        maximum = self._contract.periods.maximum
        length = maximum if self._complete else int(self._rng.integers(1, maximum + 1))
        periods = [
            {
                "period": period,
                **{
                    feature.name: self._value(feature)
                    for feature in self._contract.features
                    if self._complete or self._rng.random() >= 0.1
                },
            }
            for period in range(1, length + 1)
        ]
        return {"id": f"load-{self._drawn}", "periods": periods}

    def students(self, count: int) -> list[dict[str, Any]]:
        """Draw `count` students."""
        return [self.student() for _ in range(count)]

    def body(self, count: int) -> bytes:
        """Draw the JSON body of a `score` request with `count` students."""
        return json.dumps({"students": self.students(count)}, separators=(",", ":")).encode()

    def bodies(self, count: int, variants: int) -> list[bytes]:
        """Draw `variants` bodies of `count` students each; load generators send them in rotation."""
        return [self.body(count) for _ in range(variants)]

    def _value(self, feature: Feature) -> float | str | bool:
        if feature.levels:
            return feature.levels[int(self._rng.integers(len(feature.levels)))]
        if feature.kind is Kind.FLAG:
            return bool(self._rng.random() < 0.5)
        lower, upper = limits(feature)
        return min(max(round(float(self._rng.uniform(lower, upper)), 1), lower), upper)


def limits(feature: Feature) -> tuple[float, float]:
    """Return the range that a numeric feature's values are drawn from."""
    lower, upper = feature.lower_bound, feature.upper_bound
    if math.isinf(lower) and math.isinf(upper):
        return 0.0, _OPEN_SPAN
    if math.isinf(lower):
        return upper - _OPEN_SPAN, upper
    return lower, lower + _OPEN_SPAN if math.isinf(upper) else upper
