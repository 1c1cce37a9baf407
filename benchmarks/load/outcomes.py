"""What became of requests, counted apart: answered, refused, failed, unanswered."""

import math
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray


class Outcome(IntEnum):
    """What became of one request."""

    ANSWERED = 0
    REFUSED = 1
    FAILED = 2
    UNANSWERED = 3


def outcome_of(status: int) -> Outcome:
    """Say what an HTTP status means to the caller; 0 is no answer.

    429 and 503 are refusals: the service saying in time that it has too much to do.
    """
    if status == 0:
        return Outcome.UNANSWERED
    if 200 <= status < 300:
        return Outcome.ANSWERED
    return Outcome.REFUSED if status in {429, 503} else Outcome.FAILED


@dataclass(frozen=True, eq=False)
class Samples:
    """What one run of a load generator saw, one entry a request.

    Attributes:
        due: (requests,) when each was due, seconds from the start. A closed loop's requests are
            due when they are sent.
        latency: (requests,) seconds from when it was due to its outcome.
        lag: (requests,) seconds from when it was due to when it was sent: the generator's own
            delay, part of the latency.
        outcome: (requests,) `Outcome` of each.
        seconds: How long the generator sent.
    """

    due: NDArray[np.float64]
    latency: NDArray[np.float64]
    lag: NDArray[np.float64]
    outcome: NDArray[np.int8]
    seconds: float


@dataclass(frozen=True, slots=True)
class Summary:
    """One run in figures. Rates are per second; latencies in ms, of answered requests only.

    Attributes:
        offered: Requests due.
        goodput: Requests answered within the deadline.
        answered: Requests answered at all.
        refused: Share of requests that were refused (429, 503).
        failed: Share with any other status.
        unanswered: Share with no answer before the time-out.
        p50: Half of the answered requests took at most so long, ms; NaN if there were none.
        p95: As p50.
        p99: As p50.
        p999: As p50, 99.9%.
        lag_p99: 99% of the requests were sent at most so late, ms. Where it is no longer small
            beside p50, the generator is what was measured.
    """

    offered: float
    goodput: float
    answered: float
    refused: float
    failed: float
    unanswered: float
    p50: float
    p95: float
    p99: float
    p999: float
    lag_p99: float


def summarise(samples: Samples, *, deadline: float) -> Summary:
    """Sum up one run.

    Args:
        samples: What the generator saw.
        deadline: Seconds within which an answer is still worth having.
    """
    total = len(samples.outcome)
    answered = samples.latency[samples.outcome == Outcome.ANSWERED]
    return Summary(
        offered=total / samples.seconds,
        goodput=int(np.count_nonzero(answered <= deadline)) / samples.seconds,
        answered=len(answered) / samples.seconds,
        refused=_share(samples, Outcome.REFUSED),
        failed=_share(samples, Outcome.FAILED),
        unanswered=_share(samples, Outcome.UNANSWERED),
        p50=percentile(answered, 50) * 1e3,
        p95=percentile(answered, 95) * 1e3,
        p99=percentile(answered, 99) * 1e3,
        p999=percentile(answered, 99.9) * 1e3,
        lag_p99=percentile(samples.lag, 99) * 1e3,
    )


def percentile(values: NDArray[np.float64], percent: float) -> float:
    """Return the smallest value that at least `percent` of the values do not exceed (nearest rank).

    Unlike an interpolated one it is a latency that was observed. NaN where there are no values.
    """
    if not len(values):
        return math.nan
    return float(np.percentile(values, percent, method="inverted_cdf"))


def _share(samples: Samples, outcome: Outcome) -> float:
    total = len(samples.outcome)
    return int(np.count_nonzero(samples.outcome == outcome)) / total if total else 0.0
