"""Turn what the rules found into recommendations, the worst first."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Annotated, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from records.arrays import Bools, Doubles, Floats, Ints, Positions
from records.contract import Contract, Feature, Kind
from records.reference import Reference
from scoring.policy.model import Measure, Policy, Rule
from scoring.policy.rule_arrays import RuleArrays
from scoring.policy.rules import Findings
from scoring.results import AdviceTable
from scoring.rounding import round_for_display

Thing = TypeVar("Thing")
# Larger batches are evaluated in parts, whose arrays stay in the processor's cache.
ROWS_A_PASS = 256


@dataclass(frozen=True, slots=True)
class Evidence:
    """The numbers that a recommendation rests on."""

    measured: Annotated[
        float | str,
        Field(
            description="The student's level or slope, the number of missing periods, or the "
            "name of a level.",
            examples=[61.5, "probation"],
        ),
    ]
    expected: Annotated[
        float | str,
        Field(
            description="What it was compared with: the rule's target, or what was usual in the "
            "cohort over the same periods; for a gap, the number of periods from which the rule "
            "applies.",
            examples=[75.0, "other than 'probation'"],
        ),
    ]
    unit: Annotated[str, Field(description="Unit of both numbers.", examples=["%", "% per week"])]
    against: Annotated[
        Literal["target", "cohort"],
        Field(description="Whether a fixed target or the cohort set the expectation."),
    ]
    standard_deviations: Annotated[
        float | None,
        Field(
            description="Against the cohort: by how many standard deviations (a period, for a "
            "trend) the student lies on the worse side.",
            examples=[1.4],
        ),
    ]
    first_period: Annotated[int, Field(description="First period that was measured.", examples=[3])]
    last_period: Annotated[int, Field(description="Last period that was measured.", examples=[5])]


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What is advised, to whom, by when, and on what grounds."""

    rule: Annotated[str, Field(description="Id of the policy's rule.", examples=["attendance-low"])]
    feature: Annotated[str, Field(description="Feature it is about.", examples=["attendance"])]
    label: Annotated[str, Field(description="The feature in plain words.", examples=["Attendance"])]
    measure: Annotated[
        Literal["level", "trend", "gap"],
        Field(description="Where the feature stands, where it is heading, or that it is missing."),
    ]
    recommendation: Annotated[
        str,
        Field(
            description="What the owner is advised to do.",
            examples=["Invite the student to a short talk about what keeps them from class."],
        ),
    ]
    message: Annotated[
        str,
        Field(
            description="Helping words for the student.",
            examples=["We have missed you in class. Let us find a way back together."],
        ),
    ]
    owner: Annotated[str, Field(description="Role that acts.", examples=["tutor"])]
    owner_label: Annotated[
        str, Field(description="The role in plain words.", examples=["Personal tutor"])
    ]
    due_days: Annotated[int, Field(description="Days until it should be done.", examples=[7])]
    effort_minutes: Annotated[
        int, Field(description="Expected effort of the owner.", examples=[20])
    ]
    evidence: Evidence


class Recommender:
    """A policy's recommendations for one contract and reference.

    A student's recommendations are ordered by the rule's priority, then by severity, then by the
    rule's place in the file. Of one feature only the first is kept unless the policy says
    otherwise, and of all of them the policy's `max_recommendations`.

    Args:
        policy: Checked against `contract`.
        contract: Order and meaning of the features.
        reference: The cohort to compare with.

    Attributes:
        advice: What each rule says, in the policy's order.
    """

    def __init__(self, policy: Policy, contract: Contract, reference: Reference) -> None:
        self._policy = policy
        self._rules: RuleArrays | None = None
        if policy.rules:
            self._rules = RuleArrays.from_rules(policy.rules, contract, reference)
        self.templates = [RecommendationTemplate(rule, policy, contract) for rule in policy.rules]
        priorities = [rule.priority for rule in policy.rules]
        # Numbered from 0 without gaps, so that row and priority are one number.
        different, self._priority = np.unique(np.array(priorities, np.intp), return_inverse=True)
        self._priorities = len(different)
        # Of one topic only the first is kept.
        features = contract.feature_names
        topics = [features.index(rule.feature) for rule in policy.rules]
        self._topics = np.array(topics, np.intp) if policy.one_per_feature else None
        self._features = len(features)
        # One column a tier, and a last one, reached by -1, for students without a tier.
        self._speaks = np.zeros((len(policy.rules), len(policy.tiers) + 1), np.bool_)
        for place, rule in enumerate(policy.rules):
            speaking = policy.tiers_of(rule)
            self._speaks[place, :-1] = [tier.name in speaking for tier in policy.tiers]
        self._advised = np.asarray(self._speaks.any(axis=0))

    def advise(self, values: Floats, lengths: Ints, tiers: NDArray[np.int8]) -> AdviceTable:
        """Advise on every student.

        Args:
            values: (rows, periods, features) float32, raw units, NaN for missing.
            lengths: (rows,) periods observed.
            tiers: (rows,) index of the tier, -1 for none.

        Returns:
            Each row's recommendations, the worst first; none where no rule speaks in its tier.
        """
        if self._rules is None:
            return AdviceTable.none()
        rows = self._advised[tiers].nonzero()[0]
        parts = [rows[at : at + ROWS_A_PASS] for at in range(0, len(rows), ROWS_A_PASS)]
        passes = [
            self._advise(self._rules, part, values.take(part, axis=0), lengths[part], tiers[part])
            for part in parts
        ]
        return AdviceTable.joined(passes)

    def _advise(
        self,
        rules: RuleArrays,
        rows: Positions,
        values: Floats,
        lengths: Ints,
        tiers: NDArray[np.int8],
    ) -> AdviceTable:
        findings = Findings(rules, values, lengths)
        # Rule after rule: what is equal stays in the order of the file.
        rule, row = (findings.hits & self._speaks.take(tiers, axis=1)).nonzero()
        evidence = findings.evidence(row, rule)
        chosen = self._choose(row, rule, evidence.severity)
        measured, expected, standard_deviations = round_for_display(
            np.array((evidence.measured, evidence.expected, evidence.standard_deviations)).take(
                chosen, axis=1
            )
        )
        return AdviceTable(
            rows[row[chosen]],
            rule[chosen],
            measured,
            expected,
            standard_deviations,
            evidence.first[chosen],
            evidence.last[chosen],
        )

    def to_recommendations(self, advice: AdviceTable) -> list[Recommendation]:
        """Put recommendations into words, in the order of the table."""
        numbers = (
            advice.measured,
            advice.expected,
            advice.standard_deviations,
            advice.first,
            advice.last,
        )
        return [
            self.templates[rule].recommendation(*grounds)
            for rule, *grounds in zip(
                advice.rule.tolist(), *(column.tolist() for column in numbers), strict=True
            )
        ]

    def recommend(
        self, values: Floats, lengths: Ints, tiers: NDArray[np.int8]
    ) -> list[tuple[Recommendation, ...]]:
        """Advise on every student, in words; arguments as `advise`."""
        advice = self.advise(values, lengths, tiers)
        return by_row(self.to_recommendations(advice), advice.row, len(values))

    def _choose(self, row: Positions, rule: Positions, severity: Doubles) -> Positions:
        """Return the cells that are advised: row by row, the worst first."""
        order = np.lexsort((-severity, row * self._priorities + self._priority.take(rule)))
        row, rule = row.take(order), rule.take(order)
        if self._topics is not None:
            first = _first_of_each(row * self._features + self._topics.take(rule))
            order, row = order[first], row[first]
        place = np.arange(len(row)) - row.searchsorted(row)
        return np.asarray(order[place < self._policy.max_recommendations])


def _first_of_each(things: Positions) -> Bools:
    """Tell which of some small numbers, 0 or above, are the first of their kind."""
    places = np.arange(len(things))
    first = np.empty(things.max(initial=-1) + 1, np.intp)
    # Backwards: of several values for one place the last remains.
    first[things[::-1]] = places[::-1]
    return np.asarray(first[things] == places)


def by_row(things: Sequence[Thing], row: Positions, rows: int) -> list[tuple[Thing, ...]]:
    """Split `things` into one tuple a row; `row` says, ascending, which row each belongs to."""
    if not things:
        return [()] * rows
    ends = row.searchsorted(np.arange(rows + 1)).tolist()
    return [tuple(things[start:end]) for start, end in pairwise(ends)]


class RecommendationTemplate:
    """One rule's recommendation, complete but for the student's numbers.

    Attributes:
        names: Names of the levels that its numbers are positions of; empty for real numbers.
        others: What is told as expected by a rule over levels; None for the others.
    """

    def __init__(self, rule: Rule, policy: Policy, contract: Contract) -> None:
        feature = contract.feature(rule.feature)
        numeric = rule.measure is Measure.GAP or feature.kind is Kind.NUMERIC
        self.names = () if numeric else _names(feature)
        self.others = _others(rule, feature)
        self._unit = _unit(rule, feature, contract.periods.name)
        self._against: Literal["target", "cohort"] = (
            "cohort" if rule.standard_deviations else "target"
        )
        # By position: half the time of keywords, and this runs once for every recommendation.
        self._complete = partial(
            Recommendation,
            rule.id,
            rule.feature,
            feature.label,
            rule.measure.value,
            rule.recommendation,
            rule.message,
            rule.owner,
            policy.owners[rule.owner].label,
            rule.due_days,
            rule.effort_minutes,
        )

    def recommendation(
        self, measured: float, expected: float, standard_deviations: float, first: int, last: int
    ) -> Recommendation:
        """Complete the recommendation with a student's numbers."""
        evidence = Evidence(
            self.names[int(measured)] if self.names else measured,
            self.others or (self.names[int(expected)] if self.names else expected),
            self._unit,
            self._against,
            standard_deviations if self._against == "cohort" else None,
            first,
            last,
        )
        return self._complete(evidence)


def _others(rule: Rule, feature: Feature) -> str | None:
    if rule.is_any is None:
        return None
    names = _names(feature)
    listed = (names[value] if isinstance(value, bool) else value for value in rule.is_any)
    return "other than " + " or ".join(f"'{name}'" for name in listed)


def _names(feature: Feature) -> tuple[str, ...]:
    """Return what the positions of a feature that is no number are called."""
    return ("false", "true") if feature.kind is Kind.FLAG else feature.levels


def _unit(rule: Rule, feature: Feature, period: str) -> str:
    if rule.measure is Measure.GAP:
        return f"{period}s"
    if rule.measure is Measure.TREND:
        return f"{feature.unit} per {period}".strip()
    return feature.unit
