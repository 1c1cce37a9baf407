"""What every figure of the report is drawn with.

Colours are the theme's (`theme/tokens.css`). Each figure has a text with the same content, for
readers who do not see it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import altair as alt

from evaluation.figures import RiskReport, RunMetrics, ScoreReport
from theme import tokens

SERIES = tokens.series()
INK, SOFT, LINE, EDGE, SHEET = (
    tokens.light(name) for name in ("ink", "soft", "line", "edge", "sheet")
)
WIDTH, HEIGHT = 520, 280
# Of a figure that takes the whole width of the page.
WIDE = 1160
# Above this many periods, marks of each and labels of each would run into one another.
FEW_PERIODS = 12
# The drawing library measures text in these: others would be cut off at the edges.
_FONT = "Helvetica, Arial, Liberation Sans, sans-serif"


@dataclass(frozen=True, eq=False)
class Figure:
    """A figure.

    Attributes:
        name: Of its files.
        title: What it shows.
        chart: Vega-Lite, drawn without a browser.
        alt: The same in words.
        wide: Whether it takes the whole width of the page.
    """

    name: str
    title: str
    chart: Any
    alt: str
    wide: bool = False


def chart(rows: list[dict[str, Any]]) -> Any:
    """Return a chart of rows without a size, to lay over another."""
    return alt.Chart({"values": rows})


def base(rows: list[dict[str, Any]], *, width: int = WIDTH, height: int = HEIGHT) -> Any:
    """Return a chart of rows."""
    return chart(rows).properties(width=width, height=height)


def colour(field: str, names: list[str]) -> Any:
    """Give each name its colour, in this order."""
    palette = [SERIES[at % len(SERIES)] for at in range(len(names))]
    return alt.Color(f"{field}:N", scale=alt.Scale(domain=names, range=palette), title=field)


def dashes(field: str, by_name: Mapping[str, bool]) -> Any:
    """Dash the lines of some names; in the legend too, where `colour` has the same field."""
    scale = alt.Scale(
        domain=list(by_name), range=[[6, 4] if dashed else [1, 0] for dashed in by_name.values()]
    )
    return alt.StrokeDash(f"{field}:N", scale=scale, title=field)


def line(rows: list[dict[str, Any]], tint: str, *, points: bool, height: int = HEIGHT) -> Any:
    """Return one line, with its points in its own colour."""
    dots: Any = alt.OverlayMarkDef(filled=True, color=tint) if points else False
    return base(rows, height=height).mark_line(color=tint, point=dots)


def periods(clock: str, most: int) -> Any:
    """Return the axis of periods; `clock` is their name."""
    ticks = list(range(1, most + 1)) if most <= FEW_PERIODS else None
    axis = alt.Axis(tickMinStep=1, values=ticks) if ticks else alt.Axis(tickMinStep=1)
    return alt.X(f"{clock}:Q", axis=axis, scale=alt.Scale(domain=[1, most], nice=False))


def diagonal(x: str, y: str, ends: tuple[float, float] = (0, 1)) -> Any:
    """Return the dashed line where both axes are equal, under their titles."""
    line = chart([{"x": end, "y": end} for end in ends])
    drawn = line.mark_line(color=SOFT, strokeDash=[4, 4])
    return drawn.encode(x=alt.X("x:Q", title=x), y=alt.Y("y:Q", title=y))


def table_of_cells(
    rows: list[dict[str, Any]], *, down: str, across: str, value: str, digits: int, title: str
) -> Any:
    """Draw numbers in cells, shaded by their place in the column: exact, however many models.

    Args:
        rows: One cell each, with the fields named by the other arguments.
        down: Field of the rows, in the order of `rows`.
        across: Field of the columns, likewise.
        value: Field of the number.
        digits: Decimals shown.
        title: Of the legend: what a darker cell means.
    """
    names = list(dict.fromkeys(str(row[down]) for row in rows))
    heads = list(dict.fromkeys(str(row[across]) for row in rows))
    ranges = {
        head: (min(found), max(found))
        for head in heads
        for found in [[float(row[value]) for row in rows if str(row[across]) == head]]
    }
    cells = [
        {
            **row,
            "shade": (float(row[value]) - low) / (high - low) if high > low else 0.5,
            "text": f"{float(row[value]):.{digits}f}",
        }
        for row in rows
        for low, high in [ranges[str(row[across])]]
    ]
    drawn = base(cells, width=WIDE - 240, height=30 * len(names)).encode(
        x=alt.X(f"{across}:N", title=None, sort=heads, axis=alt.Axis(labelAngle=0, orient="top")),
        y=alt.Y(f"{down}:N", title=None, sort=names),
    )
    shade = alt.Color(
        "shade:Q",
        title=title,
        scale=alt.Scale(scheme="blues", domain=[-0.25, 1.6]),
        legend=None,
    )
    return drawn.mark_rect(stroke=SHEET).encode(color=shade) + drawn.mark_text(
        fontSize=13, color="#101418"
    ).encode(text="text:N")


def risks(metrics: RunMetrics) -> Mapping[str, RiskReport]:
    """Return the network and what stands beside it, by their names for people."""
    beside = {name.replace("_", " "): of for name, of in metrics.risk.baselines.items()}
    return {"network": metrics.risk.network, **beside}


def scores(metrics: RunMetrics) -> Mapping[str, ScoreReport]:
    """Likewise of the score."""
    beside = {name.replace("_", " "): of for name, of in metrics.score.baselines.items()}
    return {"network": metrics.score.network, **beside}


def three_decimals(figure: float | None) -> str:
    """Write a share for a sentence."""
    return "n/a" if figure is None else f"{figure:.3f}"


def specification(figure: Figure, *, titled: bool) -> str:
    """Return Vega-Lite as JSON, in letters that stay legible at half a page's width.

    Args:
        figure: What to draw.
        titled: For a file of its own, on white and under its title; else for the page.
    """
    drawn = figure.chart.properties(title=figure.title) if titled else figure.chart
    axis = {
        "labelFontSize": 13,
        "titleFontSize": 13,
        "titleFontWeight": "normal",
        "labelColor": INK,
        "titleColor": SOFT,
    }
    legend = {
        "orient": "bottom",
        "columns": 6 if figure.wide else 4,
        "symbolLimit": 20,
        "labelLimit": 240,
        "titleLimit": 400,
    }
    text = drawn.configure(
        font=_FONT,
        background=SHEET if titled else "transparent",
        axis={
            **axis,
            "labelOverlap": True,
            "labelLimit": 260,
            "labelFlush": False,  # the first and last labels stay under their ticks
            "gridColor": LINE,
            "domainColor": SOFT,
            "tickColor": SOFT,
        },
        legend={**legend, **axis},
        title={"fontSize": 16, "anchor": "start", "offset": 12, "color": INK},
        header={"labelColor": INK, "labelFontSize": 13, "titleColor": SOFT},
        text={"color": INK},
        view={"stroke": LINE},
    ).to_json()
    return str(text)
