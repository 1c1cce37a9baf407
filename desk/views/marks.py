"""Pieces that many pages show: a tier, a change, a link, a heading with a number."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from desk.charts.scale import level_of
from desk.i18n.words import Words


@dataclass(frozen=True, slots=True)
class TierMark:
    """A tier by shape, colour and word.

    Attributes:
        level: 0 for the lowest tier, 2 for the highest, 1 in between.
        is_own: Whether a person set it instead of the estimate.
        note: Who set it and until when; empty where the estimate did.
    """

    label: str
    level: int
    is_own: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class ChangeMark:
    """A change of an estimate in percentage points; `spoken` for screen readers and tooltips."""

    text: str
    direction: Literal["up", "down", ""]
    spoken: str


@dataclass(frozen=True, slots=True)
class Link:
    """A link or an entry of navigation."""

    label: str
    url: str
    current: bool = False


@dataclass(frozen=True, slots=True)
class TierWords:
    """The tiers of a policy, from the lowest, and their labels."""

    labels: Mapping[str, str]

    def mark(self, name: str | None, *, is_own: bool = False, note: str = "") -> TierMark | None:
        """Return how a tier is shown; None without one."""
        if name is None:
            return None
        names = list(self.labels)
        # A tier of an earlier policy: shown by its name, between the others.
        level = level_of(names.index(name), len(names)) if name in self.labels else 1
        return TierMark(self.labels.get(name, name), level, is_own, note)


def change_mark(change: float | None, words: Words) -> ChangeMark | None:
    """Return how a change of the estimate is shown; None without one."""
    if change is None:
        return None
    whole = round(change * 100)
    if not whole:
        return ChangeMark(words.points(change), "", words("unchanged"))
    if whole > 0:
        spoken = words.many("rose by {count} point", "rose by {count} points", whole)
        return ChangeMark(words.points(change), "up", spoken)
    spoken = words.many("fell by {count} point", "fell by {count} points", -whole)
    return ChangeMark(words.points(change), "down", spoken)


def joined(parts: Sequence[str | None]) -> str:
    """Join what is not empty with middle dots."""
    return " · ".join(part for part in parts if part)
