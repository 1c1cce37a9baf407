"""Reasons: how much each feature group counts towards an estimate, or against it, as shown."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from explain.comparison import ComparisonKind
from explain.reasons.when import When
from explain.words import Shown, Standing

View = Literal["level", "change"]
Direction = Literal["towards", "against"]


@dataclass(frozen=True, slots=True)
class ReasonFeature:
    """A feature in which the student differs from the comparison."""

    feature: Annotated[str, Field(description="Feature of the contract.", examples=["attendance"])]
    label: Annotated[str, Field(description="Plain words for it.", examples=["Attendance"])]
    unit: Annotated[str, Field(description="Its unit.", examples=["%"])]
    value: Annotated[
        Shown, Field(description="Latest observed; null where there is none.", examples=[61])
    ]
    usual: Annotated[
        Shown,
        Field(
            description="Of the comparison at that period; null where it has none.", examples=[83]
        ),
    ]
    standing: Annotated[
        Standing, Field(description="By the contract's `better`.", examples=["worse"])
    ]


@dataclass(frozen=True, slots=True)
class GroupReason:
    """How much one feature group counts towards the estimate, or against it."""

    group: Annotated[str, Field(description="Label of the group.", examples=["Attendance"])]
    effect: Annotated[
        float, Field(description="Logits; above 0 towards the estimate.", examples=[0.83])
    ]
    share: Annotated[float, Field(description="Of the sum of absolute effects.", examples=[0.47])]
    direction: Annotated[Direction, Field(description="The sign of the effect.")]
    features: Annotated[
        tuple[ReasonFeature, ...], Field(description="Where the student differs most, at most two.")
    ]
    text: Annotated[str, Field(description="The same in words.")]


@dataclass(frozen=True, slots=True)
class ComparedWith:
    """What the student is compared with."""

    kind: Annotated[
        ComparisonKind,
        Field(
            description="`typical`: medians of the same group and length; `own_course`: the "
            "student's own history up to `since`, continued as the typical one's moved; "
            "`nothing`: a student of whom no value is known."
        ),
    ]
    group: Annotated[str | None, Field(description="Whose medians; null for all groups.")]
    intake: Annotated[str | None, Field(description="Of which intake; null for all intakes.")]
    records: Annotated[int | None, Field(description="Records behind the medians.")]
    since: Annotated[int | None, Field(description="Last period of the student's own history.")]
    risk: Annotated[float, Field(description="The model's estimate for it.", examples=[0.31])]
    text: Annotated[str, Field(description="The same in words.")]


@dataclass(frozen=True, slots=True)
class MissingValues:
    """What missing values count for."""

    values: Annotated[
        int, Field(description="Values that are missing and typical students have.", examples=[4])
    ]
    effect: Annotated[
        float,
        Field(description="Logits: the estimate less that with typical values there instead."),
    ]
    nothing_known: Annotated[
        float, Field(description="The estimate for a student of whom no value is known.")
    ]


@dataclass(frozen=True, slots=True)
class Reasons:
    """How much each feature group counts towards an estimate or against it, by a stated comparison.

    Reasons describe the model. They are not causes.
    """

    view: Annotated[View, Field(description="Why so high, or why it changed.")]
    risk: Annotated[float, Field(description="The estimate that is explained.", examples=[0.741])]
    compared_with: ComparedWith
    total: Annotated[
        float, Field(description="Sum of all effects: logit(risk) less the comparison's.")
    ]
    groups: Annotated[
        tuple[GroupReason, ...], Field(description="At most five, the largest first.")
    ]
    rest: Annotated[float, Field(description="Effects of the groups left out, together.")]
    missing: MissingValues
    when: When
    method: Annotated[Literal["exact", "sampled"], Field(description="Sampled beyond ten groups.")]
    error: Annotated[float, Field(description="Largest standard error of an effect.")]
