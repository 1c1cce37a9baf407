"""A storm of requests by wrk, and what it does to those who are taken in, refused, or look in.

wrk makes the load, since a Python program would be the bottleneck, but it tells no latencies apart.
Beside it, on the same core, our own client sends the same requests at a low rate and notes what
became of each, and asks for health and metrics on a new connection every time, as a load balancer
does. How many were answered in the same window is read from the server's own counters.
"""

import json
import re
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.cores import Cores, pinned, pinned_command
from benchmarks.load.arrivals import Seconds, constant_arrivals, poisson_arrivals
from benchmarks.load.generator import Target, drive_together
from benchmarks.load.http_client import http_request
from benchmarks.load.outcomes import Outcome, Samples, percentile
from benchmarks.load.sweep import PATH
from benchmarks.server import HOST, RunningServer, ServerError

PROBES = ("/livez", "/readyz", "/metrics")
_SCRIPT = Path(__file__).with_name("storm.lua")
_SAMPLES_PER_SECOND = 100.0
_PROBES_PER_SECOND = 5.0
# Until every connection is open and the queue is as full as it gets.
_RISE_SECONDS = 2.0
_COUNTED = re.compile(
    rb'^bellwether_requests_total\{route="/score",status="(\d+)"\} (\S+)', re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class Storm:
    """How wrk is to send.

    Attributes:
        connections: Open at once; each waits for its answer before it pauses and asks again.
        pause: Mean of a connection's pauses, seconds; each lies between half and 1.5 times that.
        seconds: Length of the window that is measured, once the storm has risen.
    """

    connections: int
    pause: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Seen:
    """What a storm did. Rates are per second, latencies in ms; NaN where nothing was observed.

    Attributes:
        offered: Requests that the server decided on.
        answered: Those of them answered with 200.
        in_time: Share of our own client's accepted requests that were answered by the deadline.
        cpu: Processor seconds that the server took, a second.
        p50: Half of our client's accepted requests took at most so long.
        p99: As p50.
        refusal_p50: As p50, of refused ones.
        refusal_p99: As p50, of refused ones.
        probe_p99: As p50, of requests for health and metrics, by path.
        accepted: Accepted requests that p50 and p99 rest on.
        faults: Answers that were neither 200 nor 429, requests without one, health and metrics that
            output no: from either side.
        lag_p99: 99% of our client's requests were sent at most so late.
    """

    offered: float
    answered: float
    in_time: float
    cpu: float
    p50: float
    p99: float
    refusal_p50: float
    refusal_p99: float
    probe_p99: dict[str, float]
    accepted: int
    faults: int
    lag_p99: float


def raise_storm(
    server: RunningServer, bodies: Sequence[bytes], storm: Storm, *, deadline: float, cores: Cores
) -> Seen:
    """Put the server under a storm of `bodies` and look at what becomes of them.

    Args:
        server: Where to.
        bodies: `score` requests, sent in turn.
        storm: How many at once.
        deadline: Seconds within which an answer is still worth having.
        cores: Where the clients run.

    Raises:
        ServerError: wrk is missing or failed.
    """
    with _blowing(server, bodies, storm, cores) as blown:
        time.sleep(_RISE_SECONDS)
        before, cpu, started = _counted(server), server.cpu_seconds(), time.perf_counter()
        with pinned(cores.client):
            sampled, *probed = drive_together(_plans(server, bodies, storm), seconds=storm.seconds)
        after, took = _counted(server), time.perf_counter() - started
        cpu = server.cpu_seconds() - cpu
    counted = blown[0]
    by_status = {status: number - before.get(status, 0) for status, number in after.items()}
    accepted = sampled.latency[sampled.outcome == Outcome.ANSWERED]
    refused = sampled.latency[sampled.outcome == Outcome.REFUSED]
    return Seen(
        offered=sum(by_status.values()) / took,
        answered=by_status.get(200, 0.0) / took,
        in_time=float(np.mean(accepted <= deadline)) if len(accepted) else 0.0,
        cpu=cpu / took,
        p50=percentile(accepted, 50) * 1e3,
        p99=percentile(accepted, 99) * 1e3,
        refusal_p50=percentile(refused, 50) * 1e3,
        refusal_p99=percentile(refused, 99) * 1e3,
        probe_p99={
            path: percentile(samples.latency, 99) * 1e3
            for path, samples in zip(PROBES, probed, strict=True)
        },
        accepted=len(accepted),
        faults=counted["other"]
        + counted["broken"]
        + _faults(sampled)
        + sum(map(_unanswered, probed)),
        lag_p99=percentile(sampled.lag, 99) * 1e3,
    )


def _plans(
    server: RunningServer, bodies: Sequence[bytes], storm: Storm
) -> list[tuple[Target, Seconds]]:
    """Plan our own client's requests, then those for each of `PROBES`."""
    requests = [http_request(PATH, body) for body in bodies]
    plans = [
        (
            Target(HOST, server.port, requests, spin=False),
            poisson_arrivals(_SAMPLES_PER_SECOND, storm.seconds),
        )
    ]
    for path in PROBES:
        anew = http_request(path).replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
        plans.append(
            (
                Target(HOST, server.port, [anew], spin=False),
                constant_arrivals(_PROBES_PER_SECOND, storm.seconds),
            )
        )
    return plans


@contextmanager
def _blowing(
    server: RunningServer, bodies: Sequence[bytes], storm: Storm, cores: Cores
) -> Iterator[list[dict[str, int]]]:
    """Let wrk send for the duration of the block; then put what it counted into the list."""
    if shutil.which("wrk") is None:
        raise ServerError("a storm needs wrk (apt-get install wrk).")
    counts: list[dict[str, int]] = []
    # A second more than is looked at: it is ended by its own clock, so that it reports.
    seconds = round(_RISE_SECONDS + storm.seconds + 1.5)
    with tempfile.NamedTemporaryFile(suffix=".jsonl") as lines:
        lines.write(b"\n".join(bodies))
        lines.flush()
        command = [
            *("wrk", "--threads", "1", "--connections", str(storm.connections)),
            *("--duration", f"{seconds}s", "--timeout", "10s", "--script", str(_SCRIPT)),
            *(f"{server.url}{PATH}", "--", lines.name, str(storm.pause)),
        ]
        with subprocess.Popen(  # noqa: S603 - our own command
            pinned_command(command, cores.client),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as wrk:
            try:
                yield counts
                output, _ = wrk.communicate(timeout=60)
            finally:
                wrk.kill()
    if wrk.returncode or "\n{" not in output:
        raise ServerError(f"wrk failed: {output.strip()[-300:]}")
    counts.append(json.loads(output[output.rindex("\n{") :]))


def _counted(server: RunningServer) -> dict[int, float]:
    """Return how many `score` requests the server has answered, by status."""
    with urllib.request.urlopen(f"{server.url}/metrics", timeout=30) as page:  # noqa: S310
        return {int(status): float(number) for status, number in _COUNTED.findall(page.read())}


def _faults(samples: Samples) -> int:
    return int(np.count_nonzero(samples.outcome >= Outcome.FAILED))


def _unanswered(samples: Samples) -> int:
    return int(np.count_nonzero(samples.outcome != Outcome.ANSWERED))
