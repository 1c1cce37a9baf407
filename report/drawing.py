"""What every figure of the report is drawn with.

Colours are Okabe and Ito's, told apart by people with any colour vision, their yellow, which hardly
shows on white, left for grey; each figure has a text that says the same to those who do not see it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import altair as alt

from evaluation.figures import RiskReport, RunMetrics, ScoreReport

OKABE_ITO = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#767676", "#000000")
# Tol's wine, olive and indigo, for those who compare with more than seven models.
_PALETTE = (*OKABE_ITO, "#882255", "#999933", "#332288")
WIDTH, HEIGHT = 420, 260
# Above this many periods, marks of each and labels of each would run into one another.
FEW_PERIODS = 12
_FONT = "Helvetica, Arial, sans-serif"


@dataclass(frozen=True, eq=False)
class Figure:
    """A figure.

    Attributes:
        name: Of its files.
        title: What it shows.
        chart: Vega-Lite, drawn without a browser.
        alt: The same in words.
    """

    name: str
    title: str
    chart: Any
    alt: str


def chart(rows: list[dict[str, Any]]) -> Any:
    """Return a chart of rows without a size, to lay over another."""
    return alt.Chart({"values": rows})


def base(rows: list[dict[str, Any]], *, width: int = WIDTH, height: int = HEIGHT) -> Any:
    """Return a chart of rows."""
    return chart(rows).properties(width=width, height=height)


def colour(field: str, names: list[str]) -> Any:
    """Give each name its colour, in this order."""
    palette = [_PALETTE[at % len(_PALETTE)] for at in range(len(names))]
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
    drawn = line.mark_line(color="#777", strokeDash=[4, 4])
    return drawn.encode(x=alt.X("x:Q", title=x), y=alt.Y("y:Q", title=y))


def risks(metrics: RunMetrics) -> Mapping[str, RiskReport]:
    """Return the network and what stands beside it, by their names for people."""
    beside = {name.replace("_", " "): of for name, of in metrics.risk.baselines.items()}
    return {"network": metrics.risk.network, **beside}


def scores(metrics: RunMetrics) -> Mapping[str, ScoreReport]:
    """Likewise of the score."""
    beside = {name.replace("_", " "): of for name, of in metrics.score.baselines.items()}
    return {"network": metrics.score.network, **beside}


def said(figure: float | None) -> str:
    """Write a share for a sentence."""
    return "n/a" if figure is None else f"{figure:.3f}"


def specification(figure: Figure, *, titled: bool) -> str:
    """Return Vega-Lite as JSON, in letters that stay legible at half a page's width."""
    drawn = figure.chart.properties(title=figure.title) if titled else figure.chart
    axis = {"labelFontSize": 13, "titleFontSize": 14, "titleFontWeight": "normal"}
    legend = {
        "orient": "bottom",
        "columns": 4,
        "symbolLimit": 20,
        "labelLimit": 240,
        "titleLimit": 400,
    }
    text = drawn.configure(
        font=_FONT,
        background="white",
        axis={**axis, "labelOverlap": True, "labelLimit": 260},
        legend={**legend, **axis},
        title={"fontSize": 16, "anchor": "start", "offset": 12},
        view={"stroke": "#d5dce2"},
    ).to_json()
    return str(text)
