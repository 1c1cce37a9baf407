"""Recommendations in words, with the numbers that they rest on."""

from dataclasses import dataclass
from functools import partial
from typing import Annotated, Literal

from pydantic import Field

from records.contract import Contract, Feature, Kind
from scoring.policy.model import Policy
from scoring.policy.parts import Measure, Rule


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


class RecommendationTemplate:
    """The recommendation of one rule, complete except for the student's numbers.

    Args:
        rule: A rule of the policy.
        policy: Names the owners.
        contract: Describes the feature.

    Attributes:
        names: Names of the levels that its numbers are positions of; empty for real numbers.
        others: What a rule over levels expects, in words; None for the other rules.
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
        # By position: half the time of keywords, and this runs for every recommendation.
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
