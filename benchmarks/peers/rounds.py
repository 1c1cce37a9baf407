"""Interleaved rounds: every contender once a round, so that drift of the machine hits all alike."""

import json
import math
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchmarks.bulk import ARROW, PARTS, Message, messages_of
from benchmarks.cores import Cores, pinned
from benchmarks.load import closed_loop
from benchmarks.load.arrivals import constant_arrivals
from benchmarks.load.generator import Target, drive_open, send_once
from benchmarks.load.http_client import http_request
from benchmarks.load.outcomes import summarise
from benchmarks.peers.contenders import BELLWETHER, Contender, launch
from benchmarks.peers.environments import PeerError
from benchmarks.server import HOST, RunningServer, running
from benchmarks.students import StudentSource
from records.contract import Contract
from scoring.bundle.reader import Bundle
from scoring.students.intake import Intake

Floats64 = NDArray[np.float64]

# Servers may batch rows differently, which moves a probability by some 1e-7, and Bellwether
# answers six decimals.
AGREEMENT = 2e-6
_VARIANTS = 32
# Seconds within which an answer of the open loop counts.
OPEN_DEADLINE = 1.0
_WARM_UP_SECONDS = 1.0
_JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Scenario:
    """One kind of load.

    Attributes:
        title: Its name in tables.
        students: Students in a request.
        in_parallel: Requests under way at once in a closed loop; 0 for an open loop.
        rate: Requests a second of the open loop, evenly spaced.
    """

    title: str
    students: int
    in_parallel: int = 0
    rate: float = 0.0


# The scenario in which Bellwether is asked by `score/bulk`, too.
COHORTS = Scenario("256 students, 8 in parallel", 256, in_parallel=8)
SCENARIOS = (
    Scenario("1 student, 32 in parallel", 1, in_parallel=32),
    Scenario("1 student, 128 in parallel", 1, in_parallel=128),
    COHORTS,
    Scenario("1 student, constant 1,000/s", 1, rate=1000.0),
)


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one contender did in one scenario of one round.

    Attributes:
        round: Counted from 1.
        contender: Its title.
        scenario: The scenario's title.
        students: Students a second in requests answered with 2xx; in the open loop, within 1 s.
        requests: The same in requests.
        other: Share of the requests refused, failed or unanswered.
        p50: ms.
        p99: ms.
        memory: MiB that only its processes held (unique set size) after the scenario.
        client: Share of its core that wrk used; the open loop's 99% lag in ms.
    """

    round: int
    contender: str
    scenario: str
    students: float
    requests: float
    other: float
    p50: float
    p99: float
    memory: float
    client: float


@dataclass(frozen=True)
class Course:
    """What is the same for every contender.

    Attributes:
        bundle: Its risk graph is served.
        seconds: Length of each scenario.
        cores: Who runs where.
        logs: Folder that takes what the servers print.
    """

    bundle: Bundle
    seconds: float
    cores: Cores
    logs: Path

    def started(self, contender: Contender) -> AbstractContextManager[RunningServer]:
        """Run a contender for the duration of the block."""
        log = self.logs / f"{contender.key}.log"
        return running(launch(contender, self.bundle), log=log, core=self.cores.server)


@dataclass(frozen=True)
class Payloads:
    """What one contender is sent.

    Attributes:
        bodies: By number of students.
        cohorts: The students of `COHORTS` once more, as Bellwether takes whole cohorts, by title:
            in which format, and what is wanted beside risk and tier.
    """

    bodies: dict[int, list[bytes]]
    cohorts: dict[str, list[Message]] = field(default_factory=dict)


def make_payloads(bundle: Bundle, contender: Contender, sizes: Sequence[int]) -> Payloads:
    """Write the same students, complete ones, in the way that `contender` wants them."""
    source = StudentSource(bundle.contract, seed=1, complete=True)
    intake = Intake(bundle.contract)
    bodies: dict[int, list[bytes]] = {}
    cohorts: dict[str, list[Message]] = {}
    for size in sorted(set(sizes)):
        bodies[size] = []
        for _ in range(_VARIANTS):
            students = source.students(size)
            admitted = intake.read(students)
            bodies[size].append(contender.encode(students, admitted.values))
            if contender is BELLWETHER and size == COHORTS.students:
                _add_cohorts(cohorts, bundle.contract, students)
    return Payloads(bodies, cohorts)


def _add_cohorts(
    cohorts: dict[str, list[Message]], contract: Contract, students: Sequence[dict[str, Any]]
) -> None:
    for parts, wanted in PARTS.items():
        for message in messages_of(contract, students, wanted):
            if message.path != BELLWETHER.path:
                title = f"{BELLWETHER.title}, {message.name}: {parts}"
                cohorts.setdefault(title, []).append(message)


def answers(server: RunningServer, contender: Contender, payloads: Payloads) -> Floats64:
    """Ask for every student of the payloads; return the probabilities, in order.

    Raises:
        PeerError: A request was not answered as expected.
    """
    risks: list[float] = []
    for bodies in payloads.bodies.values():
        requests = [http_request(contender.path, body) for body in bodies]
        for status, body in send_once(Target(HOST, server.port, requests)):
            if status != 200:
                raise PeerError(f"{contender.title} answered {status}: {body[:200]!r}")
            risks += contender.decode(json.loads(body))
    return np.array(risks)


def cohort_answers(server: RunningServer, payloads: Payloads) -> dict[str, Floats64]:
    """Ask by `score/bulk`; return the probabilities, in order, by title.

    Raises:
        PeerError: A request was not answered as expected.
    """
    found: dict[str, Floats64] = {}
    for title, sent in payloads.cohorts.items():
        requests = [http_request(one.path, one.body, media_type=one.kind) for one in sent]
        risks: list[float] = []
        for status, body in send_once(Target(HOST, server.port, requests)):
            if status != 200:
                raise PeerError(f"{title} answered {status}: {body[:200]!r}")
            arrow = sent[0].kind == ARROW
            risks += _risks_of_table(body) if arrow else json.loads(body)["risk"]
        found[title] = np.array(risks)
    return found


def _risks_of_table(body: bytes) -> list[float]:
    risks: list[float] = pa.ipc.open_stream(body).read_all()["risk"].to_pylist()
    return risks


def check_agreement(title: str, risks: Floats64, expected: Floats64) -> float:
    """Return the largest difference from the expected probabilities.

    Raises:
        PeerError: It is too large, or the answers do not number the same.
    """
    if risks.shape != expected.shape:
        raise PeerError(f"{title} gave {risks.size} answers where {expected.size} were due.")
    difference = float(np.abs(risks - expected).max())
    if not difference <= AGREEMENT:
        raise PeerError(f"{title} answers differ by {difference:.2g}, over {AGREEMENT:.0g}.")
    return difference


def measure(
    course: Course, contender: Contender, payloads: Payloads, *, number: int
) -> list[Measurement]:
    """Start a contender afresh and put it through the scenarios; `number` is the round's.

    Raises:
        ServerError: It did not start.
    """
    measured: list[Measurement] = []
    with course.started(contender) as server:

        def add(
            title: str, path: str, scenario: Scenario, bodies: list[bytes], media_type: str = _JSON
        ) -> None:
            figures = _one(server, path, scenario, bodies, course=course, media_type=media_type)
            measured.append(
                Measurement(
                    round=number,
                    contender=title,
                    scenario=scenario.title,
                    **figures,
                    memory=server.memory(),
                )
            )

        for scenario in SCENARIOS:
            add(contender.title, contender.path, scenario, payloads.bodies[scenario.students])
            if scenario is COHORTS:
                for title, sent in payloads.cohorts.items():
                    bodies = [one.body for one in sent]
                    add(title, sent[0].path, scenario, bodies, sent[0].kind)
    return measured


def _one(
    server: RunningServer,
    path: str,
    scenario: Scenario,
    bodies: list[bytes],
    *,
    course: Course,
    media_type: str,
) -> dict[str, float]:
    def closed(in_parallel: int, seconds: float) -> closed_loop.Closed:
        return closed_loop.drive(
            server.port,
            path,
            bodies,
            media_type=media_type,
            in_parallel=in_parallel,
            seconds=seconds,
            core=course.cores.client,
        )

    closed(scenario.in_parallel or 8, _WARM_UP_SECONDS)
    if scenario.in_parallel:
        seen = closed(scenario.in_parallel, course.seconds)
        return {
            "students": seen.goodput * scenario.students,
            "requests": seen.goodput,
            "other": seen.other / ((seen.goodput + seen.other) or 1.0),
            "p50": seen.p50,
            "p99": seen.p99,
            "client": seen.client_cpu,
        }
    requests = [http_request(path, body) for body in bodies]
    with pinned(course.cores.client):
        samples = drive_open(
            Target(HOST, server.port, requests, timeout=5.0),
            constant_arrivals(scenario.rate, course.seconds),
            seconds=course.seconds,
        )
    summary = summarise(samples, deadline=OPEN_DEADLINE)
    return {
        "students": summary.goodput * scenario.students,
        "requests": summary.goodput,
        "other": 1.0 - summary.answered / summary.offered,
        "p50": summary.p50,
        "p99": summary.p99,
        "client": summary.lag_p99,
    }


def medians(measurements: Sequence[Measurement]) -> dict[tuple[str, str], Measurement]:
    """Take the median of every figure over the rounds, by scenario and contender."""
    grouped: dict[tuple[str, str], list[Measurement]] = {}
    for entry in measurements:
        grouped.setdefault((entry.scenario, entry.contender), []).append(entry)
    return {
        key: Measurement(
            round=len(group),
            contender=group[0].contender,
            scenario=group[0].scenario,
            students=median(entry.students for entry in group),
            requests=median(entry.requests for entry in group),
            other=median(entry.other for entry in group),
            p50=_median_known([entry.p50 for entry in group]),
            p99=_median_known([entry.p99 for entry in group]),
            memory=median(entry.memory for entry in group),
            client=median(entry.client for entry in group),
        )
        for key, group in grouped.items()
    }


def _median_known(values: list[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return median(known) if known else math.nan
