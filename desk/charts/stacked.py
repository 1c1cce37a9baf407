"""How a cohort divides into tiers, period by period, and how estimates are distributed."""

from collections.abc import Sequence
from dataclasses import dataclass

from desk.charts.scale import Scale, Table, level_of, ticks
from desk.i18n.words import Words

_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 22, 12, 40


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a column; `level` chooses its colour."""

    x: float
    y: float
    width: float
    height: float
    level: int


@dataclass(frozen=True, slots=True)
class Label:
    """Text on an axis."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Columns:
    """Columns of parts with their axes."""

    key: str
    width: int
    height: int
    title: str
    sentence: str
    parts: tuple[Part, ...]
    bottoms: tuple[Label, ...]
    sides: tuple[Label, ...]
    axis: str
    left: int
    right: float
    bottom: float
    keys: tuple[tuple[int, str], ...]
    table: Table


def tiers_over_time(
    counts: Sequence[tuple[int, Sequence[int]]],
    tiers: Sequence[str],
    *,
    period_name: str,
    sentence: str,
    words: Words,
    narrow: bool = False,
) -> Columns:
    """Lay out the share of each tier in each period as stacked columns.

    Args:
        counts: Period, and students in each tier from the lowest.
        tiers: Labels of the tiers from the lowest.
        period_name: What a period is called.
        sentence: What the chart shows.
        words: Language.
        narrow: Whether to draw for the width of a phone.
    """
    width, height = (340, 230) if narrow else (640, 250)
    right, bottom = width - _RIGHT, height - _BOTTOM
    room = (right - _LEFT) / max(len(counts), 1)
    up = Scale(0, 1, bottom, _TOP)
    parts = []
    for number, (_, in_tiers) in enumerate(counts):
        below, total = 0, sum(in_tiers) or 1
        for position, count in enumerate(in_tiers):
            top = up((below + count) / total)
            base = up(below / total)
            level = level_of(position, len(in_tiers))
            x = round(_LEFT + room * number + room * 0.12, 1)
            parts.append(Part(x, top, round(room * 0.76, 1), round(base - top, 1), level))
            below += count
    shown = set(ticks(0, max(len(counts) - 1, 0), 8 if narrow else 16))
    return Columns(
        key="narrow" if narrow else "wide",
        width=width,
        height=height,
        title=words("Tiers by {period}", period=period_name),
        sentence=sentence,
        parts=tuple(part for part in parts if part.height),
        bottoms=tuple(
            Label(round(_LEFT + room * (number + 0.5), 1), str(period))
            for number, (period, _) in enumerate(counts)
            if number in shown
        ),
        sides=tuple(Label(up(share) + 4, words.percent(share)) for share in (0, 0.5, 1)),
        axis=period_name,
        left=_LEFT,
        right=right,
        bottom=bottom,
        keys=tuple((level_of(position, len(tiers)), tier) for position, tier in enumerate(tiers))[
            ::-1
        ],
        table=Table(
            (period_name[:1].upper() + period_name[1:], *tiers),
            tuple(
                (str(period), *(words.number(count) for count in in_tiers))
                for period, in_tiers in counts
            ),
        ),
    )


def histogram(
    counts: Sequence[int],
    bounds: Sequence[float],
    *,
    sentence: str,
    words: Words,
    narrow: bool = False,
) -> Columns:
    """Lay out how many students have an estimate in each of equal steps from 0 to 1.

    Args:
        counts: Students in each step.
        bounds: Where the tiers above the lowest begin.
        sentence: What the chart shows.
        words: Language.
        narrow: Whether to draw for the width of a phone.
    """
    width, height = (340, 200) if narrow else (640, 220)
    right, bottom = width - _RIGHT, height - _BOTTOM
    steps = len(counts)
    room = (right - _LEFT) / steps
    most = max(counts) or 1
    up = Scale(0, most, bottom, _TOP)
    parts = []
    for number, count in enumerate(counts):
        middle = (number + 0.5) / steps
        level = level_of(sum(middle >= bound for bound in bounds), len(bounds) + 1)
        x = round(_LEFT + room * number + 1, 1)
        parts.append(Part(x, up(count), round(room - 2, 1), round(bottom - up(count), 1), level))
    return Columns(
        key="narrow" if narrow else "wide",
        width=width,
        height=height,
        title=words("Students by estimate"),
        sentence=sentence,
        parts=tuple(parts),
        bottoms=tuple(
            Label(round(_LEFT + room * steps * share, 1), words.percent(share))
            for share in (0, *bounds, 1)
        ),
        sides=(Label(bottom + 4, "0"), Label(_TOP + 8, words.number(most))),
        axis=words("estimated risk"),
        left=_LEFT,
        right=right,
        bottom=bottom,
        keys=(),
        table=Table(
            (words("Estimate"), words("Students")),
            tuple(
                (
                    f"{words.percent(number / steps)} – {words.percent((number + 1) / steps)}",
                    words.number(count),
                )
                for number, count in enumerate(counts)
            ),
        ),
    )
