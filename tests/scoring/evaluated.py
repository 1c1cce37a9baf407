"""What every rule of a policy finds in every row, as tables of rows by rules."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from records.arrays import Bools, Doubles, Floats, Ints, Positions
from records.contract import Contract
from records.learnt.reference import Reference
from scoring.policy.model import Policy
from scoring.policy.recommendation import Recommendation
from scoring.policy.recommender import Recommender
from scoring.policy.rule_arrays import RuleArrays
from scoring.policy.rules import Findings
from scoring.results import split_by_row


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """Every array is (rows, rules); fields as in `scoring.policy.rules.EvidenceColumns`."""

    hits: Bools
    severity: Doubles
    measured: Doubles
    expected: Doubles
    standard_deviations: Doubles
    first: Positions
    last: Positions

    def of_rows(self, rows: object) -> Self:
        return type(self)(*(getattr(self, name)[rows] for name in Evaluation.__slots__))


class Rules:
    """A policy's rules for one contract and reference."""

    def __init__(self, policy: Policy, contract: Contract, reference: Reference) -> None:
        self._rules = RuleArrays.from_rules(policy.rules, contract, reference)

    def evaluate(self, values: Floats, lengths: Ints) -> Evaluation:
        found = Findings(self._rules, values, lengths)
        shape = found.hits.T.shape
        row, rule = (axis.ravel() for axis in np.indices(shape))
        evidence = found.evidence(row, rule)
        columns = (getattr(evidence, name).reshape(shape) for name in Evaluation.__slots__[1:])
        return Evaluation(found.hits.T, *columns)


def recommend(
    recommender: Recommender, values: Floats, lengths: Ints, tiers: NDArray[np.int8]
) -> list[tuple[Recommendation, ...]]:
    """Return each row's recommendations in words."""
    advice = recommender.advise(values, lengths, tiers)
    return split_by_row(recommender.to_recommendations(advice), advice.row, len(values))
