"""Choose recommendations from what the rules found, the most severe first."""

import numpy as np
from numpy.typing import NDArray

from records.arrays import Bools, Doubles, Floats, Ints, Positions
from records.contract import Contract
from records.learnt.reference import Reference
from scoring.policy.model import Policy
from scoring.policy.recommendation import Recommendation, RecommendationTemplate
from scoring.policy.rule_arrays import RuleArrays
from scoring.policy.rules import Findings
from scoring.results import AdviceTable
from scoring.rounding import round_for_display

# Larger batches are evaluated in parts, whose arrays fit into the processor's cache.
PART_ROWS = 256


class Recommender:
    """A policy's recommendations for one contract and reference.

    A student's recommendations are ordered by the rule's priority, then by severity, then by the
    rule's place in the file. Only the first one about each feature is selected unless the policy
    allows more, and at most `max_recommendations` in all.

    Args:
        policy: Checked against `contract`.
        contract: Order and meaning of the features.
        reference: The cohort to compare with.

    Attributes:
        templates: The recommendation of each rule, in the policy's order.
    """

    def __init__(self, policy: Policy, contract: Contract, reference: Reference) -> None:
        self._maximum = policy.max_recommendations
        self._rules: RuleArrays | None = None
        if policy.rules:
            self._rules = RuleArrays.from_rules(policy.rules, contract, reference)
        self.templates = [RecommendationTemplate(rule, policy, contract) for rule in policy.rules]
        priorities = np.array([rule.priority for rule in policy.rules], np.intp)
        # Numbered from 0 without gaps, so that row and priority make one number.
        different, self._priority = np.unique(priorities, return_inverse=True)
        self._priorities = len(different)
        features = contract.feature_names
        feature = np.array([features.index(rule.feature) for rule in policy.rules], np.intp)
        self._feature = feature if policy.one_per_feature else None
        self._features = len(features)
        # One column a tier, and a last one, reached by -1, for students without a tier.
        self._applies = np.zeros((len(policy.rules), len(policy.tiers) + 1), np.bool_)
        for place, rule in enumerate(policy.rules):
            tiers = policy.tiers_of(rule)
            self._applies[place, :-1] = [tier.name in tiers for tier in policy.tiers]
        self._any_applies = np.asarray(self._applies.any(axis=0))

    def advise(self, values: Floats, lengths: Ints, tiers: NDArray[np.int8]) -> AdviceTable:
        """Choose the recommendations of every student.

        Args:
            values: (rows, periods, features) float32, raw units, NaN for missing.
            lengths: (rows,) periods observed.
            tiers: (rows,) index of the tier, -1 for none.

        Returns:
            Each row's recommendations, the most severe first; none where no rule applies in its
            tier.
        """
        rows = self._any_applies[tiers].nonzero()[0]
        if self._rules is None or not rows.size:
            return AdviceTable.empty()
        parts = [rows[at : at + PART_ROWS] for at in range(0, len(rows), PART_ROWS)]
        return AdviceTable.joined(
            [self._advise(self._rules, part, values, lengths, tiers) for part in parts]
        )

    def to_recommendations(self, advice: AdviceTable) -> list[Recommendation]:
        """Put recommendations into words, in the order of the table."""
        numbers = (
            *(advice.measured, advice.expected, advice.standard_deviations),
            *(advice.first, advice.last),
        )
        return [
            self.templates[rule].recommendation(*evidence)
            for rule, *evidence in zip(
                advice.rule.tolist(), *(column.tolist() for column in numbers), strict=True
            )
        ]

    def _advise(
        self,
        rules: RuleArrays,
        rows: Positions,
        values: Floats,
        lengths: Ints,
        tiers: NDArray[np.int8],
    ) -> AdviceTable:
        findings = Findings(rules, values.take(rows, axis=0), lengths.take(rows))
        applies = self._applies.take(tiers.take(rows), axis=1)
        # Rule after rule: equals stay in the order of the file.
        rule, row = (findings.hits & applies).nonzero()
        evidence = findings.evidence(row, rule)
        chosen = self._choose(row, rule, evidence.severity)
        numbers = np.array((evidence.measured, evidence.expected, evidence.standard_deviations))
        measured, expected, standard_deviations = round_for_display(numbers.take(chosen, axis=1))
        return AdviceTable(
            row=rows.take(row.take(chosen)),
            rule=rule.take(chosen),
            measured=measured,
            expected=expected,
            standard_deviations=standard_deviations,
            first=evidence.first.take(chosen),
            last=evidence.last.take(chosen),
        )

    def _choose(self, row: Positions, rule: Positions, severity: Doubles) -> Positions:
        """Return the cells that are recommended: row by row, the most severe first."""
        order = np.lexsort((-severity, row * self._priorities + self._priority.take(rule)))
        row, rule = row.take(order), rule.take(order)
        if self._feature is not None:
            first = _first_of_each(row * self._features + self._feature.take(rule))
            order, row = order[first], row[first]
        place = np.arange(len(row)) - row.searchsorted(row)
        return np.asarray(order[place < self._maximum])


def _first_of_each(keys: Positions) -> Bools:
    """Return which of some small numbers, 0 or above, are the first of their kind."""
    places = np.arange(len(keys))
    first = np.empty(keys.max(initial=-1) + 1, np.intp)
    # Backwards: of several values for one place the last one written remains.
    first[keys[::-1]] = places[::-1]
    return np.asarray(first[keys] == places)
