"""Every figure of the report: both papers' and those that honest use needs.

Colours are Okabe and Ito's, told apart by people with any colour vision; each figure has a text
that says the same to those who do not see it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import altair as alt
import numpy as np

from evaluation.curves import lift_curve, reliability_curve
from evaluation.figures import RunMetrics
from evaluation.metrics import spread_horizons
from evaluation.predictions import Predictions
from evaluation.weighted import Judged
from report.source import Source

OKABE_ITO = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442", "#000000")
_WIDTH, _HEIGHT = 420, 260
# Points of a scatter; more only grow the file.
_MOST_POINTS = 1500
_EXAMPLES = 6


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


def run_figures(source: Source) -> list[Figure]:
    """Draw every figure that the run has the data for."""
    risk, score = source.risk, source.score
    drawn = [
        _metric_bars(source.run.metrics),
        *_learning_curves(source),
        _confusion(source.run.metrics),
        *_risk_figures(risk, source),
        *_score_figures(score, source),
    ]
    if source.attention is not None:
        drawn.append(_attention(source.attention, source.clock))
    return drawn


def _metric_bars(metrics: RunMetrics) -> Figure:
    reports = {"network": metrics.risk.network, **metrics.risk.baselines}
    names = {
        "accuracy": "accuracy",
        "precision": "precision",
        "recall": "recall",
        "f1": "F1",
        "auc": "AUC",
    }
    rows = [
        {"model": model.replace("_", " "), "figure": shown, "value": value}
        for model, report in reports.items()
        for name, shown in names.items()
        if (value := getattr(report.last, name)) is not None
    ]
    chart = (
        _base(rows, width=_WIDTH + 120)
        .mark_bar()
        .encode(
            x=alt.X("figure:N", title=None, sort=list(names.values()), axis=alt.Axis(labelAngle=0)),
            xOffset=alt.XOffset("model:N", sort=[name.replace("_", " ") for name in reports]),
            y=alt.Y("value:Q", title="share", scale=alt.Scale(domain=[0, 1])),
            color=_colour("model", [name.replace("_", " ") for name in reports]),
        )
    )
    last = metrics.risk.network.last
    return Figure(
        "metric_bars",
        "Risk: figures at each record's last period",
        chart,
        f"Bars of accuracy, precision, recall, F1 and AUC for {len(reports)} models; the network's "
        f"AUC is {_said(last.auc)}, its recall {_said(last.recall)}.",
    )


def _learning_curves(source: Source) -> Iterator[Figure]:
    for network, epochs in source.history.items():
        for figure in ("loss", "accuracy"):
            rows = [
                {"epoch": int(row["epoch"]), "part": part, figure: float(row[column])}
                for row in epochs
                for part, column in (("training", figure), ("validation", f"validation_{figure}"))
                if row[column] not in ("", None)
            ]
            if not rows:
                continue
            kept = next(int(row["epoch"]) for row in epochs if row["kept"] == "1")
            lines = (
                _base(rows)
                .mark_line()
                .encode(
                    x=alt.X("epoch:Q", axis=alt.Axis(tickMinStep=1)),
                    y=alt.Y(f"{figure}:Q", scale=alt.Scale(zero=False)),
                    color=_colour("part", ["training", "validation"]),
                    strokeDash=alt.StrokeDash("part:N", legend=None),
                )
            )
            rule = _chart([{"kept": kept}]).mark_rule(strokeDash=[2, 2])
            yield Figure(
                f"{figure}_{network}",
                f"{figure.capitalize()} of the {network} network by epoch",
                lines + rule.encode(x=alt.X("kept:Q", title="epoch")),
                f"Training and validation {figure} over {len(epochs)} epochs; the weights of epoch "
                f"{kept} were kept.",
            )


def _confusion(metrics: RunMetrics) -> Figure:
    last = metrics.risk.network.last
    cells = last.confusion
    rows: list[dict[str, Any]] = [
        {"outcome": "at risk", "warning": "not warned", "records": cells.false_negative},
        {"outcome": "at risk", "warning": "warned", "records": cells.true_positive},
        {"outcome": "not at risk", "warning": "not warned", "records": cells.true_negative},
        {"outcome": "not at risk", "warning": "warned", "records": cells.false_positive},
    ]
    for row in rows:
        of_outcome = sum(r["records"] for r in rows if r["outcome"] == row["outcome"])
        row["share"] = row["records"] / of_outcome if of_outcome else 0.0
        row["text"] = f"{row['records']:,} ({row['share']:.0%})"
    base = _base(rows, width=300, height=180).encode(
        x=alt.X("warning:N", title=None, axis=alt.Axis(labelAngle=0, orient="top")),
        y=alt.Y("outcome:N", title=None, sort=["at risk", "not at risk"]),
    )
    share = alt.Color(
        "share:Q",
        title="share of the outcome",
        scale=alt.Scale(scheme="blues", domain=[0, 1]),
        legend=alt.Legend(format="%"),
    )
    dark = alt.condition("datum.share > 0.55", alt.value("white"), alt.value("black"))
    rate = last.false_negative_rate
    return Figure(
        "confusion",
        f"Who is overlooked: false-negative rate {_said(rate)}",
        base.mark_rect(stroke="white").encode(color=share)
        + base.mark_text(fontSize=15).encode(text="text:N", color=dark),
        f"Confusion matrix: {cells.false_negative} of those at risk were not warned, "
        f"{cells.true_positive} were; of the others {cells.false_positive} were warned.",
    )


def _risk_figures(risk: Predictions, source: Source) -> Iterator[Figure]:
    horizons = spread_horizons(np.unique(risk.periods).tolist(), 4)
    judged = {at: _judged(risk.at(at)) for at in horizons}
    names = [f"{source.clock} {at}" for at in horizons]
    rows = [
        {
            source.clock: f"{source.clock} {at}",
            "probability": point.probability,
            "at risk": point.at_risk,
        }
        for at, part in judged.items()
        for point in reliability_curve(part)
    ]
    ideal = _chart([{"x": 0, "y": 0}, {"x": 1, "y": 1}]).mark_line(color="#777", strokeDash=[4, 4])
    points = (
        _base(rows, width=300, height=300)
        .mark_line(point=True)
        .encode(
            x=alt.X("probability:Q", title="mean probability", scale=alt.Scale(domain=[0, 1])),
            y=alt.Y("at risk:Q", title="share at risk", scale=alt.Scale(domain=[0, 1])),
            color=_colour(source.clock, names),
        )
    )
    yield Figure(
        "reliability",
        "Reliability: do probabilities mean what they say?",
        ideal.encode(
            x=alt.X("x:Q", title="mean probability"), y=alt.Y("y:Q", title="share at risk")
        )
        + points,
        f"Share at risk against mean probability in ten bins at {', '.join(names)}; the dashed "
        "diagonal is perfect calibration.",
    )
    yield _lift(judged, names, source.clock)
    yield _auc_by_period(source)
    yield _trajectories(risk, source.clock)


def _lift(judged: dict[int, Judged], names: list[str], clock: str) -> Figure:
    rows = [
        {clock: name, "share": point.share, "recall": point.recall}
        for name, part in zip(names, judged.values(), strict=True)
        for point in lift_curve(part)
        if point.recall is not None
    ]
    chart = (
        _base(rows)
        .mark_line(point=True)
        .encode(
            x=alt.X("share:Q", title="share of the students seen", axis=alt.Axis(format="%")),
            y=alt.Y("recall:Q", title="share of those at risk found", axis=alt.Axis(format="%")),
            color=_colour(clock, names),
        )
    )
    chance = _chart([{"x": 0, "y": 0}, {"x": 1, "y": 1}]).mark_line(color="#777", strokeDash=[4, 4])
    return Figure(
        "lift",
        "What an office finds that sees the riskiest first",
        chart
        + chance.encode(
            x=alt.X("x:Q", title="share of the students seen"),
            y=alt.Y("y:Q", title="share of those at risk found"),
        ),
        "Share of the students at risk that are found against the share of students seen; the "
        "dashed line is seeing them by chance.",
    )


def _auc_by_period(source: Source) -> Figure:
    metrics = source.run.metrics
    reports = {"network": metrics.risk.network, **metrics.risk.baselines}
    rows = [
        {"model": name.replace("_", " "), source.clock: at, "AUC": figures.auc}
        for name, report in reports.items()
        for at, figures in report.by_period.items()
        if figures.auc is not None
    ]
    chart = (
        _base(rows)
        .mark_line(point=len(metrics.risk.network.by_period) < 12)
        .encode(
            x=alt.X(f"{source.clock}:Q", axis=alt.Axis(tickMinStep=1)),
            y=alt.Y("AUC:Q", scale=alt.Scale(zero=False)),
            color=_colour("model", [name.replace("_", " ") for name in reports]),
        )
    )
    return Figure(
        "auc_by_period",
        f"AUC of every model by {source.clock}",
        chart,
        f"AUC by {source.clock} for {', '.join(reports)}.",
    )


def _trajectories(risk: Predictions, clock: str) -> Figure:
    """Show a few students: real ids never leave the run."""
    network = _network(risk)
    longest = np.unique(risk.ids[risk.periods == risk.periods.max()])
    ends = {name: network[risk.ids == name][-1] for name in longest.tolist()}
    ordered = sorted(ends, key=lambda name: float(ends[name]))
    chosen = [ordered[round(at)] for at in np.linspace(0, len(ordered) - 1, _EXAMPLES)]
    rows = [
        {
            "student": f"example {number}",
            clock: int(period),
            "risk": float(probability),
            "outcome": "at risk" if risk.actual[here][-1] > 0.5 else "not at risk",
        }
        for number, name in enumerate(dict.fromkeys(chosen), start=1)
        for here in [risk.ids == name]
        for period, probability in zip(risk.periods[here], network[here], strict=True)
    ]
    students = [f"example {number}" for number in range(1, len(set(chosen)) + 1)]
    chart = (
        _base(rows)
        .mark_line(point=True)
        .encode(
            x=alt.X(f"{clock}:Q", axis=alt.Axis(tickMinStep=1)),
            y=alt.Y("risk:Q", title="estimated risk", scale=alt.Scale(domain=[0, 1])),
            color=_colour("student", students),
            strokeDash=alt.StrokeDash(
                "outcome:N",
                title="in the end",
                sort=["at risk", "not at risk"],
                legend=alt.Legend(symbolType="stroke", symbolSize=300),
            ),
        )
    )
    return Figure(
        "trajectories",
        "Risk over time for example students",
        chart,
        f"Estimated risk after every {clock} for {len(students)} students of the test part, spread "
        "from the lowest to the highest risk at the end; ids are replaced.",
    )


def _score_figures(score: Predictions, source: Source) -> Iterator[Figure]:
    forecast, actual = _network(score).astype(float), score.actual.astype(float)
    picked = np.random.default_rng(0).permutation(len(actual))[:_MOST_POINTS]
    target = source.run.contract.targets.score
    span = alt.Scale(domain=[target.minimum, target.maximum])
    rows = [{"forecast": forecast[i].round(3), "actual": actual[i].round(3)} for i in picked]
    ideal = _chart([{"x": end, "y": end} for end in (target.minimum, target.maximum)]).mark_line(
        color="#777", strokeDash=[4, 4]
    )
    yield Figure(
        "predicted_against_actual",
        f"{target.label}: forecast against what came",
        _base(rows, width=320, height=320)
        .mark_circle(size=14, opacity=0.35, color=OKABE_ITO[0])
        .encode(
            x=alt.X("actual:Q", title="actual", scale=span),
            y=alt.Y("forecast:Q", title="forecast", scale=span),
        )
        + ideal.encode(x=alt.X("x:Q", title="actual"), y=alt.Y("y:Q", title="forecast")),
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
        _base(bars)
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
        yield _by_subject(source.run.metrics)
    yield _coverage(source)


def _by_subject(metrics: RunMetrics) -> Figure:
    reports = {"network": metrics.score.network, **metrics.score.baselines}
    rows = [
        {"model": name.replace("_", " "), "subject": subject, "MAE": figures.mae}
        for name, report in reports.items()
        for subject, figures in report.by_subject.items()
        if figures.mae is not None
    ]
    chart = (
        _base(rows, width=_WIDTH + 120)
        .mark_bar()
        .encode(
            x=alt.X("subject:N", title=None, axis=alt.Axis(labelAngle=0)),
            xOffset=alt.XOffset("model:N", sort=[name.replace("_", " ") for name in reports]),
            y="MAE:Q",
            color=_colour("model", [name.replace("_", " ") for name in reports]),
        )
    )
    subjects = len(metrics.score.network.by_subject)
    alternative = f"Mean absolute error of {len(reports)} models in {subjects} subjects."
    return Figure("by_subject", "Models by subject", chart, alternative)


def _coverage(source: Source) -> Figure:
    intervals = source.run.intervals
    rows = [{source.clock: at, "held": share} for at, share in intervals.measured.items()]
    aim = _chart([{"aim": intervals.coverage}]).mark_rule(strokeDash=[4, 4])
    chart = (
        _base(rows)
        .mark_line(point=True, color=OKABE_ITO[0])
        .encode(
            x=alt.X(f"{source.clock}:Q", axis=alt.Axis(tickMinStep=1)),
            y=alt.Y(
                "held:Q",
                title="share held",
                axis=alt.Axis(format="%"),
                scale=alt.Scale(domain=[min([0.5, *intervals.measured.values()]), 1]),
            ),
        )
    )
    return Figure(
        "coverage",
        f"Scores held by the {intervals.coverage:.0%} interval",
        chart + aim.encode(y=alt.Y("aim:Q", title="share held")),
        f"Share of the test part's scores within the interval by {source.clock}; overall "
        f"{_said(intervals.measured_overall)}, aimed at {intervals.coverage:.0%}.",
    )


def _attention(weights: Any, clock: str) -> Figure:
    periods = weights.shape[-1]
    rows = [
        {"from": at + 1, "to": to + 1, "weight": float(weights[at, to])}
        for at in range(periods)
        for to in range(at + 1)
    ]
    chart = (
        _base(rows, width=300, height=300)
        .mark_rect()
        .encode(
            x=alt.X("to:O", title=f"{clock} attended to", axis=alt.Axis(labelAngle=0)),
            y=alt.Y("from:O", title=f"forecast after {clock}"),
            color=alt.Color("weight:Q", scale=alt.Scale(scheme="viridis")),
        )
    )
    return Figure(
        "attention",
        "What the score forecast attends to",
        chart,
        f"Attention weights, mean over heads and records: {periods} rows, one for each {clock} of "
        "the forecast, over the periods up to it; each row sums to one.",
    )


def _chart(rows: list[dict[str, Any]]) -> Any:
    return alt.Chart({"values": rows})


def _base(rows: list[dict[str, Any]], *, width: int = _WIDTH, height: int = _HEIGHT) -> Any:
    return _chart(rows).properties(width=width, height=height)


def _colour(field: str, names: list[str]) -> Any:
    palette = [OKABE_ITO[at % len(OKABE_ITO)] for at in range(len(names))]
    return alt.Color(f"{field}:N", scale=alt.Scale(domain=names, range=palette), title=field)


def _judged(part: Predictions) -> Judged:
    return Judged(part.actual.astype(np.float64), _network(part).astype(np.float64))


def _network(predictions: Predictions) -> Any:
    return predictions.models["network"]


def _said(figure: float | None) -> str:
    return "n/a" if figure is None else f"{figure:.3f}"
