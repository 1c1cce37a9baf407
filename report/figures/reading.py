"""Figures of what the networks read: attention over periods, contribution of features."""

from collections.abc import Iterator
from typing import Any

import altair as alt
import numpy as np

from report.contribution import Contribution
from report.figures.drawing import FEW_PERIODS, SERIES, Figure, base, chart, colour
from report.source import Source
from report.tables import Table

# Those below would be read as noise, and often are.
_MOST_FEATURES = 14
_CELL = 72


def reading_figures(source: Source) -> Iterator[Figure]:
    """Draw them; attention only where the score network has one."""
    attention = source.attention
    if attention is not None:
        yield _attention(attention, source.clock)
    labels = [feature.label for feature in source.run.contract.features]
    for target, found in source.contributions.items():
        attended = attention if target == "score" else None
        yield contribution_figure(target, found, labels, source.clock, attended)
    yield from correlation_figures(source)


def correlation_figures(source: Source) -> Iterator[Figure]:
    """Draw Pearson's r of the features with each network's target, strongest first (paper B)."""
    labels = {feature.name: feature.label for feature in source.run.contract.features}
    for target, selection in source.run.record.selection.items():
        ranked = sorted(
            (one for one in selection.features if one.r is not None),
            key=lambda one: -abs(one.r or 0),
        )[:_MOST_FEATURES]
        if not ranked:
            continue
        rows: list[dict[str, Any]] = [
            {
                "feature": labels[one.feature],
                "r": one.r,
                "network": "reads it" if one.kept else "does not",
            }
            for one in ranked
        ]
        bars = (
            base(rows, height=24 * len(rows))
            .mark_bar()
            .encode(
                x=alt.X("r:Q", title="Pearson's r", scale=alt.Scale(domain=[-1, 1])),
                y=alt.Y("feature:N", title=None, sort=[str(row["feature"]) for row in rows]),
                color=colour("network", ["reads it", "does not"]),
            )
        )
        limit = selection.threshold
        if limit is not None:
            ends = chart([{"limit": -limit}, {"limit": limit}])
            bars += ends.mark_rule(strokeDash=[4, 4]).encode(
                x=alt.X("limit:Q", title="Pearson's r")
            )
        what = {"risk": "the risk", "score": "the next score"}[target]
        first = ", ".join(f"{labels[one.feature]} ({one.r:.2f})" for one in ranked[:3])
        yield Figure(
            f"correlation_{target}",
            f"Pearson's r of features with {what}",
            bars,
            f"The {len(rows)} features that correlate most with {what} on the training part; the "
            f"strongest are {first}."
            + ("" if limit is None else f" Dashed: the threshold of {limit:g}."),
        )


def contribution_table(target: str, found: Contribution, labels: list[str], clock: str) -> Table:
    """Lay the contributions out, the largest first."""
    order, judged = np.argsort(-found.whole, kind="stable").tolist(), _judged_spans(found)
    rows = tuple(
        (
            labels[feature],
            float(found.whole[feature]),
            *(
                None if np.isnan(rise) else float(rise)
                for rise in found.by_span[feature, judged].tolist()
            ),
        )
        for feature in order
    )
    header = (
        "feature",
        "all periods",
        *(f"{clock} {_span(*found.spans[at])}" for at in judged),
    )
    what = {"risk": "What the risk rests on", "score": "What the forecast rests on"}[target]
    note = (
        f"Rise of the {found.figure} of {found.records} records of the test part where the "
        "feature's values are swapped between students (permutation importance), in all periods or "
        "in those named; judged on the steps of that span and later. Features that tell the same "
        "stand in for each other; nothing here is a cause."
    )
    digits = 4 if target == "risk" else 2
    return Table(f"contribution_{target}", what, header, rows, note, digits, drawn=True)


def contribution_figure(
    target: str, found: Contribution, labels: list[str], clock: str, attention: Any
) -> Figure:
    """Draw the contributions, and above them the attention of the last judged forecast.

    Args:
        target: 'risk' or 'score'.
        found: What each feature contributes.
        labels: Of the features.
        clock: What the contract calls a period.
        attention: (periods, periods); None where the network has none.
    """
    order = np.argsort(-found.whole, kind="stable")[:_MOST_FEATURES].tolist()
    names = [labels[feature] for feature in order]
    judged = _judged_spans(found)
    spans = [_span(*found.spans[at]) for at in judged]
    cells = [
        {"feature": labels[feature], "span": span, "rise": float(found.by_span[feature, at])}
        for feature in order
        for at, span in zip(judged, spans, strict=True)
        if np.isfinite(found.by_span[feature, at])
    ]
    bars = [{"feature": labels[feature], "rise": float(found.whole[feature])} for feature in order]
    most = max((abs(float(str(cell["rise"]))) for cell in cells), default=1.0)
    height = 24 * len(names)
    x = alt.X("span:O", title=clock, sort=spans, axis=alt.Axis(labelAngle=0))
    y = alt.Y("feature:N", title=None, sort=names)
    heat = (
        base(cells, width=_CELL * len(spans), height=height)
        .mark_rect()
        .encode(
            x=x,
            y=y,
            color=alt.Color(
                "rise:Q",
                title=f"rise of {found.figure}, this span permuted",
                scale=alt.Scale(scheme="blueorange", domain=[-most, most], reverse=True),
                legend=alt.Legend(gradientLength=220, titleLimit=400),
            ),
        )
    )
    whole = (
        base(bars, width=300, height=height)
        .mark_bar(color=SERIES[0])
        .encode(
            x=alt.X("rise:Q", title="all periods permuted"),
            y=alt.Y("feature:N", title=None, sort=names, axis=alt.Axis(labels=False, ticks=False)),
        )
    )
    drawn: Any = alt.hconcat(heat, whole, spacing=16)
    alternative = (
        f"Rise of the {found.figure} where a feature is permuted between students, by feature and "
        f"{clock}; over all periods the largest are "
        + ", ".join(f"{labels[at]} ({found.whole[at]:.3g})" for at in order[:3])
        + "."
    )
    if attention is not None and judged:
        periods = [found.spans[at] for at in judged]
        drawn = alt.vconcat(_attended(attention, periods), drawn, bounds="flush")
        alternative += (
            f" Above it the attention that the forecast after {clock} {periods[-1][1]}, the last "
            "that is judged, gives to each of these spans."
        )
    what = {"risk": "What the risk rests on", "score": "What the forecast rests on"}[target]
    title = f"{what} (permutation importance)"
    return Figure(f"contribution_{target}", title, drawn, alternative, wide=True)


def _judged_spans(found: Contribution) -> list[int]:
    """Return the spans in which enough steps count; the last forecast's score is not yet known."""
    return np.flatnonzero(np.isfinite(found.by_span).any(axis=0)).tolist()


def _attended(attention: Any, periods: list[tuple[int, int]]) -> Any:
    last = attention[periods[-1][1] - 1]
    spans = [_span(*span) for span in periods]
    rows = [
        {"span": name, "attention": float(last[first - 1 : end].mean())}
        for name, (first, end) in zip(spans, periods, strict=True)
    ]
    return (
        base(rows, width=_CELL * len(spans), height=70)
        .mark_bar(color=SERIES[1])
        .encode(
            x=alt.X("span:O", title=None, sort=spans, axis=alt.Axis(labels=False, ticks=False)),
            y=alt.Y(
                "attention:Q", title="attention per period", axis=alt.Axis(format="%", tickCount=3)
            ),
        )
    )


def _attention(weights: Any, clock: str) -> Figure:
    periods = weights.shape[-1]
    rows: list[dict[str, Any]] = [
        {
            "from": at + 1,
            "to": to + 1,
            # 1 where all periods so far get the same.
            "times": max(float(weights[at, to]) * (at + 1), 1e-3),
            "text": f"{weights[at, to]:.2f}".lstrip("0"),
        }
        for at in range(periods)
        for to in range(at + 1)
    ]
    few = periods <= FEW_PERIODS
    axis = alt.Axis(labelAngle=0, values=[1, *range(1 if few else 5, periods + 1, 1 if few else 5)])
    reach = max(1.25, *(max(row["times"], 1 / row["times"]) for row in rows))
    drawn = base(rows, width=380, height=320).encode(
        x=alt.X("to:O", title=f"{clock} attended to", axis=axis),
        y=alt.Y("from:O", title=f"forecast after {clock}", axis=axis),
    )
    cells = drawn.mark_rect().encode(
        color=alt.Color(
            "times:Q",
            title="times an equal share",
            scale=alt.Scale(
                scheme="blueorange", type="log", domain=[1 / reach, reach], reverse=True
            ),
            legend=alt.Legend(gradientLength=220, format=".2f", values=[1 / reach, 1, reach]),
        )
    )
    strong = f"abs(log(datum.times)) > {0.6 * np.log(reach):.4f}"
    text = drawn.mark_text(fontSize=12).encode(
        text="text:N", color=alt.condition(strong, alt.value("white"), alt.value("black"))
    )
    return Figure(
        "attention",
        "What the score forecast attends to",
        cells + text if few else cells,
        f"Attention weights, mean over heads and records: {periods} rows, one for each {clock} of "
        "the forecast, over the periods up to it; each row sums to one. The colour shows how many "
        "times the share that every period would get if all got the same.",
    )


def _span(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}–{last}"  # noqa: RUF001 - a range for readers
