"""The estimated risk over time, with the tiers' bands and what happened on the same axis."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from desk.charts.scale import Scale, Table, level_of, ticks
from desk.i18n.words import Words

_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 14, 10, 44
_LABEL_STEP = 17
_LABEL_ROWS = 3
_PLOT = 200
# Of the band of a chart that shows no tiers.
NO_TIER = 3
# An average glyph of 12 pixels, to keep labels apart.
_GLYPH = 6.4


@dataclass(frozen=True, slots=True)
class TierBand:
    """A tier as the chart needs it: its label and the least risk that belongs to it."""

    label: str
    begins: float


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened in or after a period: a contact, an intervention, a due date."""

    period: float
    label: str


@dataclass(frozen=True, slots=True)
class Rect:
    """A band with its label, which stands beside it on a wide drawing; `level` is its colour."""

    y: float
    height: float
    label: str
    label_x: float
    label_y: float
    level: int


@dataclass(frozen=True, slots=True)
class Tick:
    """A number on an axis."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Flag:
    """An event: a line at `x`, its label at `label_x`, `label_y`."""

    x: float
    label: str
    label_x: float
    label_y: float
    flips: bool


@dataclass(frozen=True, slots=True)
class RiskLine:
    """Everything that the drawing shows.

    Attributes:
        dots: Coordinates of the estimates.
        paths: Points of each unbroken line; a gap in the periods breaks it.
    """

    key: str
    width: int
    height: int
    title: str
    sentence: str
    axis: str
    bands: tuple[Rect, ...]
    levels: tuple[Tick, ...]
    periods: tuple[Tick, ...]
    flags: tuple[Flag, ...]
    dots: tuple[tuple[float, float], ...]
    paths: tuple[str, ...]
    left: int
    right: float
    top: int
    bottom: int


def risk_line(
    points: Sequence[tuple[int, float]],
    bands: Sequence[TierBand],
    events: Sequence[Event],
    *,
    maximum: int,
    period_name: str,
    sentence: str,
    words: Words,
    narrow: bool = False,
) -> RiskLine:
    """Lay out the estimates of one student.

    Args:
        points: Period and risk, ascending by period.
        bands: Tiers from the lowest.
        events: What to mark, ascending.
        maximum: Last period of the term.
        period_name: What a period is called, such as "week".
        sentence: What the chart shows, in one sentence.
        words: Language.
        narrow: Whether to draw for the width of a phone.
    """
    width = 340 if narrow else 720
    beside = 0 if narrow else round(max(len(band.label) for band in bands) * _GLYPH) + 10
    right = width - _RIGHT - beside
    last = max([maximum, *(period for period, _ in points)])
    if last > 16:
        last = min(last, max([8, *(period + 3 for period, _ in points)]))
    across = Scale(1, last, _LEFT + 10, right - 10)
    flags, rows = _flags([event for event in events if event.period <= last], across, right, narrow)
    top = _TOP + rows * _LABEL_STEP
    bottom = top + _PLOT
    up = Scale(0, 1, bottom, top)
    dots = tuple((across(period), up(risk)) for period, risk in points)
    return RiskLine(
        key="narrow" if narrow else "wide",
        width=width,
        height=bottom + _BOTTOM,
        title=words("Estimated risk by {period}", period=period_name),
        sentence=sentence,
        axis=period_name,
        bands=_bands(bands, up, right + 8 if beside else _LEFT + 6, beside=bool(beside)),
        levels=tuple(
            Tick(up(level) + 4, words.percent(level))
            for level in (0.0, *(band.begins for band in bands[1:]), 1.0)
        ),
        periods=tuple(
            Tick(across(number), str(number)) for number in ticks(1, last, 7 if narrow else 14)
        ),
        flags=flags,
        dots=dots,
        paths=_paths(points, dots),
        left=_LEFT,
        right=right,
        top=top,
        bottom=bottom,
    )


def risk_table(
    points: Sequence[tuple[int, float]],
    bands: Sequence[TierBand],
    events: Sequence[Event],
    *,
    period_name: str,
    words: Words,
) -> Table:
    """Write the chart's numbers as a table: period, estimate, tier, what happened."""
    happened: dict[int, list[str]] = {}
    for event in events:
        happened.setdefault(int(event.period), []).append(event.label)
    risks = dict(points)
    rows = []
    for period in sorted(risks.keys() | happened.keys()):
        risk = risks.get(period)
        tier = [band.label for band in bands if risk is not None and risk >= band.begins]
        rows.append(
            (
                str(period),
                words("no estimate") if risk is None else words.percent(risk),
                tier[-1] if tier else "",
                words.listing(happened.get(period, [])),
            )
        )
    heads = (
        period_name[:1].upper() + period_name[1:],
        words("Estimate"),
        words("Tier"),
        words("What happened"),
    )
    return Table(heads, tuple(rows))


def _bands(
    bands: Sequence[TierBand], up: Scale, label_x: float, *, beside: bool
) -> tuple[Rect, ...]:
    ends = [*(band.begins for band in bands[1:]), 1.0]
    rects = []
    for position, (band, end) in enumerate(zip(bands, ends, strict=True)):
        top, base = up(end), up(band.begins)
        label_y = round((top + base) / 2 + 4, 1) if beside else top + 16
        # Without tiers there is one band, which judges nothing.
        level = level_of(position, len(bands)) if len(bands) > 1 else NO_TIER
        rects.append(Rect(top, round(base - top, 1), band.label, label_x, label_y, level))
    return tuple(rects)


def _flags(
    events: Sequence[Event], across: Scale, right: float, narrow: bool
) -> tuple[tuple[Flag, ...], int]:
    """Put labels above the plot, each into the lowest row that is free; return the rows used."""
    ends = [0.0] * _LABEL_ROWS
    placed: list[tuple[Flag, int]] = []
    for event in events[-4:] if narrow else events[-8:]:
        x = across(max(1.0, event.period))
        label = event.label if len(event.label) <= 24 else event.label[:23] + "…"
        length = len(label) * _GLYPH
        flips = x + length > right
        start = x - length if flips else x
        row = next((n for n, end in enumerate(ends) if start > end), _LABEL_ROWS - 1)
        ends[row] = start + length + 8
        placed.append((Flag(x, label, x + 3 if flips else x - 3, 0, flips), row))
    rows = max((row for _, row in placed), default=-1) + 1
    base = _TOP + rows * _LABEL_STEP - 5
    return tuple(replace(flag, label_y=base - row * _LABEL_STEP) for flag, row in placed), rows


def _paths(
    points: Sequence[tuple[int, float]], dots: Sequence[tuple[float, float]]
) -> tuple[str, ...]:
    paths: list[list[str]] = []
    before = None
    for (period, _), (x, y) in zip(points, dots, strict=True):
        if before is None or period != before + 1:
            paths.append([])
        paths[-1].append(f"{x},{y}")
        before = period
    return tuple(" ".join(path) for path in paths if len(path) > 1)
