"""The policy: tiers and rules, as a TOML file that an academic office edits without retraining."""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Annotated, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from records.contract import SHIPPED, Contract, Name
from records.errors import ContractError
from records.toml_file import Key, line_of_keys, parse_toml
from scoring.policy.validation import faults_against_contract, faults_within

DECIMALS = 6
RuleId = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$", max_length=64)]
Text = Annotated[str, Field(min_length=1, max_length=600)]


class Measure(StrEnum):
    """What a rule looks at: where a feature stands, where it is heading, or that it is absent."""

    LEVEL = "level"
    TREND = "trend"
    GAP = "gap"


class _Frozen(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        populate_by_name=True,
        serialize_by_alias=True,
    )


class Tier(_Frozen):
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
        if self.from_ != round(self.from_, DECIMALS):
            raise ValueError(f"`from` may have {DECIMALS} decimals at most")
        return self


class Minimum(_Frozen):
    """How much must be known of a student before a tier is given at all."""

    periods: int = Field(
        default=1, ge=1, description="Periods in which at least one actionable value was observed."
    )
    share: float = Field(
        default=0.25,
        ge=0,
        le=1,
        description="Share of the actionable values observed, over all periods so far.",
    )


class Owner(_Frozen):
    """A role that acts on recommendations."""

    label: str = Field(min_length=1, description="Plain words for screens.")
    description: str = ""


class Rule(_Frozen):
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
        description="How many of the last observed values the measure uses: 1 unless told for a "
        "level, 3 unless told for a trend.",
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
        "cohort has a value, so that nobody is chased for what nobody had to do.",
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
        description="Tiers the rule speaks in; never the lowest. All others unless told.",
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


class Praise(_Frozen):
    """What is suggested when a student's tier falls to one that opens no case."""

    recommendation: Text = Field(description="What the owner is advised to do.")
    message: Text = Field(description="Words for the student.")
    owner: Name = Field(description="Who acts: a key of `owners`.")
    due_days: int = Field(default=7, ge=0, le=365)


class Policy(_Frozen):
    """Tiers and rules: which deficiency leads to which recommendation.

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

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        # Locations make the reader name the line of each fault, not that of the whole file.
        if faults := list(faults_within(self)):
            raise ValidationError.from_exception_data(
                "Policy",
                [
                    InitErrorDetails(
                        type=PydanticCustomError("policy", "{why}", {"why": why}),
                        loc=where,
                        input=None,
                    )
                    for where, why in faults
                ],
            )
        return self

    @cached_property
    def bounds(self) -> NDArray[np.float64]:
        """(tiers,) the smallest probability of each tier, ascending."""
        return np.array([tier.from_ for tier in self.tiers])

    def tier_of(self, probabilities: ArrayLike) -> NDArray[np.int8]:
        """Decide the tier of each probability: the one place where tiers are decided.

        Probabilities are first rounded by `rounded`, so that 0.7 is the same number in float32
        and float64 and what is shown is what was decided on. A bound belongs to the upper tier.

        Args:
            probabilities: Any shape, float32 or float64; NaN where there is none.

        Returns:
            int8, the same shape: index into `tiers`, -1 for NaN.
        """
        return self.tier_of_rounded(rounded(probabilities))

    def tier_of_rounded(self, probabilities: NDArray[np.float64]) -> NDArray[np.int8]:
        """Decide the tiers of probabilities that `rounded` returned; else as `tier_of`."""
        return highest_reached(probabilities, self.bounds)

    def tiers_of(self, rule: Rule) -> tuple[str, ...]:
        """Names of the tiers in which `rule` speaks."""
        return rule.tiers or tuple(tier.name for tier in self.tiers[1:])


def highest_reached(
    probabilities: NDArray[np.float64], bounds: Iterable[NDArray[np.float64] | float]
) -> NDArray[np.int8]:
    """Find the highest of some bounds that each probability reaches; a bound itself is reached.

    Args:
        probabilities: Any shape; NaN reaches nothing.
        bounds: Ascending, the first one 0; numbers, or arrays that fit the probabilities.

    Returns:
        int8, the same shape: index into the bounds, -1 for NaN.
    """
    tier = np.full(probabilities.shape, -1, np.int8)
    for bound in bounds:
        tier += probabilities >= bound
    return tier


def rounded(probabilities: ArrayLike) -> NDArray[np.float64]:
    """Round probabilities to six decimals in float64: what is shown and decided on.

    One float32 step near 0.7 is 6e-8 and execution providers differ by up to 4e-7; neither is a
    reason to call a student's tier another name.
    """
    return np.asarray(np.asarray(probabilities, np.float64).round(DECIMALS))


def load_policy(source: str | Path, contract: Contract) -> Policy:
    """Read a policy, the shipped one by name or a TOML file by path, and check its contract.

    Raises:
        ContractError: Unknown name, or a file that breaks the rules or does not fit `contract`
            (file, line, key, reason).
    """
    text, name = policy_text(source), _file_name(source)
    policy = parse_toml(text, Policy, name=name)
    lines = line_of_keys(text)
    if faults := [
        f"{name}:{_line(lines, where)}: {'.'.join(map(str, where))}: {why}"
        for where, why in faults_against_contract(policy, contract)
    ]:
        raise ContractError("\n".join(faults))
    return policy


def policy_text(source: str | Path) -> str:
    """Return the TOML text of a policy: of the shipped one by name, or of the file at a path.

    Raises:
        ContractError: Unknown name, no such file, or not UTF-8.
    """
    if str(source) in SHIPPED:
        return (resources.files("scoring.policy.shipped") / f"{source}.toml").read_text(
            encoding="utf-8"
        )
    path = Path(source)
    if path.suffix != ".toml":
        raise ContractError(
            f"'{source}' is no shipped policy ({', '.join(SHIPPED)}) and no .toml file."
        )
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ContractError(f"{path}: no such file.") from None
    except UnicodeDecodeError as error:
        raise ContractError(f"{path}: not UTF-8 at byte {error.start}; save it as UTF-8.") from None


def _file_name(source: str | Path) -> str:
    return f"{source}.toml" if str(source) in SHIPPED else str(source)


def _line(lines: dict[tuple[Key, ...], int], where: Sequence[Key]) -> int:
    known = (tuple(where[:end]) for end in range(len(where), -1, -1))
    return next(lines[location] for location in known if location in lines)
