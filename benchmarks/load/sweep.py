"""Latency against load: an open loop at rising rates, from idle to three times the capacity."""

import csv
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import altair as alt

from benchmarks.cores import Cores, pinned
from benchmarks.load.arrivals import constant_arrivals, poisson_arrivals
from benchmarks.load.generator import Target, drive_open
from benchmarks.load.http_client import http_request
from benchmarks.load.outcomes import Summary, summarise
from benchmarks.server import HOST, RunningServer
from theme import tokens

PATH = "/score"
# Shares of the capacity; beyond 1 the service must refuse, and go on answering.
LOADS = (0.1, 0.25, 0.5, 0.7, 0.8, 0.9, 1.0, 1.2, 1.5, 2.0, 3.0)

# A generator that is later than this share of the median latency, and than this many milliseconds,
# is what was measured.
_LATE_SHARE, _LATE_MILLISECONDS = 0.5, 2.0


@dataclass(frozen=True, slots=True)
class Point:
    """One load of a sweep.

    Attributes:
        load: Offered rate as a share of the capacity.
        rate: Offered rate, requests a second.
        summary: What was seen.
    """

    load: float
    rate: float
    summary: Summary

    @property
    def is_generators(self) -> bool:
        """Whether the generator's own delay is a notable part of the latencies."""
        return self.summary.lag_p99 > max(_LATE_SHARE * self.summary.p50, _LATE_MILLISECONDS)


def sweep(
    server: RunningServer,
    bodies: Sequence[bytes],
    capacity: float,
    *,
    loads: Sequence[float] = LOADS,
    seconds: float,
    deadline: float,
    poisson: bool = True,
    cores: Cores,
) -> list[Point]:
    """Offer each of the `loads` for `seconds`, latency counted from when a request was due.

    Args:
        server: Where to.
        bodies: `score` requests, sent in turn.
        capacity: Requests a second that `loads` are shares of.
        loads: Shares of the capacity, ascending.
        seconds: Length of each load.
        deadline: Seconds within which an answer counts as goodput.
        poisson: Independent arrivals, as of many students; otherwise evenly spaced ones.
        cores: Where the generator runs.
    """
    target = Target(HOST, server.port, [http_request(PATH, body) for body in bodies])
    points = []
    for load in loads:
        rate = capacity * load
        arrivals = poisson_arrivals(rate, seconds) if poisson else constant_arrivals(rate, seconds)
        with pinned(cores.client):
            samples = drive_open(target, arrivals, seconds=seconds)
        points.append(Point(load, rate, summarise(samples, deadline=deadline)))
    return points


def write_csv(points: Sequence[Point], path: Path) -> None:
    """Write one line a point: load, rate and every field of `Summary`."""
    with path.open("w", encoding="utf-8", newline="") as file:
        columns = ["load", "rate", *(field.name for field in fields(Summary))]
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        for point in points:
            writer.writerow({"load": point.load, "rate": point.rate, **asdict(point.summary)})


def plot(points: Sequence[Point], path: Path) -> None:
    """Draw latency over the offered load, and below it what became of the requests.

    Where the generator itself sent late (`Point.is_generators`), its delay is part of the latency:
    those points are hollow and no line leads to them, since they show the generator's limit.

    Args:
        points: Ascending loads.
        path: SVG or PNG, by suffix.
    """
    latencies = [
        {
            "load": point.load,
            "ms": getattr(point.summary, name),
            "percentile": name,
            "limit": point.is_generators,
        }
        for point in points
        for name in ("p50", "p95", "p99")
        # Without an answer there is no latency to draw.
        if point.summary.answered
    ]
    rates = [
        {"load": point.load, "per second": value, "requests": name, "limit": False}
        for point in points
        for name, value in (
            ("offered", point.rate),
            ("answered in time", point.summary.goodput),
            ("refused", point.summary.refused * point.summary.offered),
        )
    ]
    across = alt.X("load:Q", title="offered load, times the capacity")
    latency = _lines(latencies, "percentile", ["p50", "p95", "p99"]).encode(
        across, alt.Y("ms:Q", title="latency, ms", scale=alt.Scale(type="log"))
    )
    goodput = _lines(rates, "requests", ["offered", "answered in time", "refused"]).encode(
        across, alt.Y("per second:Q", title="requests/s")
    )
    late = [f"{point.load:g}" for point in points if point.is_generators]
    title = "Latency against load"
    if late:
        title += f" (hollow: the load generator was late, at {', '.join(late)})"
    chart = (latency & goodput).resolve_scale(color="independent").properties(title=title)
    chart.save(path)


def _lines(rows: list[dict[str, object]], field: str, names: list[str]) -> alt.LayerChart:
    data = alt.Chart(alt.InlineData(rows), width=560, height=240)
    tint = alt.Color(
        f"{field}:N",
        title=None,
        scale=alt.Scale(domain=names, range=tokens.series()[: len(names)]),
    )
    lines = data.transform_filter("!datum.limit").mark_line().encode(color=tint)
    trusted = data.transform_filter("!datum.limit").mark_point(filled=True, opacity=1)
    hollow = data.transform_filter("datum.limit").mark_point(filled=False, opacity=0.8)
    chart: alt.LayerChart = lines + trusted.encode(color=tint) + hollow.encode(color=tint)
    return chart
