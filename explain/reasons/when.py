"""When the risk moved: the steps of a trajectory in logits, which a causal network gives anyway."""

from dataclasses import dataclass
from typing import Annotated, Final, Literal

import numpy as np
from pydantic import Field

from explain.logits import logit
from records.arrays import Doubles

# A move of fewer logits than this is no turn: five points of a probability of one half.
LASTING: Final = 0.2


@dataclass(frozen=True, slots=True)
class RiskStep:
    """How far the estimate moved in one period."""

    period: Annotated[int, Field(description="Period, counted from 1.", examples=[4])]
    risk: Annotated[float, Field(description="The estimate after it.", examples=[0.462])]
    effect: Annotated[float, Field(description="The step in logits.", examples=[0.31])]


@dataclass(frozen=True, slots=True)
class Turn:
    """The latest lasting move of the estimate."""

    period: Annotated[
        int, Field(description="The first period of the move, counted from 1.", examples=[4])
    ]
    direction: Annotated[Literal["up", "down"], Field(description="Where the estimate went.")]
    before: Annotated[float, Field(description="The estimate before the move.", examples=[0.33])]
    now: Annotated[float, Field(description="The estimate now.", examples=[0.741])]


@dataclass(frozen=True, slots=True)
class When:
    """When the estimate moved."""

    start: Annotated[
        float, Field(description="The estimate with nothing known after period 1.", examples=[0.31])
    ]
    steps: Annotated[
        tuple[RiskStep, ...],
        Field(description="Periods in which enough was known; steps sum to the whole way."),
    ]
    turned: Annotated[
        Turn | None, Field(description="null where the estimate was steady all along.")
    ]


def describe_course(trajectory: Doubles, start: float) -> When:
    """Describe when the estimate moved.

    Args:
        trajectory: (periods,) risk after every period, NaN where it is not shown.
        start: The estimate with nothing known after period 1.
    """
    shown = np.flatnonzero(~np.isnan(trajectory))
    risks = trajectory[shown]
    effects = np.diff(logit(np.concatenate(([start], risks))))
    points = zip((shown + 1).tolist(), risks.tolist(), effects.tolist(), strict=True)
    steps = tuple(
        RiskStep(period, round(risk, 6), round(effect, 6)) for period, risk, effect in points
    )
    return When(round(start, 6), steps, find_turn(trajectory))


def find_turn(trajectory: Doubles) -> Turn | None:
    """Find the latest lasting move: since the period from which the estimate moved farthest.

    Args:
        trajectory: (periods,) risk after every period, NaN where it is not shown.

    Returns:
        None where no earlier estimate lies at least `LASTING` logits from the last one.
    """
    shown = np.flatnonzero(~np.isnan(trajectory))
    if len(shown) < 2:
        return None
    logits = logit(trajectory[shown])
    moved = logits[-1] - logits[:-1]
    # The latest of equals: argmax finds the first, so look from behind.
    farthest = len(moved) - 1 - int(np.abs(moved[::-1]).argmax())
    if abs(moved[farthest]) < LASTING:
        return None
    return Turn(
        period=int(shown[farthest + 1]) + 1,
        direction="up" if moved[farthest] > 0 else "down",
        before=round(float(trajectory[shown[farthest]]), 6),
        now=round(float(trajectory[shown[-1]]), 6),
    )
