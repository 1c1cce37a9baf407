"""Put a split into words and numbers: which groups are named, and in what they differ."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from explain.comparison import Comparison, ComparisonKind
from explain.reasons.split import Split
from explain.reasons.types import (
    ComparedWith,
    Direction,
    GroupReason,
    MissingValues,
    ReasonFeature,
    Reasons,
)
from explain.reasons.when import When
from explain.words import in_words, shown, standing_of
from records.arrays import Floats
from records.contract import Contract
from records.groups import FeatureGroup

# Groups with a smaller share of all effects are left out, and more groups than this.
LEAST_SHARE: Final = 0.05
MOST_GROUPS: Final = 5
_MOST_FEATURES: Final = 2
_DECIMALS: Final = 6
_USUAL: dict[ComparisonKind, str] = {
    "typical": "typical",
    "own_course": "expected",
    "nothing": "compared with",
}


class Describer:
    """Describes splits of one contract's histories.

    Args:
        contract: What the features are.
        groups: Those that are split among.
    """

    def __init__(self, contract: Contract, groups: Sequence[FeatureGroup]) -> None:
        self._contract = contract
        self._groups = groups

    def describe(
        self,
        history: Floats,
        comparison: Comparison,
        split: Split,
        *,
        missing: MissingValues,
        when: When,
    ) -> Reasons:
        """Describe a split.

        Args:
            history: (periods, features) of the student.
            comparison: What it was split against.
            split: The effects.
            missing: What missing values count for.
            when: How the estimate moved.
        """
        sizes = np.abs(split.effects)
        shares = sizes / max(float(sizes.sum()), 1e-9)
        order = np.argsort(-sizes, kind="stable").tolist()
        listed = [at for at in order[:MOST_GROUPS] if shares[at] >= LEAST_SHARE]
        return Reasons(
            view="change" if comparison.kind == "own_course" else "level",
            risk=round(split.risk, _DECIMALS),
            compared_with=_compared_with(comparison, split),
            total=_rounded(split.effects.sum()),
            groups=tuple(
                self._reason(at, split.effects[at], shares[at], history, comparison)
                for at in listed
            ),
            rest=_rounded(np.delete(split.effects, listed).sum()),
            missing=missing,
            when=when,
            method="exact" if split.is_exact else "sampled",
            error=_rounded(split.error),
        )

    def _reason(
        self, at: int, effect: float, share: float, history: Floats, comparison: Comparison
    ) -> GroupReason:
        group = self._groups[at]
        direction: Direction = "towards" if effect > 0 else "against"
        features, phrases = [], []
        for column in self._most_different(group, history, comparison, direction):
            feature = self._contract.features[column]
            own, usual = _latest(history, comparison, column)
            features.append(
                ReasonFeature(
                    feature=feature.name,
                    label=feature.label,
                    unit=feature.unit,
                    value=shown(feature, own),
                    usual=shown(feature, usual),
                    standing=standing_of(feature, own, usual),
                )
            )
            label = "" if feature.label == group.label else f"{feature.label} "
            phrases.append(
                f"{label}{in_words(feature, own)}, {_USUAL[comparison.kind]} "
                f"{in_words(feature, usual)}"
            )
        detail = f" ({'; '.join(phrases)})" if phrases else ""
        return GroupReason(
            group=group.label,
            effect=_rounded(effect),
            share=round(float(share), 4),
            direction=direction,
            features=tuple(features),
            text=f"Counts {direction} the estimated risk: {group.label}{detail}.",
        )

    def _most_different(
        self, group: FeatureGroup, history: Floats, comparison: Comparison, direction: Direction
    ) -> list[int]:
        """Return the columns of a group that differ most, those that fit the direction first."""
        wanted = "worse" if direction == "towards" else "better"
        found = []
        for column in group.columns:
            own, usual = _latest(history, comparison, column)
            if own == usual or (np.isnan(own) and np.isnan(usual)):
                continue
            fits = standing_of(self._contract.features[column], own, usual) == wanted
            found.append((not fits, -_distance(column, own, usual, comparison), column))
        return [column for _, _, column in sorted(found)[:_MOST_FEATURES]]


def _latest(history: Floats, comparison: Comparison, column: int) -> tuple[float, float]:
    """Return the latest observed value of a feature and that of the comparison then."""
    observed = np.flatnonzero(~np.isnan(history[:, column]))
    period = int(observed[-1]) if observed.size else len(history) - 1
    return float(history[period, column]), float(comparison.values[period, column])


def _distance(column: int, own: float, usual: float, comparison: Comparison) -> float:
    """Return how far two values lie apart, in widths of the ordinary range.

    A missing value, levels without an order and features without a range are one width away.
    """
    if np.isnan(own) or np.isnan(usual) or comparison.usual is None:
        return 1.0
    last = len(comparison.values) - 1
    width = float(comparison.usual.high[last, column] - comparison.usual.low[last, column])
    return abs(own - usual) / width if width > 0 else 1.0


def _compared_with(comparison: Comparison, split: Split) -> ComparedWith:
    usual = comparison.usual
    return ComparedWith(
        kind=comparison.kind,
        group=usual.group if usual else None,
        intake=usual.intake if usual else None,
        records=usual.records[len(comparison.values) - 1] if usual else None,
        since=comparison.since,
        risk=round(split.other, _DECIMALS),
        text=_comparison_in_words(comparison),
    )


def _comparison_in_words(comparison: Comparison) -> str:
    if comparison.kind == "nothing":
        return "a student of whom nothing is known"
    own = f"the student's own history up to period {comparison.since}"
    if (usual := comparison.usual) is None:
        return f"{own}, unchanged since"
    where = [usual.group] if usual.group else []
    where += [f"intake {usual.intake}"] if usual.intake else []
    place = f" of {', '.join(where)}" if where else ""
    records = usual.records[len(comparison.values) - 1]
    typical = f"a typical student{place} (medians of {records:,} records)"
    return typical if comparison.kind == "typical" else f"{own}, continued like {typical}"


def _rounded(number: float) -> float:
    return round(float(number), _DECIMALS) + 0.0
