"""Figures for Prometheus, on BentoML's `/metrics` page: what is asked, how long it takes, by whom.

The routes that `service.asgi` answers pass by BentoML's own metrics, so these are owed here.
`service.observability.batch_metrics` counts those of `score`.
"""

import functools
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from prometheus_client import Counter, Gauge, Histogram

from service.http.problems import NAMESPACE, RequestError
from service.http.schemas import ModelInfo

# From a tenth of a millisecond, which one student takes, to what a full request may take.
_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)
_STUDENTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096, 16384)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 96, 128, 192, 256, 512)


class ManyHistogram(Histogram):
    """A histogram that takes many observations at once: one write a bucket, not one each."""

    def observe_many(self, amounts: Collection[float]) -> None:
        """Observe each of `amounts`."""
        if not amounts:
            return
        self._sum.inc(sum(amounts))
        for bucket, number in enumerate(self._numbers(amounts)):
            if number:
                self._buckets[bucket].inc(number)

    def _numbers(self, amounts: Collection[float]) -> list[int]:
        """Count the amounts by bucket: those that exceed the bound before and not its own."""
        at = np.searchsorted(self._upper_bounds, np.array(amounts, np.float64))
        numbers: list[int] = np.bincount(at).tolist()
        return numbers


@dataclass(frozen=True, slots=True)
class Metrics:
    """What the service counts.

    Attributes:
        requests: By `route` and `status`.
        seconds: From the request's last byte, of a streamed table from its first MiB, to the
            answer, by `route`.
        students: By `outcome`: assessed, refused.
        students_per_request: Students that one request carries.
        execution_rows: Rows of one execution of the model.
        queue_seconds: From the request's last byte to the beginning of its work.
        stage_seconds: Work, by `stage`: decode, compute, policy, encode.
        refusals: Requests that were not answered, by `reason`, the code of the problem.
        tiers: Assessed students, by `tier`.
        statuses: Students scored, by `status`.
        feature_values: Values in scored students' histories, by `feature` and `state`: observed,
            missing, outlier (observed, but outside the fences of the training records).
        model: 1, with what is loaded in its labels.
    """

    requests: Counter
    seconds: ManyHistogram
    students: Counter
    students_per_request: ManyHistogram
    execution_rows: ManyHistogram
    queue_seconds: ManyHistogram
    stage_seconds: Counter
    refusals: Counter
    tiers: Counter
    statuses: Counter
    feature_values: Counter
    model: Gauge


@functools.cache
def metrics() -> Metrics:
    """Return the figures of this process; a figure can be registered only once."""
    return Metrics(
        requests=Counter("bellwether_requests", "Requests answered.", ["route", "status"]),
        seconds=ManyHistogram(
            "bellwether_request_seconds",
            "Time from the last byte of a request to its answer.",
            ["route"],
            buckets=_SECONDS,
        ),
        students=Counter("bellwether_students", "Students by what became of them.", ["outcome"]),
        students_per_request=ManyHistogram(
            "bellwether_students_per_request", "Students in one request.", buckets=_STUDENTS
        ),
        execution_rows=ManyHistogram(
            "bellwether_execution_rows", "Rows of one execution of the model.", buckets=_ROWS
        ),
        queue_seconds=ManyHistogram(
            "bellwether_queue_seconds",
            "Time from the last byte of a request to the beginning of its work.",
            buckets=_SECONDS,
        ),
        stage_seconds=Counter("bellwether_stage_seconds", "Seconds of work, by stage.", ["stage"]),
        refusals=Counter("bellwether_refusals", "Requests not answered, by reason.", ["reason"]),
        tiers=Counter("bellwether_tiers", "Assessed students by tier.", ["tier"]),
        statuses=Counter("bellwether_statuses", "Scored students by status.", ["status"]),
        feature_values=Counter(
            "bellwether_feature_values",
            "Values of scored students; outliers are observed values outside the fences.",
            ["feature", "state"],
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
    request_counter(route, status).inc()
    metrics().seconds.labels(route).observe(seconds)


def count_rejection(refusal: RequestError, number: int = 1) -> None:
    """Count requests that were not answered, by why."""
    rejection_counter(refusal.details.type).inc(number)


def show_model(info: ModelInfo) -> None:
    """Publish what is loaded and where it runs."""
    metrics().model.labels(
        name=info.model.name,
        version=info.model.version,
        contract=info.model.contract,
        policy=info.model.policy,
        provider=info.provider.active,
    ).set(1)


def add(counters: Mapping[str, Counter], numbers: Mapping[str, float]) -> None:
    """Add each number to the counter of its name."""
    for name, number in numbers.items():
        if number:
            counters[name].inc(number)


@functools.lru_cache(256)
def request_counter(route: str, status: int) -> Counter:
    """Return the counter of a route's answers with one status."""
    return metrics().requests.labels(route, status)


@functools.lru_cache(64)
def rejection_counter(kind: str) -> Counter:
    """Return the counter of refusals of one kind, a URN of `service.http.problems`."""
    return metrics().refusals.labels(kind.removeprefix(NAMESPACE))
