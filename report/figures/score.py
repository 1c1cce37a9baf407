"""Figures of the score forecast: errors, subjects, intervals."""

from collections.abc import Iterator

import altair as alt
import numpy as np
from numpy.typing import NDArray

from evaluation.figures import RunMetrics
from report.figures.drawing import (
    EDGE,
    SERIES,
    SHEET,
    SOFT,
    WIDE,
    Figure,
    base,
    chart,
    colour,
    diagonal,
    line,
    periods,
    scores,
    table_of_cells,
    three_decimals,
)
from report.source import Source

# Points of a scatter; more only grow the file.
_MOST_POINTS = 1500
# Share of the errors that the histogram shows one by one.
_SHOWN = 0.99
_SAMPLES = 80


def score_figures(source: Source) -> Iterator[Figure]:
    """Draw them."""
    score = source.score
    forecast, actual = score.models["network"].astype(float), score.actual.astype(float)
    picked = np.random.default_rng(0).permutation(len(actual))[:_MOST_POINTS]
    target = source.run.contract.targets.score
    rows = [{"forecast": forecast[i].round(3), "actual": actual[i].round(3)} for i in picked]
    reach = 0.05 * (target.maximum - target.minimum)
    ends = _ends(np.concatenate([forecast[picked], actual[picked]]), reach)
    span = alt.Scale(domain=list(ends), nice=False)
    yield Figure(
        "predicted_against_actual",
        f"{target.label}: forecast against what came",
        base(rows, width=380, height=380)
        .mark_circle(size=16, opacity=0.35, color=SERIES[0])
        .encode(
            x=alt.X("actual:Q", title="actual", scale=span),
            y=alt.Y("forecast:Q", title="forecast", scale=span),
        )
        + diagonal("actual", "forecast", ends),
        f"{len(rows)} forecasts of the test part against the scores that came; the dashed diagonal "
        "is a perfect forecast.",
    )
    yield _error_histogram(forecast - actual, reach)
    yield _by_sample(forecast[picked], actual[picked])
    if len(target.subjects) > 1:
        yield by_subject(source.run.metrics)
    if source.run.intervals.measured:
        yield _coverage(source)


def _ends(values: NDArray[np.float64], step: float) -> tuple[float, float]:
    """Return the range of the values, widened to multiples of a step."""
    if not len(values):
        return 0.0, step
    low, high = float(values.min()), float(values.max())
    return float(np.floor(low / step) * step), float(np.ceil(high / step) * step)


def _error_histogram(error: NDArray[np.float64], reach: float) -> Figure:
    """Draw the errors: those near nothing marked, the few far ones set apart at the ends."""
    near = float((np.abs(error) <= reach).mean()) if len(error) else 0.0
    # Bins divide the reach, so that none lies on both sides of it.
    step = reach / 2
    far = float(np.quantile(np.abs(error), _SHOWN)) if len(error) else reach
    far = max(reach, float(np.ceil(far / step) * step))
    edges = np.arange(-far, far + step / 2, step)
    counts, _ = np.histogram(error, bins=edges)
    within, further, outlier = f"within ±{reach:g}", "further off", f"outliers beyond ±{far:g}"
    bars = [
        {
            "from": float(low),
            "to": float(high),
            "forecasts": int(count),
            "error": within if max(-low, high) <= reach + 1e-9 else further,
        }
        for count, low, high in zip(counts, edges[:-1], edges[1:], strict=True)
    ]
    for low, high, count in (
        (-far - 2 * step, -far - step, int((error < -far).sum())),
        (far + step, far + 2 * step, int((error > far).sum())),
    ):
        bars.append({"from": low, "to": high, "forecasts": count, "error": outlier})
    return Figure(
        "error_histogram",
        f"Errors of the forecast: {near:.0%} within ±{reach:g}",
        base(bars)
        .mark_bar(stroke=SHEET, strokeWidth=0.6)
        .encode(
            x=alt.X("from:Q", title="forecast less actual", scale=alt.Scale(nice=False)),
            x2="to:Q",
            y=alt.Y("forecasts:Q", title="forecasts"),
            y2=alt.datum(0),
            color=alt.Color(
                "error:N",
                title=None,
                scale=alt.Scale(
                    domain=[within, further, outlier], range=[SERIES[0], EDGE, SERIES[1]]
                ),
            ),
        ),
        f"Histogram of {len(error):,} errors with mean {error.mean():.2f} and standard deviation "
        f"{error.std():.2f}; {near:.0%} lie within ±{reach:g}, and {1 - _SHOWN:.0%} at most are "
        "counted at the ends as outliers.",
    )


def _by_sample(forecast: NDArray[np.float64], actual: NDArray[np.float64]) -> Figure:
    """Draw forecast and actual score of test samples side by side (paper B, figure 11)."""
    chosen = np.argsort(actual[:_SAMPLES], kind="stable")
    rows = [
        {"sample": number, "score": float(of[at]), "which": which}
        for number, at in enumerate(chosen.tolist(), start=1)
        for which, of in (("actual", actual), ("forecast", forecast))
    ]
    gaps = [
        {"sample": number, "from": float(actual[at]), "to": float(forecast[at])}
        for number, at in enumerate(chosen.tolist(), start=1)
    ]
    x = alt.X(
        "sample:Q",
        title="test sample, in order of its score",
        axis=alt.Axis(values=[1, *range(10, _SAMPLES + 1, 10)]),
        scale=alt.Scale(domain=[0, len(chosen) + 1], nice=False),
    )
    y = alt.Y("score:Q", title="score", scale=alt.Scale(zero=False))
    points = base(rows, width=WIDE - 120).mark_circle(size=42, opacity=1)
    lines = chart(gaps).mark_rule(color=SOFT, strokeWidth=1)
    return Figure(
        "predicted_by_sample",
        "Forecast and actual score, sample by sample",
        lines.encode(x=x, y=alt.Y("from:Q", title="score"), y2="to:Q")
        + points.encode(x=x, y=y, color=colour("which", ["actual", "forecast"]).title(None)),
        f"{len(chosen)} samples of the test part in order of their actual score, each joined to "
        "its forecast by a line as long as the error.",
        wide=True,
    )


def by_subject(metrics: RunMetrics) -> Figure:
    """Draw the mean absolute error of every model, subject by subject."""
    reports = scores(metrics)
    rows = [
        {"model": name, "subject": subject, "MAE": figures.mae}
        for name, report in reports.items()
        for subject, figures in report.by_subject.items()
        if figures.mae is not None
    ]
    subjects = len(metrics.score.network.by_subject)
    return Figure(
        "by_subject",
        "Models by subject: mean absolute error",
        table_of_cells(rows, down="model", across="subject", value="MAE", digits=2, title="MAE"),
        f"Mean absolute error of {len(reports)} models in {subjects} subjects; within a subject, a "
        "darker cell is a larger error.",
        wide=True,
    )


def _coverage(source: Source) -> Figure:
    intervals = source.run.intervals
    rows = [{source.clock: at, "held": share} for at, share in intervals.measured.items()]
    aim = chart([{"aim": intervals.coverage}]).mark_rule(strokeDash=[4, 4])
    drawn = line(rows, SERIES[0], points=True).encode(
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
        f"{three_decimals(intervals.measured_overall)}, aimed at {intervals.coverage:.0%}.",
    )
