"""Figures for Prometheus, on BentoML's `/metrics` page: what is asked, how long it takes, by whom.

The routes that `service.front` answers pass by BentoML's own metrics, so these are owed here. They
are counted once a turn of the batcher, not once a request, wherever that says the same.
"""

import functools
from bisect import bisect_left
from collections import Counter as Tally
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from prometheus_client import Counter, Gauge, Histogram

from records.contract import Contract
from scoring.table import STATUSES
from service.answer import Answered, Answers, refused_rows
from service.problems import BUSY, NAMESPACE, RequestError
from service.request import ScoreRequest
from service.wire import ModelInfo

# From a tenth of a millisecond, which one student takes, to what a full request may take.
_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)
_STUDENTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096, 16384)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 96, 128, 192, 256, 512)
STAGES = ("decode", "compute", "policy", "encode")
SCORE = "/score"
BULK = "/score/bulk"


@dataclass(frozen=True, slots=True)
class Turn:
    """What one turn of the batcher did (`service.batching`).

    Attributes:
        requests: Those that were worked on together.
        answers: The passes: one, or one a request where the common one failed.
        outcomes: What became of the requests that ended in this turn.
        seconds: From the last byte of each of these to its answer.
        queued: From the last byte of each request whose work began in this turn to its beginning.
        decode: Seconds of decoding.
        refused: Requests that were not taken in since the turn before.
        recipients: Who was told of each outcome.
        started: When decoding began, on the clock of `perf_counter`.
        ended: When the last recipient had been told.
    """

    requests: Sequence[ScoreRequest]
    answers: Sequence[Answers]
    outcomes: Sequence[Answered | RequestError]
    seconds: Sequence[float]
    queued: Sequence[float]
    decode: float = 0.0
    refused: int = 0
    recipients: Sequence[object] = ()
    started: float = 0.0
    ended: float = 0.0


class ManyHistogram(Histogram):
    """A histogram that takes many observations at once: one write a bucket, not one each."""

    def observe_many(self, amounts: Collection[float]) -> None:
        """Observe each of `amounts`."""
        if not amounts:
            return
        bounds = self._upper_bounds
        self._sum.inc(sum(amounts))
        for bucket, number in Tally(bisect_left(bounds, amount) for amount in amounts).items():
            self._buckets[bucket].inc(number)


@dataclass(frozen=True, slots=True)
class Metrics:
    """What the service counts.

    Attributes:
        requests: By `route` and `status`.
        seconds: From the request's last byte to the answer, by `route`.
        students: By `outcome`: assessed, refused.
        students_per_request: Students that one request carries.
        execution_rows: Rows of one execution of the model.
        queue_seconds: From the request's last byte to the beginning of its work.
        stage_seconds: Work, by `stage`: decode, compute, policy, encode.
        refusals: Requests that were not answered, by `reason`, the code of the problem.
        tiers: Assessed students, by `tier`.
        statuses: Students scored, by `status`.
        feature_values: Values in scored students' histories, by `feature` and `state`: observed,
            missing, outlying (observed, but outside the fences of the training records).
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
            "Values of scored students; outlying ones are observed ones outside the fences.",
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
    _request_counter(route, status).inc()
    metrics().seconds.labels(route).observe(seconds)


def count_refusal(refusal: RequestError, number: int = 1) -> None:
    """Count requests that were not answered, by why."""
    _refusal_counter(refusal.details.type).inc(number)


def count_students(assessed: int, refused: int, tiers: Mapping[str, int]) -> None:
    """Count the students of a part of a request.

    Args:
        assessed: Those that were scored.
        refused: Those that were not.
        tiers: Students by the name of their tier.
    """
    figures = metrics()
    _add({"assessed": figures.students.labels("assessed")}, {"assessed": assessed})
    _add({"refused": figures.students.labels("refused")}, {"refused": refused})
    _add({name: figures.tiers.labels(name) for name in tiers}, tiers)


def show_model(info: ModelInfo) -> None:
    """Publish what is loaded and where it runs."""
    metrics().model.labels(
        name=info.model.name,
        version=info.model.version,
        contract=info.model.contract,
        policy=info.model.policy,
        provider=info.provider.active,
    ).set(1)


def turn_observer(contract: Contract, tiers: Iterable[str]) -> Callable[[Turn], None]:
    """Return what counts a turn of the batcher.

    All labels are resolved here, once, so that a figure that is still zero is shown too.
    """
    figures = metrics()
    seconds = figures.seconds.labels(SCORE)
    stages = {stage: figures.stage_seconds.labels(stage) for stage in STAGES}
    by_tier = {tier: figures.tiers.labels(tier) for tier in tiers}
    by_status: dict[str, Counter] = {status: figures.statuses.labels(status) for status in STATUSES}
    by_outcome = {name: figures.students.labels(name) for name in ("assessed", "refused")}
    names = [feature.name for feature in contract.features]
    by_feature = {
        state: [figures.feature_values.labels(name, state) for name in names]
        for state in ("observed", "missing", "outlying")
    }

    def observe(turn: Turn) -> None:
        seconds.observe_many(turn.seconds)
        figures.queue_seconds.observe_many(turn.queued)
        if turn.refused:
            _request_counter(SCORE, BUSY.status).inc(turn.refused)
            _refusal_counter(NAMESPACE + BUSY.code).inc(turn.refused)
        stages["decode"].inc(turn.decode)
        for answers in turn.answers:
            stages["compute"].inc(answers.stages.compute)
            stages["policy"].inc(answers.stages.policy)
            stages["encode"].inc(answers.stages.encode)
            figures.execution_rows.observe_many(answers.executions)
            _add(by_tier, answers.tiers)
            _add(by_status, answers.statuses)
        _add(by_outcome, _count_outcomes(turn.outcomes))
        for state, numbers in _count_values(turn, len(names)).items():
            for counter, number in zip(by_feature[state], numbers, strict=True):
                if number:
                    counter.inc(number)

    return observe


def _count_outcomes(outcomes: Sequence[Answered | RequestError]) -> dict[str, int]:
    """Count requests; return students by what became of them."""
    statuses: Tally[int] = Tally()
    sizes: list[int] = []
    assessed = refused = 0
    for outcome in outcomes:
        if isinstance(outcome, RequestError):
            statuses[outcome.status] += 1
            count_refusal(outcome)
            scored, rejected = 0, refused_rows(outcome.details.errors)
        else:
            statuses[200] += 1
            scored, rejected = outcome.assessed, outcome.refused
        if scored or rejected:
            sizes.append(scored + rejected)
        assessed += scored
        refused += rejected
    metrics().students_per_request.observe_many(sizes)
    for status, number in statuses.items():
        _request_counter(SCORE, status).inc(number)
    return {"assessed": assessed, "refused": refused}


def _count_values(turn: Turn, features: int) -> dict[str, list[int]]:
    """Count values by state and feature, over all periods that were handed in."""
    asked = [request.students for request in turn.requests if request.students.ids]
    if not asked:
        return {}
    values = np.concatenate([students.values for students in asked])
    periods = sum(int(students.lengths.sum()) for students in asked)
    missing = np.count_nonzero(np.isnan(values), axis=(0, 1)) - (
        values.shape[0] * values.shape[1] - periods  # behind the last period there are no values
    )
    outlying = np.zeros(features, np.intp)
    for answers in turn.answers:
        if answers.table is not None:
            outlying += np.bincount(answers.table.outlying.feature, minlength=features)
    return {
        "observed": (periods - missing).tolist(),
        "missing": missing.tolist(),
        "outlying": outlying.tolist(),
    }


def _add(counters: Mapping[str, Counter], numbers: Mapping[str, int]) -> None:
    for key, number in numbers.items():
        if number:
            counters[key].inc(number)


@functools.lru_cache(256)
def _request_counter(route: str, status: int) -> Counter:
    return metrics().requests.labels(route, status)


@functools.lru_cache(64)
def _refusal_counter(kind: str) -> Counter:
    return metrics().refusals.labels(kind.removeprefix(NAMESPACE))
