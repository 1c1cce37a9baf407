"""Responses to `score` requests, the time they took, and what is counted of them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from records.errors import Fault


@dataclass(frozen=True, slots=True)
class Answered:
    """The response to a `score` request, and what the metrics count.

    Attributes:
        body: JSON.
        assessed: Students assessed.
        refused: Students refused.
    """

    body: bytes
    assessed: int
    refused: int


@dataclass(frozen=True, slots=True)
class StageSeconds:
    """Where the time of one pass over several requests went, in seconds.

    Attributes:
        compute: Lazy students to arrays, then `Scorer.score`, both graphs.
        policy: `Assessor.tabulate`: tiers, trajectories, rules.
        encode: Assessments to JSON.
    """

    compute: float = 0.0
    policy: float = 0.0
    encode: float = 0.0


def count_by_name(names: Collection[str], positions: NDArray[np.int8]) -> dict[str, int]:
    """Count positions by name; negative ones are not counted."""
    counts = np.bincount(positions + 1, minlength=len(names) + 1).tolist()[1:]
    return dict(zip(names, counts, strict=True))


def refused_rows(errors: Sequence[Fault]) -> int:
    """Count the students that have errors."""
    return len({error.row for error in errors if error.row is not None})
