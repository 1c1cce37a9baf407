"""What a policy is made of, as its TOML file holds it: tiers, rules, owners and their texts."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from records.contract import Name
from scoring.rounding import RISK_DECIMALS

RuleId = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$", max_length=64)]
Text = Annotated[str, Field(min_length=1, max_length=600)]


class Measure(StrEnum):
    """What a rule measures: where a feature stands, where it is heading, or that it is missing."""

    LEVEL = "level"
    TREND = "trend"
    GAP = "gap"


class PolicyPart(BaseModel):
    """A table of the file: frozen, without further keys, finite numbers."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        populate_by_name=True,
        serialize_by_alias=True,
    )


class Tier(PolicyPart):
    """A band of the risk probability, from its own `from` up to the next tier's."""

    name: Name
    label: str = Field(min_length=1, description="Plain words for screens.")
    from_: float = Field(
        alias="from",
        ge=0,
        lt=1,
        description="Smallest probability of the tier, with six decimals at most; it belongs to "
        "the tier itself.",
    )
    description: str = Field(default="", description="What the tier means for the student.")

    @model_validator(mode="after")
    def _decimals(self) -> Self:
        if self.from_ != round(self.from_, RISK_DECIMALS):
            raise ValueError(f"`from` may have {RISK_DECIMALS} decimals at most")
        return self


class Minimum(PolicyPart):
    """How much must be observed of a student before a tier is given."""

    periods: int = Field(
        default=1, ge=1, description="Periods in which at least one actionable value was observed."
    )
    share: float = Field(
        default=0.25,
        ge=0,
        le=1,
        description="Share of the actionable values observed, over all periods so far.",
    )


class Owner(PolicyPart):
    """A role that acts on recommendations."""

    label: str = Field(min_length=1, description="Plain words for screens.")
    description: str = ""


class Rule(PolicyPart):
    """One deficiency of one feature, and the recommendation that it leads to.

    Exactly one condition is given: `worse_than`, `is_any` or `standard_deviations` for a level,
    `worsens_by` or `standard_deviations` for a trend, `at_least` for a gap.
    """

    id: RuleId
    feature: Name
    measure: Measure
    window: int | None = Field(
        default=None,
        ge=1,
        description="How many of the last observed values the measure uses: by default "
        "1 for a level and 3 for a trend.",
    )
    # Strict, or `worse_than = true` would quietly mean 1.
    worse_than: Annotated[float, Field(strict=True)] | str | None = Field(
        default=None,
        description="Level: applies where it is worse than this number, or this ordinal level.",
    )
    is_any: tuple[bool | str, ...] | None = Field(
        default=None, min_length=1, description="Level: applies where the value is one of these."
    )
    worsens_by: float | None = Field(
        default=None,
        gt=0,
        description="Trend: applies where the slope worsens by this much a period, or more.",
    )
    at_least: int | None = Field(
        default=None, ge=1, description="Gap: applies from this many missing periods in a row."
    )
    usual_share: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description="Gap: count only periods in which at least this share of the reference "
        "cohort has a value: where none was due, none is missing.",
    )
    standard_deviations: float | None = Field(
        default=None,
        gt=0,
        description="Against the cohort. Level: applies where it lies this many standard deviations or more "
        "on the worse side of the reference's mean. Trend: where it falls behind the "
        "reference by this many standard deviations a period or more.",
    )
    tiers: tuple[Name, ...] | None = Field(
        default=None,
        min_length=1,
        description="Tiers in which the rule applies, by default all but the lowest, which is never allowed.",
    )
    recommendation: Text = Field(description="What the owner is advised to do.")
    message: Text = Field(description="Helping words for the student; never blaming.")
    owner: Name = Field(description="Who acts: a key of `owners`.")
    due_days: int = Field(ge=0, le=365, description="Urgency: days until it should be done.")
    effort_minutes: int = Field(ge=1, le=10_000, description="Expected effort of the owner.")
    priority: int = Field(
        default=2, ge=1, le=9, description="1 comes first; equal priorities go by severity."
    )
    choice: Name | None = Field(
        default=None,
        description="Rules with the same word here are equivalent: good practice and equal in "
        "burden. Where one applies, the desk draws one of them, so that their effects can be "
        "compared.",
    )

    @property
    def depth(self) -> int:
        """How many of the last observed values the measure uses."""
        return self.window or (3 if self.measure is Measure.TREND else 1)

    @model_validator(mode="before")
    @classmethod
    def _renamed(cls, given: object) -> object:
        if isinstance(given, dict) and "spreads" in given:
            raise ValueError("`spreads` is now called `standard_deviations`; rename it")
        return given

    @model_validator(mode="after")
    def _one_condition(self) -> Self:
        allowed = _CONDITIONS[self.measure]
        given = [name for name in _ALL_CONDITIONS if getattr(self, name) is not None]
        if strange := [name for name in given if name not in allowed]:
            raise ValueError(f"a {self.measure} rule has no `{strange[0]}`")
        if len(given) != 1:
            listed = " or ".join(f"`{name}`" for name in allowed)
            raise ValueError(f"a {self.measure} rule needs exactly one condition: {listed}")
        if self.measure is Measure.GAP and self.window is not None:
            raise ValueError("a gap rule has no `window`: it counts missing periods")
        if self.measure is not Measure.GAP and self.usual_share is not None:
            raise ValueError("`usual_share` belongs to gap rules")
        if self.measure is Measure.TREND and self.depth < 2:
            raise ValueError("a trend needs a `window` of at least 2 values")
        return self


_CONDITIONS = {
    Measure.LEVEL: ("worse_than", "is_any", "standard_deviations"),
    Measure.TREND: ("worsens_by", "standard_deviations"),
    Measure.GAP: ("at_least",),
}
_ALL_CONDITIONS = ("worse_than", "is_any", "worsens_by", "at_least", "standard_deviations")
_PAPER_TIERS = (
    Tier(name="low", label="On course", from_=0.0),
    Tier(name="moderate", label="Some support advised", from_=0.4),
    Tier(name="high", label="Support advised soon", from_=0.7),
)


class Praise(PolicyPart):
    """What is suggested when a student's tier falls to one that opens no case."""

    recommendation: Text = Field(description="What the owner is advised to do.")
    message: Text = Field(description="Words for the student.")
    owner: Name = Field(description="Who acts: a key of `owners`.")
    due_days: int = Field(default=7, ge=0, le=365)


class PolicyFields(PolicyPart):
    """The keys of a policy; `scoring.policy.model.Policy` is one that is consistent.

    The tiers default to paper A's: low P < 0.40, moderate 0.40 <= P < 0.70, high P >= 0.70.
    """

    name: Name
    version: int = Field(ge=1)
    contract: Name = Field(description="Name of the contract whose features the rules name.")
    title: str = ""
    description: str = ""
    max_recommendations: int = Field(
        default=3, ge=1, le=20, description="The most that one student gets; the worst come first."
    )
    one_per_feature: bool = Field(
        default=True, description="Keep only the worst of a feature's recommendations."
    )
    minimum: Minimum = Minimum()
    tiers: tuple[Tier, ...] = Field(
        default=_PAPER_TIERS, min_length=2, description="From the lowest to the highest."
    )
    capacity: dict[Name, Annotated[float, Field(gt=0, lt=1)]] | None = Field(
        default=None,
        description="Tiers by capacity: tier -> share of the cohort that it holds at each period, "
        "the riskiest in the highest tier. `from` of the tiers then decides nothing.",
    )
    opens_case: tuple[Name, ...] | None = Field(
        default=None,
        min_length=1,
        description="Tiers that open a case at two periods in a row, the highest tier at once. All "
        "above the lowest unless given.",
    )
    fall_margin: float = Field(
        default=0.05,
        ge=0,
        lt=1,
        description="The desk's tier falls only when the probability lies below its bound by this "
        "margin at two periods in a row.",
    )
    no_answer_attempts: int = Field(
        default=2,
        ge=1,
        le=20,
        description="Attempts without an answer after which a case escalates.",
    )
    praise: Praise | None = Field(default=None, description="Words for those who recovered.")
    owners: dict[Name, Owner] = Field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
