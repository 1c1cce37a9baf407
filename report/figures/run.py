"""Every figure of the report: both papers' and those that honest use needs."""

from collections.abc import Iterator
from typing import Any

import altair as alt

from evaluation.figures import RunMetrics
from report.figures.complexity import complexity_figures
from report.figures.drawing import (
    EDGE,
    SERIES,
    Figure,
    base,
    chart,
    colour,
    dashes,
    risks,
    three_decimals,
)
from report.figures.reading import reading_figures
from report.figures.risk import risk_figures
from report.figures.score import score_figures
from report.source import Source


def run_figures(source: Source) -> list[Figure]:
    """Draw every figure that the run has the data for."""
    return [
        _metric_bars(source.run.metrics),
        *_learning_curves(source),
        _confusion(source.run.metrics),
        *risk_figures(source),
        *score_figures(source),
        *reading_figures(source),
        *complexity_figures(source.complexity),
    ]


def _metric_bars(metrics: RunMetrics) -> Figure:
    reports = risks(metrics)
    names = {
        "accuracy": "accuracy",
        "precision": "precision",
        "recall": "recall",
        "f1": "F1",
        "auc": "AUC",
    }
    panels = [
        _bars(
            [
                {"model": model, shown: value}
                for model, report in reports.items()
                if (value := getattr(report.last, name)) is not None
            ],
            shown,
            list(reports),
            labelled=at == 0,
        )
        for at, (name, shown) in enumerate(names.items())
    ]
    drawn = alt.hconcat(*panels, spacing=12)
    last = metrics.risk.network.last
    return Figure(
        "metric_bars",
        "Risk: figures at each record's last period",
        drawn,
        f"Bars of accuracy, precision, recall, F1 and AUC for {len(reports)} models; the network's "
        f"AUC is {three_decimals(last.auc)}, its recall {three_decimals(last.recall)}.",
        wide=True,
    )


def _bars(rows: list[dict[str, Any]], figure: str, models: list[str], *, labelled: bool) -> Any:
    """Draw one figure of every model, each bar with its value."""
    place = base(rows, width=180, height=26 * len(models)).encode(
        x=alt.X(f"{figure}:Q", scale=alt.Scale(domain=[0, 1.12]), axis=None),
        y=alt.Y(
            "model:N",
            sort=models,
            scale=alt.Scale(domain=models),
            axis=alt.Axis(title=None, labels=labelled, ticks=False, domain=False),
        ),
    )
    first = alt.condition("datum.model === 'network'", alt.value(SERIES[0]), alt.value(EDGE))
    bars = place.mark_bar(height=16).encode(color=first)
    values = place.mark_text(align="left", dx=4, fontSize=12).encode(
        text=alt.Text(f"{figure}:Q", format=".3f")
    )
    return (bars + values).properties(title=alt.Title(figure, fontSize=13, anchor="start"))


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
                base(rows)
                .mark_line()
                .encode(
                    x=alt.X("epoch:Q", axis=alt.Axis(tickMinStep=1)),
                    y=alt.Y(f"{figure}:Q", scale=alt.Scale(zero=False)),
                    color=colour("part", ["training", "validation"]),
                    strokeDash=dashes("part", {"training": False, "validation": True}),
                )
            )
            rule = chart([{"kept": kept}]).mark_rule(strokeDash=[2, 2])
            yield Figure(
                f"{figure}_{network}",
                f"{network.capitalize()} network: {figure} (dotted: weights kept)",
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
    drawn = base(rows, width=300, height=180).encode(
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
        f"Who is overlooked: false-negative rate {three_decimals(rate)}",
        drawn.mark_rect(stroke="white").encode(color=share)
        + drawn.mark_text(fontSize=15).encode(text="text:N", color=dark),
        f"Confusion matrix: {cells.false_negative} of those at risk were not warned, "
        f"{cells.true_positive} were; of the others {cells.false_positive} were warned.",
    )
