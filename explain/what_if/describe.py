"""Put what the model would estimate into words and numbers."""

from collections.abc import Mapping, Sequence

import numpy as np

from explain.what_if.futures import FutureRequest, Outlook
from explain.what_if.levers import Lever, Move
from explain.what_if.recourse import Found
from explain.what_if.types import (
    ChangedFeature,
    FutureEstimate,
    FuturePoint,
    GroupChange,
    LeverRange,
    OutsideRange,
    RangesFrom,
    Recourse,
    WhatIf,
)
from explain.words import in_words, shown
from records.arrays import Doubles, Floats
from records.contract import Contract
from scoring.policy.tiers import Tiers

_LABELS = {
    "as_last_three": "As in the last three {periods}",
    "typical": "As a typical student",
    "hand_in": "With everything that is due handed in",
}


class WhatIfDescriber:
    """Describes futures of one contract's histories.

    Args:
        contract: What the features are.
        tiers: What decides tiers.
    """

    def __init__(self, contract: Contract, tiers: Tiers) -> None:
        self._contract = contract
        self._tiers = tiers
        self._names = [tier.name for tier in tiers.policy.tiers]

    def describe(
        self,
        outlook: Outlook,
        risk: float,
        *,
        futures: Sequence[tuple[FutureRequest, Mapping[int, Floats], Doubles]],
        hidden: tuple[str, ...],
        recourse: Recourse | None,
    ) -> WhatIf:
        """Describe what was found.

        Args:
            outlook: The history, and what can be changed.
            risk: The estimate now.
            futures: What was asked, what it changes, and (periods,) risk after each.
            hidden: Features that are not offered.
            recourse: The smallest sufficient change, where it was wanted.
        """
        start = len(outlook.history)
        usual = outlook.usual
        return WhatIf(
            period=start,
            risk=risk,
            tier=self._tier(risk, start),
            periods=len(outlook.course),
            ranges_from=None
            if usual is None
            else RangesFrom(usual.group, usual.intake, usual.records[min(start, len(usual) - 1)]),
            levers=tuple(_lever(lever) for lever in outlook.levers),
            hidden=hidden,
            futures=tuple(self._estimate(outlook, risk, *future) for future in futures),
            recourse=recourse,
        )

    def recourse(self, found: Found, below: float, periods: int) -> Recourse:
        """Describe what a search for the smallest sufficient change came to.

        Args:
            found: What it came to.
            below: The bound.
            periods: For how many periods the change lasts.
        """
        combination = found.combination if found.is_sufficient else ()
        return Recourse(
            below=below,
            found=found.is_sufficient,
            periods=periods,
            risk=found.risk,
            changes=tuple(self._group_change(move) for move in combination),
            text=self._in_words(found, below, periods),
        )

    def lower_bound(self, outlook: Outlook, risk: float) -> float:
        """Return the smallest risk of the present tier, as it will be after the last period."""
        start = len(outlook.history)
        tier = self._names.index(self._tier(risk, start))
        return float(self._tiers.bounds(start + len(outlook.course))[tier, -1])

    def _estimate(
        self,
        outlook: Outlook,
        risk: float,
        future: FutureRequest,
        changes: Mapping[int, Floats],
        risks: Doubles,
    ) -> FutureEstimate:
        start, features, last = len(outlook.history), self._contract.features, float(risks[-1])
        outside = self._outside(outlook, changes)
        text = f"The model would then estimate {last:.2f}."
        if outside:
            names = ", ".join(self._contract.feature(one.feature).label for one in outside)
            text += f" Few students of the reference had such values: {names}."
        label = _LABELS[future.preset] if future.preset else future.name
        return FutureEstimate(
            name=future.name,
            label=label.format(periods=f"{self._contract.periods.name}s"),
            risk=last,
            tier=self._tier(last, start + len(risks)),
            change=round(last - risk, 6) + 0.0,
            trajectory=tuple(
                FuturePoint(start + at, point) for at, point in enumerate(risks.tolist(), start=1)
            ),
            changes={
                features[column].name: shown(features[column], float(values[~np.isnan(values)][-1]))
                for column, values in changes.items()
                if not np.isnan(values).all()
            },
            outside=outside,
            text=text,
        )

    def _outside(self, outlook: Outlook, changes: Mapping[int, Floats]) -> tuple[OutsideRange, ...]:
        """Return the first period of each changed feature in which its value is unusual."""
        found = []
        for column, values in changes.items():
            low, high = outlook.range_of(column)
            unusual = np.flatnonzero((values < low) | (values > high))
            if unusual.size:
                feature, at = self._contract.features[column], int(unusual[0])
                ends = shown(feature, float(low[at])), shown(feature, float(high[at]))
                period = len(outlook.history) + at + 1
                found.append(OutsideRange(feature.name, period, *ends))
        return tuple(found)

    def _group_change(self, move: Move) -> GroupChange:
        found = []
        for column, value in move.values.items():
            feature = self._contract.features[column]
            to = shown(feature, value)
            found.append(ChangedFeature(feature.name, feature.label, feature.unit, to))
        return GroupChange(move.group, tuple(found))

    def _in_words(self, found: Found, below: float, periods: int) -> str:
        if not found.is_sufficient:
            return (
                "None within reach: no change of up to three groups within the ordinary range "
                f"would bring the estimate below {below:g}."
            )
        if not found.combination:
            return f"Nothing has to change: the model would estimate {found.risk:.2f} anyway."
        features, clock = self._contract.features, self._contract.periods.name
        phrases = [
            f"{features[column].label} {in_words(features[column], value)}"
            for move in found.combination
            for column, value in move.values.items()
        ]
        length = f"the next {clock}" if periods == 1 else f"the next {periods} {clock}s"
        return (
            f"The smallest change that would bring the estimate below {below:g}, for {length}: "
            f"{'; '.join(phrases)}."
        )

    def _tier(self, risk: float, period: int) -> str:
        row = np.full((1, period), np.nan)
        row[0, -1] = risk
        return self._names[int(self._tiers.decide(row)[0, -1])]


def _lever(lever: Lever) -> LeverRange:
    feature = lever.feature
    return LeverRange(
        feature=feature.name,
        label=feature.label,
        unit=feature.unit,
        group=lever.group,
        better="higher" if lever.sign > 0 else "lower",
        now=shown(feature, lever.now),
        typical=shown(feature, lever.typical),
        low=shown(feature, lever.low),
        high=shown(feature, lever.high),
        step=lever.step,
    )
