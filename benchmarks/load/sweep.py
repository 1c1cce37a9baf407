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

PATH = "/score"
# Shares of the capacity; beyond 1 the service must refuse, and go on answering.
LOADS = (0.1, 0.25, 0.5, 0.7, 0.8, 0.9, 1.0, 1.2, 1.5, 2.0, 3.0)


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
    """Draw p50, p95 and p99 over the offered rate, goodput below it; SVG or PNG by suffix."""
    latencies = [
        {"rate": point.rate, "ms": getattr(point.summary, name), "percentile": name}
        for point in points
        for name in ("p50", "p95", "p99")
        # Where nobody was answered there is no latency to draw.
        if point.summary.answered
    ]
    rates = [
        {"rate": point.rate, "per second": value, "requests": name}
        for point in points
        for name, value in (
            ("offered", point.rate),
            ("answered in time", point.summary.goodput),
            ("refused", point.summary.refused * point.summary.offered),
        )
    ]
    across = alt.X("rate:Q", title="offered requests/s")
    latency = _lines(latencies).encode(
        across,
        alt.Y("ms:Q", title="latency, ms", scale=alt.Scale(type="log")),
        alt.Color("percentile:N", title=None),
    )
    goodput = _lines(rates).encode(
        across,
        alt.Y("per second:Q", title="requests/s"),
        alt.Color("requests:N", title=None),
    )
    chart = (latency & goodput).resolve_scale(color="independent")
    chart.save(path)


def _lines(rows: list[dict[str, object]]) -> alt.Chart:
    data = alt.InlineData(rows)
    chart: alt.Chart = alt.Chart(data, width=560, height=240).mark_line(point=True)
    return chart
