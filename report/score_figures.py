"""Figures of the score forecast: errors, subjects, intervals."""

from collections.abc import Iterator

import altair as alt
import numpy as np

from evaluation.figures import RunMetrics
from report.drawing import (
    OKABE_ITO,
    WIDTH,
    Figure,
    base,
    chart,
    colour,
    diagonal,
    line,
    periods,
    said,
    scores,
)
from report.source import Source

# Points of a scatter; more only grow the file.
_MOST_POINTS = 1500


def score_figures(source: Source) -> Iterator[Figure]:
    """Draw them."""
    score = source.score
    forecast, actual = score.models["network"].astype(float), score.actual.astype(float)
    picked = np.random.default_rng(0).permutation(len(actual))[:_MOST_POINTS]
    target = source.run.contract.targets.score
    span = alt.Scale(domain=[target.minimum, target.maximum])
    rows = [{"forecast": forecast[i].round(3), "actual": actual[i].round(3)} for i in picked]
    yield Figure(
        "predicted_against_actual",
        f"{target.label}: forecast against what came",
        base(rows, width=320, height=320)
        .mark_circle(size=14, opacity=0.35, color=OKABE_ITO[0])
        .encode(
            x=alt.X("actual:Q", title="actual", scale=span),
            y=alt.Y("forecast:Q", title="forecast", scale=span),
        )
        + diagonal("actual", "forecast", (target.minimum, target.maximum)),
        f"{len(rows)} forecasts of the test part against the scores that came; the dashed diagonal "
        "is a perfect forecast.",
    )
    error = forecast - actual
    counts, edges = np.histogram(error, bins=40)
    bars = [
        {"from": float(low), "to": float(high), "forecasts": int(count)}
        for count, low, high in zip(counts, edges[:-1], edges[1:], strict=True)
    ]
    reach = 0.05 * (target.maximum - target.minimum)
    near = float((np.abs(error) <= reach).mean()) if len(error) else 0.0
    yield Figure(
        "error_histogram",
        f"Errors of the forecast: {near:.0%} within ±{reach:g}",
        base(bars)
        .mark_bar(color=OKABE_ITO[0], stroke="white", strokeWidth=0.4)
        .encode(
            x=alt.X("from:Q", title="forecast less actual"),
            x2="to:Q",
            y=alt.Y("forecasts:Q", title="forecasts"),
            y2=alt.datum(0),
        ),
        f"Histogram of {len(error):,} errors with mean {error.mean():.2f} and standard deviation "
        f"{error.std():.2f}; {near:.0%} lie within ±{reach:g}.",
    )
    if len(target.subjects) > 1:
        yield by_subject(source.run.metrics)
    if source.run.intervals.measured:
        yield _coverage(source)


def by_subject(metrics: RunMetrics) -> Figure:
    """Draw the mean absolute error of every model, subject by subject."""
    reports = scores(metrics)
    rows = [
        {"model": name, "subject": subject, "MAE": figures.mae}
        for name, report in reports.items()
        for subject, figures in report.by_subject.items()
        if figures.mae is not None
    ]
    drawn = (
        base(rows, width=WIDTH + 120)
        .mark_bar()
        .encode(
            x=alt.X("subject:N", title=None, axis=alt.Axis(labelAngle=0)),
            xOffset=alt.XOffset("model:N", sort=list(reports)),
            y="MAE:Q",
            color=colour("model", list(reports)),
        )
    )
    subjects = len(metrics.score.network.by_subject)
    alternative = f"Mean absolute error of {len(reports)} models in {subjects} subjects."
    return Figure("by_subject", "Models by subject", drawn, alternative)


def _coverage(source: Source) -> Figure:
    intervals = source.run.intervals
    rows = [{source.clock: at, "held": share} for at, share in intervals.measured.items()]
    aim = chart([{"aim": intervals.coverage}]).mark_rule(strokeDash=[4, 4])
    drawn = line(rows, OKABE_ITO[0], points=True).encode(
        x=periods(source.clock, max(intervals.measured)),
        y=alt.Y(
            "held:Q",
            title="share held",
            axis=alt.Axis(format="%"),
            scale=alt.Scale(domain=[min([0.5, *intervals.measured.values()]), 1]),
        ),
    )
    return Figure(
        "coverage",
        f"Scores held by the {intervals.coverage:.0%} interval",
        drawn + aim.encode(y=alt.Y("aim:Q", title="share held")),
        f"Share of the test part's scores within the interval by {source.clock}; overall "
        f"{said(intervals.measured_overall)}, aimed at {intervals.coverage:.0%}.",
    )
