"""Scores of records, and the check of arrays before scoring."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Self

import numpy as np

from records.arrays import Floats, Ints, Positions
from records.contract import Contract
from records.errors import CohortError


@dataclass(frozen=True, eq=False)
class Scores:
    """Estimates for each record after each of its periods.

    Attributes:
        risk: (records, periods) float32 probability, NaN from the record's length on.
        score: (records, periods, subjects) float32 forecast, raw units, NaN likewise, and where
            none was requested.
        executions: Records of each execution of the risk graph.
    """

    risk: Floats
    score: Floats
    executions: tuple[int, ...] = ()

    @classmethod
    def joined(cls, parts: Sequence[Self], places: Positions | None = None) -> Self:
        """Concatenate the scores of parts.

        Args:
            parts: With the same periods and subjects.
            places: (records,) where each record of the parts, one after the other, belongs; None
                where they are in order.
        """
        risk = np.concatenate([part.risk for part in parts])
        score = np.concatenate([part.score for part in parts])
        if places is not None:
            risk[places], score[places] = risk.copy(), score.copy()
        return cls(risk, score, tuple(chain.from_iterable(part.executions for part in parts)))


def check_records(
    contract: Contract, values: Floats, lengths: Ints, different: Collection[int]
) -> None:
    """Refuse arrays that do not fit a contract.

    Args:
        contract: What a record holds.
        values: (records, periods, features).
        lengths: (records,) periods observed.
        different: The lengths that occur.

    Raises:
        CohortError: Shapes or lengths that do not fit.
    """
    if values.ndim != 3 or values.shape[2] != len(contract.features):
        raise CohortError(
            f"values have shape {values.shape}; contract '{contract.name}' expects "
            f"(records, periods, {len(contract.features)} features)."
        )
    if values.shape[1] > contract.periods.maximum:
        raise CohortError(
            f"values have {values.shape[1]} periods; contract '{contract.name}' has at most "
            f"{contract.periods.maximum}."
        )
    if lengths.shape != values.shape[:1]:
        raise CohortError(f"{len(values)} records need as many lengths, not {lengths.shape}.")
    if different and not 0 <= min(different) <= max(different) <= values.shape[1]:
        wrong = np.flatnonzero((lengths < 0) | (lengths > values.shape[1]))
        raise CohortError(
            f"record {wrong[0]}: its length is not within 0 to {values.shape[1]} periods."
        )
