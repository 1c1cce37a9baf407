"""Small charts beside a number: a history as a line, one reason as a bar, places taken."""

from collections.abc import Sequence
from dataclasses import dataclass

from desk.charts.scale import Scale
from desk.i18n.words import Words

_WIDTH, _HEIGHT = 76, 30
_BAR = 200


@dataclass(frozen=True, slots=True)
class Spark:
    """A short history: points of its line, its last point, and what it shows in words."""

    points: str
    x: float
    y: float
    label: str


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar from the middle: to the right counts towards risk, to the left against it."""

    x: float
    width: float
    toward: bool


@dataclass(frozen=True, slots=True)
class Places:
    """How many of so many places are taken; widths of a drawing of 150."""

    taken: str
    width: float
    label: str


def spark(values: Sequence[float], label: str, *, low: float = 0, high: float = 1) -> Spark | None:
    """Lay out the last values of a history; None without any.

    Args:
        values: Ascending in time.
        label: What it shows, with the last value.
        low: Value at the lower edge.
        high: Value at the upper edge.
    """
    if not values:
        return None
    across = Scale(0, max(len(values) - 1, 1), 4, _WIDTH - 5)
    up = Scale(low, high, _HEIGHT - 4, 4)
    points = [(across(n), up(min(max(value, low), high))) for n, value in enumerate(values)]
    x, y = points[-1]
    return Spark(" ".join(f"{a},{b}" for a, b in points), x, y, label)


def reason_bars(shares: Sequence[float]) -> tuple[Bar, ...]:
    """Lay out contributions on a common scale; the largest fills its half of a width of 200."""
    most = max((abs(share) for share in shares), default=0) or 1
    bars = []
    for share in shares:
        width = round(abs(share) / most * (_BAR / 2 - 4), 1)
        bars.append(Bar(_BAR / 2 if share >= 0 else round(_BAR / 2 - width, 1), width, share >= 0))
    return tuple(bars)


def places(taken: int, total: int, words: Words) -> Places:
    """Show how many of a week's places for talks are taken."""
    share = min(taken / total, 1.0) if total else 0.0
    label = words("{taken} of {total} talks planned", taken=taken, total=total)
    return Places(str(taken), round(150 * share, 1), label)
