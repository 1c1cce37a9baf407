"""Make up students that keep a contract: examples for the documentation, and a first request."""

from typing import Any

import numpy as np

from records.contract import Contract, Feature, Kind
from records.learnt.reference import Reference


def sample_students(contract: Contract, reference: Reference, count: int) -> list[dict[str, Any]]:
    """Make up students whose values lie around the reference's.

    The first lies one spread on the better side of the cohort, the last one spread on the worse;
    what is never observed in a period is left out, and what is relative, too, as the service
    computes it. Deterministic, and no person's data.

    Args:
        contract: What a record holds.
        reference: What is usual at each period.
        count: How many, at least 1.

    Returns:
        Students as a `score` request carries them.
    """
    periods = min(contract.periods.maximum, 4)
    offsets = np.linspace(1.0, -1.0, count) if count > 1 else np.zeros(1)
    mean, spread = reference.arrays()
    return [
        {
            "id": f"s-{number}",
            "periods": [
                {
                    "period": period,
                    **{
                        feature.name: _value(
                            feature, mean[period - 1, column], spread[period - 1, column], offset
                        )
                        for column, feature in enumerate(contract.features)
                        if not np.isnan(mean[period - 1, column]) and feature.relative is None
                    },
                }
                for period in range(1, periods + 1)
            ],
        }
        for number, offset in enumerate(offsets.tolist(), start=1)
    ]


def _value(feature: Feature, mean: np.float32, spread: np.float32, offset: float) -> Any:
    """Return a plausible value `offset` spreads on the better side of the mean."""
    shift = offset if feature.better != "lower" else -offset
    number = float(np.clip(mean + shift * spread, feature.lower_bound, feature.upper_bound))
    if feature.kind is Kind.NUMERIC:
        return float(np.clip(round(number, 1), feature.lower_bound, feature.upper_bound))
    if feature.kind is Kind.FLAG:
        return number >= 0.5
    return feature.levels[round(number)]
