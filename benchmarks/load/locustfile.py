"""Locust: users who ask for one student, a class, a bulk or a cohort, under a shape of load.

    locust -f benchmarks/load/locustfile.py --headless --host http://127.0.0.1:3000 \
        --shape spike --peak 200 --duration 60 --html spike.html

Each user sends one request a second, so `--peak` is also the highest rate. Refusals (429, 503) and
failures are lines of their own in the report, apart from accepted requests. Locust ends with 1
where goodput or a p99 is not what was asked for. A user waits for its answer, so a slow service is
asked less than planned; `benchmarks.load.sweep` is the open loop.
"""

import itertools
import json
import urllib.request
from argparse import Namespace
from collections import Counter
from pathlib import Path
from typing import Any, ClassVar

from locust import LoadTestShape, constant_throughput, events, task
from locust.argument_parser import LocustArgumentParser
from locust.contrib.fasthttp import FastHttpUser
from locust.env import Environment

from benchmarks.bulk import Message, messages
from benchmarks.load.outcomes import Outcome, outcome_of
from benchmarks.load.profiles import Profile, share_of_peak
from benchmarks.students import StudentSource
from records.contract import Contract
from scoring.tables.assessor import Wanted

_VARIANTS = 32
_COHORT = 4096
_bodies: dict[int, Any] = {}
_cohorts: list[Message] = []
_counts: Counter[str] = Counter()


class _Asking(FastHttpUser):
    """Posts students to `score`, one request a second."""

    abstract = True
    wait_time = constant_throughput(1)
    network_timeout = 30.0
    connection_timeout = 10.0
    students: ClassVar[int]

    @task
    def score(self) -> None:
        """Ask for the students of one request."""
        name = "1 student" if self.students == 1 else f"{self.students} students"
        self._ask("/score", next(_bodies[self.students]), "application/json", name)

    # Locust sends bytes as they are, though its types know of none.
    def _ask(self, path: str, body: Any, kind: str, name: str) -> None:
        options = self.environment.parsed_options
        with self.client.post(
            path,
            data=body,
            headers={"Content-Type": kind},
            name=name,
            catch_response=True,
        ) as response:
            outcome = outcome_of(response.status_code or 0)
            _counts[outcome.name] += 1
            if outcome is Outcome.ANSWERED:
                elapsed = response.request_meta["response_time"]
                _counts["IN_TIME"] += elapsed <= options.deadline * 1000
                response.success()
            elif outcome is Outcome.REFUSED:
                response.request_meta["name"] = f"{name}, refused"
                response.success()
            else:
                response.request_meta["name"] = f"{name}, failed"
                response.failure(f"status {response.status_code}")


class Adviser(_Asking):
    """Opens one student."""

    weight = 80
    students = 1


class Teacher(_Asking):
    """Opens a class."""

    weight = 15
    students = 30


class Office(_Asking):
    """Sends a bulk."""

    weight = 5
    students = 256


class Registry(_Asking):
    """Sends a whole cohort to `score/bulk`, in each format in turn: one user, in a soak only."""

    fixed_count = 1

    @task
    def score(self) -> None:
        """Ask for a cohort."""
        one = _cohorts[0]
        _cohorts.append(_cohorts.pop(0))
        self._ask(one.path, one.body, one.kind, f"{_COHORT:,} students, {one.name}")


class Shape(LoadTestShape):
    """The profile asked for, over the duration asked for."""

    def tick(self) -> tuple[int, float] | None:
        """Say how many users there are to be now; None at the end."""
        assert self.runner is not None  # noqa: S101 - Locust sets it before the first tick
        options = self.runner.environment.parsed_options
        assert options is not None  # noqa: S101 - likewise, by the command line
        fraction = self.get_run_time() / options.duration
        if fraction >= 1.0:
            return None
        users = max(1, round(options.peak * share_of_peak(Profile(options.shape), fraction)))
        # Fast enough that the shape, not the spawning, sets the pace.
        return users, 4.0 * options.peak


@events.init_command_line_parser.add_listener
def _options(parser: LocustArgumentParser) -> None:
    ours = parser.add_argument_group("Bellwether")
    ours.add_argument("--shape", choices=list(Profile), default=Profile.DAY)
    ours.add_argument("--duration", type=float, default=30.0, help="seconds")
    ours.add_argument("--peak", type=int, default=100, help="users, one request a second each")
    ours.add_argument("--deadline", type=float, default=1.0, help="seconds; later is no goodput")
    ours.add_argument("--least-goodput", type=float, default=0.99, help="share of all requests")
    ours.add_argument("--p99", type=float, default=250.0, help="ms, of accepted requests")
    ours.add_argument("--cohort-p99", type=float, default=1000.0, help="ms, of accepted cohorts")
    ours.add_argument("--summary", default="", help="JSON file for the figures")


@events.init.add_listener
def _choose(environment: Environment, **_: Any) -> None:
    options = environment.parsed_options
    if options is not None and options.shape != Profile.SOAK:
        environment.user_classes.remove(Registry)


@events.test_start.add_listener
def _prepare(environment: Environment, **_: Any) -> None:
    with urllib.request.urlopen(f"{environment.host}/contract", timeout=10) as answer:  # noqa: S310
        contract = Contract.model_validate_json(answer.read())
    _counts.clear()
    source = StudentSource(contract)
    for user in (Adviser, Teacher, Office):
        _bodies[user.students] = itertools.cycle(source.bodies(user.students, _VARIANTS))
    if Registry in environment.user_classes:
        sent = messages(contract, _COHORT, Wanted())
        _cohorts[:] = [one for one in sent if one.request is not None]


@events.quitting.add_listener
def _judge(environment: Environment, **_: Any) -> None:
    options = environment.parsed_options
    assert options is not None  # noqa: S101 - set by Locust's command line
    figures = _figures(environment, options)
    if options.summary:
        Path(options.summary).write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    faults = []
    for name, kind in figures["accepted"].items():
        limit = options.cohort_p99 if name.startswith(f"{_COHORT:,} ") else options.p99
        if kind["p99"] > limit:
            faults.append(f"p99 of '{name}' is {kind['p99']:.0f} ms, above {limit:.0f}")
    if figures["goodput_share"] < options.least_goodput:
        share = figures["goodput_share"]
        faults.append(f"goodput is {share:.1%}, below {options.least_goodput:.1%}")
    for fault in faults:
        print(f"NOT MET: {fault}")  # noqa: T201 - Locust's own reports go to the console too
    environment.process_exit_code = 1 if faults else 0


def _figures(environment: Environment, options: Namespace) -> dict[str, Any]:
    total = sum(_counts[outcome.name] for outcome in Outcome)
    accepted = {
        name: {
            "requests": entry.num_requests,
            "p50": entry.get_response_time_percentile(0.5),
            "p99": entry.get_response_time_percentile(0.99),
        }
        for (name, _), entry in environment.stats.entries.items()
        if not name.endswith((", refused", ", failed"))
    }
    return {
        "profile": str(options.shape),
        "seconds": options.duration,
        "requests": total,
        "goodput": _counts["IN_TIME"] / options.duration,
        "goodput_share": _counts["IN_TIME"] / total if total else 0.0,
        "refused": _counts[Outcome.REFUSED.name] / total if total else 0.0,
        "failed": (total - _counts[Outcome.ANSWERED.name] - _counts[Outcome.REFUSED.name]) / total
        if total
        else 0.0,
        "accepted": accepted,
    }
