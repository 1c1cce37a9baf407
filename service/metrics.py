"""Figures for Prometheus, on BentoML's `/metrics` page: what is asked, how long it takes, by whom.

The routes that `service.front` answers pass by BentoML's own metrics, so these are owed here.
"""

import functools
from dataclasses import dataclass

from prometheus_client import Counter, Gauge, Histogram

from service.wire import ModelInfo

# From a tenth of a millisecond, which one student takes, to what a full request may take.
_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)
_STUDENTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096, 16384)


@dataclass(frozen=True, slots=True)
class Metrics:
    """What the service counts.

    Attributes:
        requests: By `route` and `status`.
        seconds: From the request's last byte to the answer, by `route`.
        students: By `outcome`: assessed, refused.
        students_per_request: Students that one request carries.
        model: 1, with what is loaded in its labels.
    """

    requests: Counter
    seconds: Histogram
    students: Counter
    students_per_request: Histogram
    model: Gauge


@functools.cache
def metrics() -> Metrics:
    """Return the figures of this process; a figure can be registered only once."""
    return Metrics(
        requests=Counter("bellwether_requests", "Requests answered.", ["route", "status"]),
        seconds=Histogram(
            "bellwether_request_seconds",
            "Time from the last byte of a request to its answer.",
            ["route"],
            buckets=_SECONDS,
        ),
        students=Counter("bellwether_students", "Students by what became of them.", ["outcome"]),
        students_per_request=Histogram(
            "bellwether_students_per_request", "Students in one request.", buckets=_STUDENTS
        ),
        model=Gauge(
            "bellwether_model_info",
            "What is loaded.",
            ["name", "version", "contract", "policy", "provider"],
            multiprocess_mode="max",
        ),
    )


def count_request(route: str, status: int, seconds: float) -> None:
    """Count one answer and how long it took."""
    metrics().requests.labels(route, status).inc()
    metrics().seconds.labels(route).observe(seconds)


def count_students(assessed: int, refused: int) -> None:
    """Count the students of one request, if it had any."""
    if assessed:
        metrics().students.labels("assessed").inc(assessed)
    if refused:
        metrics().students.labels("refused").inc(refused)
    if assessed or refused:
        metrics().students_per_request.observe(assessed + refused)


def show_model(info: ModelInfo) -> None:
    """Publish what is loaded and where it runs."""
    metrics().model.labels(
        name=info.model.name,
        version=info.model.version,
        contract=info.model.contract,
        policy=info.model.policy,
        provider=info.provider.active,
    ).set(1)
