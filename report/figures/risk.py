"""Figures of the risk network: by period, reliability, capacity, single students."""

from collections.abc import Iterator
from typing import Any

import altair as alt
import numpy as np

from evaluation.curves import lift_curve, reliability_curve
from evaluation.metrics import spread_horizons
from evaluation.predictions import Predictions
from evaluation.weighted import Judged
from report.figures.drawing import (
    FEW_PERIODS,
    SERIES,
    Figure,
    base,
    colour,
    diagonal,
    line,
    periods,
    risks,
    three_decimals,
)
from report.source import Source

_EXAMPLES = 6


def risk_figures(source: Source) -> Iterator[Figure]:
    """Draw them."""
    risk = source.risk
    horizons = spread_horizons(np.unique(risk.periods).tolist(), 4)
    judged = {at: _judged(risk.at(at)) for at in horizons}
    names = [str(at) for at in horizons]
    yield _base_rates(source)
    yield _auc_by_period(source)
    yield _reliability(judged, names, source.clock)
    yield _lift(judged, names, source.clock)
    yield _trajectories(risk, source.clock)


def _base_rates(source: Source) -> Figure:
    by_period = source.run.metrics.risk.network.by_period
    rows = [
        {source.clock: at, "share": of.base_rate, "records": of.records}
        for at, of in sorted(by_period.items())
    ]
    x = periods(source.clock, max(by_period))
    share = alt.Y("share:Q", title="share at risk", axis=alt.Axis(format="%"))
    point = len(rows) < FEW_PERIODS
    panels = [
        line(rows, SERIES[1], points=point, height=120).encode(x=x, y=share.scale(zero=True)),
        line(rows, SERIES[0], points=point, height=120).encode(
            x=x, y=alt.Y("records:Q", title="records", scale=alt.Scale(zero=True))
        ),
    ]
    first, last = rows[0], rows[-1]
    return Figure(
        "base_rates",
        f"Who counts, and how many of them are at risk, by {source.clock}",
        alt.vconcat(*panels),
        f"After {source.clock} {first[source.clock]} {first['records']:,} records of the test part "
        f"count and {three_decimals(first['share'])} of them are at risk; after {source.clock} "
        f"{last[source.clock]} {last['records']:,} and {three_decimals(last['share'])}.",
    )


def _reliability(judged: dict[int, Judged], names: list[str], clock: str) -> Figure:
    rows = [
        {
            clock: name,
            "probability": point.probability,
            "at risk": point.at_risk,
            "records": point.records,
            "low": low,
            "high": high,
        }
        for name, part in zip(names, judged.values(), strict=True)
        for point in reliability_curve(part)
        for low, high in [wilson(point.at_risk, point.records)]
    ]
    unit = alt.Scale(domain=[0, 1])
    panels: list[Any] = []
    for at, name in enumerate(names):
        here = [row for row in rows if row[clock] == name]
        place = base(here, width=230, height=230).encode(
            x=alt.X("probability:Q", title="mean probability", scale=unit)
        )
        tint = SERIES[at % len(SERIES)]
        y = alt.Y("at risk:Q", title="share at risk" if at == 0 else None, scale=unit)
        panels.append(
            (
                diagonal("mean probability", "share at risk" if at == 0 else "")
                + place.mark_rule(color=tint, strokeWidth=1.5).encode(
                    y=alt.Y("low:Q", scale=unit), y2="high:Q"
                )
                + place.mark_circle(color=tint, opacity=1).encode(
                    y=y,
                    size=alt.Size(
                        "records:Q",
                        title="records of a point",
                        scale=alt.Scale(range=[20, 160]),
                    ),
                )
            ).properties(title=alt.Title(f"{clock} {name}", fontSize=13, anchor="start"))
        )
    return Figure(
        "reliability",
        "Probabilities against outcomes",
        alt.hconcat(*panels, spacing=14),
        f"Share at risk against mean probability in bins of equal mass, after {clock} "
        f"{', '.join(names)}. Points on the dashed diagonal mean what they say; bars are 95% "
        "intervals (Wilson) of the share, and a larger point stands for more records.",
        wide=True,
    )


def wilson(share: float, records: int) -> tuple[float, float]:
    """Return Wilson's 95% interval of a share (Wilson 1927, "Probable inference").

    Args:
        share: 0 to 1.
        records: How many it is of; at least 1.
    """
    z = 1.959964
    middle = (share + z**2 / (2 * records)) / (1 + z**2 / records)
    half = z * np.sqrt(share * (1 - share) / records + z**2 / (4 * records**2))
    half /= 1 + z**2 / records
    return max(0.0, float(middle - half)), min(1.0, float(middle + half))


def _lift(judged: dict[int, Judged], names: list[str], clock: str) -> Figure:
    rows = [
        {clock: name, "share": point.share, "recall": point.recall}
        for name, part in zip(names, judged.values(), strict=True)
        for point in lift_curve(part)
        if point.recall is not None
    ]
    drawn = (
        base(rows)
        .mark_line(point=True)
        .encode(
            x=alt.X("share:Q", title="share of the students seen", axis=alt.Axis(format="%")),
            y=alt.Y("recall:Q", title="share of those at risk found", axis=alt.Axis(format="%")),
            color=colour(clock, names),
        )
    )
    return Figure(
        "lift",
        "What an office finds that sees the riskiest first",
        diagonal("share of the students seen", "share of those at risk found") + drawn,
        "Share of the students at risk that are found against the share of students seen; the "
        "dashed line is seeing them by chance.",
    )


def _auc_by_period(source: Source) -> Figure:
    metrics = source.run.metrics
    # That of the base rate is 0.5 by definition, and would press the others together.
    reports = {name: report for name, report in risks(metrics).items() if name != "base rate"}
    rows = [
        {"model": name, source.clock: at, "AUC": figures.auc}
        for name, report in reports.items()
        for at, figures in report.by_period.items()
        if figures.auc is not None
    ]
    drawn = (
        base(rows)
        .mark_line(point=len(metrics.risk.network.by_period) < FEW_PERIODS)
        .encode(
            x=periods(source.clock, max(metrics.risk.network.by_period)),
            y=alt.Y("AUC:Q", scale=alt.Scale(zero=False)),
            color=colour("model", list(reports)),
            strokeWidth=alt.condition("datum.model === 'network'", alt.value(3.5), alt.value(1.5)),
        )
    )
    return Figure(
        "auc_by_period",
        f"AUC by {source.clock} (the base rate's is 0.5)",
        drawn,
        f"AUC by {source.clock} for {', '.join(reports)}.",
    )


def _trajectories(risk: Predictions, clock: str) -> Figure:
    """Show a few students, half of each outcome where there are both: real ids never leave."""
    network = _network(risk)
    longest = np.unique(risk.ids[risk.periods == risk.periods.max()]).tolist()
    ends = {name: float(network[risk.ids == name][-1]) for name in longest}
    came = {name: bool(risk.actual[risk.ids == name][-1] > 0.5) for name in longest}
    chosen = [
        ordered[round(at)]
        for outcome in (True, False)
        for ordered in [sorted((n for n in longest if came[n] is outcome), key=ends.__getitem__)]
        if ordered
        for at in np.linspace(0, len(ordered) - 1, _EXAMPLES // 2)
    ]
    places = ("lowest", "middle", "highest")
    panels: list[Any] = []
    for outcome, ordered in (
        (outcome, [name for name in chosen if came[name] is outcome]) for outcome in (True, False)
    ):
        rows = [
            {clock: int(period), "risk": float(probability), "in the end": place}
            for name, place in zip(ordered, places, strict=False)
            for here in [risk.ids == name]
            for period, probability in zip(risk.periods[here], network[here], strict=True)
        ]
        if rows:
            words = "at risk in the end" if outcome else "not at risk in the end"
            lines = base(rows, width=470).mark_line(point=bool(risk.periods.max() < FEW_PERIODS))
            panels.append(
                lines.encode(
                    x=periods(clock, int(risk.periods.max())),
                    y=alt.Y(
                        "risk:Q",
                        title=None if panels else "estimated risk",
                        scale=alt.Scale(domain=[0, 1]),
                    ),
                    color=colour("in the end", list(places)).title("estimated risk in the end"),
                ).properties(title=alt.Title(words, fontSize=13, anchor="start"))
            )
    return Figure(
        "trajectories",
        "Risk over time for example students",
        alt.hconcat(*panels, spacing=24),
        f"Estimated risk after every {clock} for {len(chosen)} students of the test part: of "
        "those at risk in the end (left) and of the others (right), those of the lowest, the "
        "middle and the highest estimate; ids are replaced.",
        wide=True,
    )


def _judged(part: Predictions) -> Judged:
    return Judged(part.actual.astype(np.float64), _network(part).astype(np.float64))


def _network(predictions: Predictions) -> Any:
    return predictions.models["network"]
