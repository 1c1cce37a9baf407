"""What-if: the estimates that the model would give to changed futures. They are no promises."""

from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import Field

from explain.words import Shown

Preset = Literal["as_last_three", "typical", "hand_in"]
MOST_PERIODS: Final = 4


@dataclass(frozen=True, slots=True)
class LeverRange:
    """An actionable feature that a future can change, and its ordinary range."""

    feature: Annotated[str, Field(description="Feature of the contract.", examples=["attendance"])]
    label: Annotated[str, Field(description="Plain words for it.", examples=["Attendance"])]
    unit: Annotated[str, Field(description="Its unit.", examples=["%"])]
    group: Annotated[str, Field(description="Its group in reasons.", examples=["Attendance"])]
    better: Annotated[Literal["higher", "lower"], Field(description="The better direction.")]
    now: Annotated[
        Shown, Field(description="Where the student stands; null where unknown.", examples=[61])
    ]
    typical: Annotated[
        Shown, Field(description="Median of the reference in the next period.", examples=[83])
    ]
    low: Annotated[Shown, Field(description="5th percentile of it.", examples=[42])]
    high: Annotated[Shown, Field(description="95th percentile of it.", examples=[100])]
    step: Annotated[float, Field(description="A round step to change it by.", examples=[1.0])]


@dataclass(frozen=True, slots=True)
class RangesFrom:
    """Whose medians and ranges a what-if goes by."""

    group: Annotated[str | None, Field(description="Level of the grouping feature; null: all.")]
    intake: Annotated[str | None, Field(description="Which intake; null: all.")]
    records: Annotated[int, Field(description="Records behind them.", examples=[1767])]


@dataclass(frozen=True, slots=True)
class OutsideRange:
    """A value of a future that few students of the reference had."""

    feature: Annotated[str, Field(description="Feature of the contract.", examples=["attendance"])]
    period: Annotated[int, Field(description="The first such period.", examples=[6])]
    low: Annotated[Shown, Field(description="5th percentile then.", examples=[42])]
    high: Annotated[Shown, Field(description="95th percentile then.", examples=[100])]


@dataclass(frozen=True, slots=True)
class FuturePoint:
    """The estimate after one future period."""

    period: Annotated[int, Field(description="Period, counted from 1.", examples=[6])]
    risk: Annotated[float, Field(description="What the model would estimate.", examples=[0.61])]


@dataclass(frozen=True, slots=True)
class FutureEstimate:
    """What the model would estimate in one future."""

    name: Annotated[str, Field(description="A preset's, or as sent.", examples=["as_last_three"])]
    label: Annotated[str, Field(description="Plain words for it.")]
    risk: Annotated[float, Field(description="After the last period.", examples=[0.412])]
    tier: Annotated[str, Field(description="The policy's tier of that.", examples=["moderate"])]
    change: Annotated[float, Field(description="Against the estimate now.", examples=[-0.329])]
    trajectory: Annotated[tuple[FuturePoint, ...], Field(description="Period by period.")]
    changes: Annotated[
        dict[str, Shown],
        Field(description="Feature -> value in the last period.", examples=[{"attendance": 85}]),
    ]
    outside: Annotated[
        tuple[OutsideRange, ...],
        Field(description="Values outside the reference; the model has seen few such students."),
    ]
    text: Annotated[str, Field(description="The same in words.")]


@dataclass(frozen=True, slots=True)
class ChangedFeature:
    """A feature of a change, and what it is changed to."""

    feature: Annotated[str, Field(description="Feature of the contract.", examples=["attendance"])]
    label: Annotated[str, Field(description="Plain words for it.", examples=["Attendance"])]
    unit: Annotated[str, Field(description="Its unit.", examples=["%"])]
    to: Annotated[Shown, Field(description="The value.", examples=[85])]


@dataclass(frozen=True, slots=True)
class GroupChange:
    """Features of one group that are changed together."""

    group: Annotated[str, Field(description="Label of the group.", examples=["Attendance"])]
    features: tuple[ChangedFeature, ...]


@dataclass(frozen=True, slots=True)
class Recourse:
    """The smallest change that would bring the estimate below a bound."""

    below: Annotated[float, Field(description="The bound.", examples=[0.4])]
    found: Annotated[bool, Field(description="false: none within reach.")]
    periods: Annotated[int, Field(description="For how many periods.", examples=[2])]
    risk: Annotated[
        float,
        Field(description="The estimate with the change; the lowest found where there is none."),
    ]
    changes: Annotated[
        tuple[GroupChange, ...], Field(description="Empty where none is within reach or needed.")
    ]
    text: Annotated[str, Field(description="The same in words.")]


@dataclass(frozen=True, slots=True)
class WhatIf:
    """What the model would estimate in several futures of one student."""

    period: Annotated[int, Field(description="Last observed period.", examples=[5])]
    risk: Annotated[float, Field(description="The estimate now.", examples=[0.741])]
    tier: Annotated[str, Field(description="Its tier.", examples=["high"])]
    periods: Annotated[int, Field(description="Periods appended.", examples=[2])]
    ranges_from: Annotated[
        RangesFrom | None,
        Field(description="null where no reference is so long: nothing can then be changed."),
    ]
    levers: tuple[LeverRange, ...]
    hidden: Annotated[
        tuple[str, ...],
        Field(
            description="Actionable features that are not offered: when the bundle was checked, "
            "an improvement raised the estimate too often."
        ),
    ]
    futures: tuple[FutureEstimate, ...]
    recourse: Recourse | None
