"""The contract: what a record holds, as a TOML file checked when read."""

import hashlib
import math
from enum import StrEnum
from importlib import resources
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from records.errors import ContractError
from records.files.toml_file import parse_toml, read_toml

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]
SHIPPED = ("simulated", "semesters", "oulad", "midfield")


class Kind(StrEnum):
    """What kind of quantity a feature is."""

    NUMERIC = "numeric"
    CATEGORICAL = "categorical"
    ORDINAL = "ordinal"
    FLAG = "flag"


class Better(StrEnum):
    """Which direction of a feature is the better one for the student."""

    HIGHER = "higher"
    LOWER = "lower"
    NEITHER = "neither"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Relative(_Frozen):
    """What makes a feature relative: where the student stands among the others of that period.

    `records.learnt.relative` computes it where it is missing: the standard deviations that the feature
    `of` lies above its mean among the others, within the feature's own minimum and maximum.
    """

    of: Name = Field(description="The numeric feature that is compared.")
    within: Name | None = Field(
        default=None,
        description="The categorical feature whose level the others share, such as the module; "
        "null for the whole cohort.",
    )
    fewest: int = Field(
        default=20, ge=2, description="With a value of fewer students there is none to stand by."
    )


class Feature(_Frozen):
    """One column of a record.

    In arrays every feature is one float32: the number itself; for categorical and ordinal
    features the position of the level in `levels`; for flags 0 or 1. NaN means missing.
    """

    name: Name
    label: str = Field(min_length=1, description="Plain words for screens and messages.")
    kind: Kind = Kind.NUMERIC
    unit: str = ""
    minimum: FiniteFloat | None = None
    maximum: FiniteFloat | None = None
    levels: tuple[str, ...] = ()
    better: Better = Better.NEITHER
    actionable: bool = False
    description: str = ""
    relative: Relative | None = None
    group: str | None = Field(
        default=None,
        pattern=r"^\S(.*\S)?$",
        max_length=40,
        description="Label of the group that reasons name it in; see `records.groups`.",
    )
    after_hand_in: FiniteFloat | None = Field(
        default=None, description="Its value once everything that is due is handed in."
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.kind in {Kind.CATEGORICAL, Kind.ORDINAL}:
            if len(self.levels) < 2:
                raise ValueError(f"a {self.kind} feature needs `levels`, at least two")
            if len(set(self.levels)) != len(self.levels):
                raise ValueError("`levels` must differ from each other")
            if any(not level or level != level.strip() for level in self.levels):
                raise ValueError("`levels` must not be empty or begin or end with a space")
            if self.minimum is not None or self.maximum is not None:
                raise ValueError(f"a {self.kind} feature has `levels`, not a minimum or maximum")
        elif self.levels:
            raise ValueError(f"a {self.kind} feature has no `levels`")
        if self.kind is Kind.FLAG and (self.minimum is not None or self.maximum is not None):
            raise ValueError("a flag is true or false and has no minimum or maximum")
        if self.kind is Kind.CATEGORICAL and self.better is not Better.NEITHER:
            raise ValueError("levels of a categorical feature have no order: `better` = 'neither'")
        if self.kind is Kind.NUMERIC and self.lower_bound >= self.upper_bound:
            raise ValueError("`minimum` must be below `maximum`")
        return self

    @model_validator(mode="after")
    def _relative_in_numbers(self) -> Self:
        if self.relative is not None and self.kind is not Kind.NUMERIC:
            raise ValueError("a `relative` feature is a number of standard deviations: numeric")
        return self

    @model_validator(mode="after")
    def _handed_in_by_action(self) -> Self:
        if (value := self.after_hand_in) is not None:
            if not self.actionable:
                raise ValueError("`after_hand_in` belongs to features that are `actionable`")
            if not self.lower_bound <= value <= self.upper_bound:
                raise ValueError(f"`after_hand_in` must be {self.expected}")
        return self

    @property
    def lower_bound(self) -> float:
        """Smallest code or number allowed, -inf where there is no limit."""
        if self.kind is Kind.NUMERIC:
            return -math.inf if self.minimum is None else self.minimum
        return 0.0

    @property
    def upper_bound(self) -> float:
        """Largest code or number allowed, inf where there is no limit."""
        if self.kind is Kind.NUMERIC:
            return math.inf if self.maximum is None else self.maximum
        return 1.0 if self.kind is Kind.FLAG else float(len(self.levels) - 1)

    @property
    def expected(self) -> str:
        """Say in words what a value must be, for messages."""
        if self.levels:
            return "one of " + ", ".join(f"'{level}'" for level in self.levels)
        if self.kind is Kind.FLAG:
            return "true or false"
        if self.minimum is not None and self.maximum is not None:
            return f"a number from {self.minimum:g} to {self.maximum:g}"
        if self.minimum is not None:
            return f"a number of at least {self.minimum:g}"
        if self.maximum is not None:
            return f"a number of at most {self.maximum:g}"
        return "a finite number"


class Periods(_Frozen):
    """The clock of the records: periods are numbered 1, 2, … `maximum`."""

    name: str = Field(min_length=1, description="Such as 'week' or 'semester'.")
    maximum: int = Field(ge=1, le=520)


class RiskTarget(_Frozen):
    """The binary target: 1 is the outcome to be warned of."""

    label: str = Field(min_length=1)
    description: str = ""


class ScoreTarget(_Frozen):
    """The score to be forecast for the next period or stage, one number per subject."""

    label: str = Field(min_length=1)
    unit: str = ""
    minimum: FiniteFloat
    maximum: FiniteFloat
    subjects: tuple[Name, ...] = Field(default=("score",), min_length=1)
    description: str = ""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.minimum >= self.maximum:
            raise ValueError("`minimum` must be below `maximum`")
        if len(set(self.subjects)) != len(self.subjects):
            raise ValueError("`subjects` must differ from each other")
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the subjects' columns in a table: 'score', or 'score_<subject>' each."""
        if self.subjects == ("score",):
            return self.subjects
        return tuple(f"score_{subject}" for subject in self.subjects)


class Targets(_Frozen):
    """What the models learn."""

    risk: RiskTarget
    score: ScoreTarget


class Audit(_Frozen):
    """An attribute kept for fairness audits; never an input of a model."""

    name: Name
    label: str = Field(min_length=1)


class Contract(_Frozen):
    """What a record holds: features, periods, targets, audit attributes."""

    name: Name
    version: int = Field(ge=1)
    title: str = Field(min_length=1)
    description: str = ""
    periods: Periods
    features: tuple[Feature, ...] = Field(min_length=1)
    targets: Targets
    audit: tuple[Audit, ...] = ()
    missing: tuple[str, ...] = Field(
        default=(),
        description="Texts that stand for a missing value in tables, such as '-', besides an "
        "empty cell, NA and NaN.",
    )

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        reserved = {*RESERVED, *self.targets.score.columns}
        seen = set(reserved)
        for name in [f.name for f in self.features] + [a.name for a in self.audit]:
            if name in seen:
                reason = "is reserved" if name in reserved else "is used twice"
                raise ValueError(f"the name '{name}' {reason}; choose another")
            seen.add(name)
        return self

    @model_validator(mode="after")
    def _relatives_fit(self) -> Self:
        known = {feature.name: feature for feature in self.features}
        for name, relative in ((f.name, f.relative) for f in self.features if f.relative):
            base = known.get(relative.of)
            if base is None or base.kind is not Kind.NUMERIC or base.relative is not None:
                raise ValueError(
                    f"'{name}' is relative to '{relative.of}', which must be a numeric feature "
                    "that is not relative itself"
                )
            group = known.get(relative.within) if relative.within else None
            if relative.within and (group is None or group.kind is not Kind.CATEGORICAL):
                raise ValueError(
                    f"'{name}' is relative within '{relative.within}', which must be a "
                    "categorical feature; leave `within` out for the whole cohort"
                )
        return self

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names in the order of the arrays' last axis."""
        return tuple(feature.name for feature in self.features)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the contract's meaning, independent of the file's layout.

        What a relative feature is computed from is no part of it, nor is how features are explained, nor how
        tables write a missing value:
        values mean the same, and models from before contracts could say it stay valid.
        """
        meaning = self.model_dump_json(
            exclude={"features": {"__all__": _NOT_MEANING}, "missing": True}
        )
        return hashlib.sha256(meaning.encode()).hexdigest()

    def feature(self, name: str) -> Feature:
        """Return the feature called `name`.

        Raises:
            ContractError: There is none.
        """
        try:
            return self.features[self.feature_names.index(name)]
        except ValueError:
            known = ", ".join(self.feature_names)
            raise ContractError(f"'{name}' is no feature of '{self.name}' ({known}).") from None


# Keys of a feature that do not change what its values mean.
_NOT_MEANING = {"relative", "group", "after_hand_in"}
# Columns that every long table may have beside the contract's own (see records/tables/read_write.py).
RESERVED = ("id", "student", "cohort", "period", "observed", "eligible", "risk")


def load_contract(source: str | Path) -> Contract:
    """Read a contract: the name of a shipped one, or the path of a TOML file.

    Raises:
        ContractError: Unknown name, or a file that breaks the rules (file, line, key, reason).
    """
    if str(source) in SHIPPED:
        return parse_toml(shipped_text(str(source)), Contract, name=f"{source}.toml")
    path = Path(source)
    if path.suffix != ".toml":
        raise ContractError(
            f"'{source}' is no shipped contract ({', '.join(SHIPPED)}) and no .toml file."
        )
    return read_toml(path, Contract)


def shipped_text(name: str) -> str:
    """Return the TOML text of a shipped contract."""
    return (resources.files("records.contracts") / f"{name}.toml").read_text(encoding="utf-8")
