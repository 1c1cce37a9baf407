"""Capacity by a closed loop: wrk (C) where it is installed, else our own client."""

import json
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cores import pinned, pinned_command
from benchmarks.load.generator import Target, drive_closed
from benchmarks.load.http_client import http_request
from benchmarks.load.outcomes import Outcome, summarise
from benchmarks.server import HOST, ServerError

_SCRIPT = Path(__file__).with_name("wrk.lua")


@dataclass(frozen=True, slots=True)
class Closed:
    """What a closed loop saw. Rates are per second, latencies in ms.

    Attributes:
        goodput: Requests answered with 2xx.
        other: Requests answered otherwise, or not at all.
        p50: Half of all requests took at most so long; of the 2xx ones with our own client.
        p99: As p50.
        client_cpu: Share of its core that the client used; near 1 it is what was measured.
    """

    goodput: float
    other: float
    p50: float
    p99: float
    client_cpu: float


def client_name() -> str:
    """Say which closed-loop client will be used."""
    return "wrk" if shutil.which("wrk") else "the asyncio client of benchmarks/load/generator.py"


def drive(
    port: int,
    path: str,
    bodies: Sequence[bytes],
    *,
    media_type: str = "application/json",
    in_parallel: int,
    seconds: float,
    core: int | None,
    authorization: str | None = None,
) -> Closed:
    """Keep `in_parallel` POSTs of `bodies` under way for `seconds`.

    Args:
        port: Of a server on the loopback address.
        path: Where to post to.
        bodies: Bodies, sent in turn.
        media_type: Theirs, and that of the answers.
        in_parallel: Requests under way at once.
        seconds: For how long.
        core: Core of the client.
        authorization: Header of that name, in every request.

    Raises:
        ServerError: Nothing answers there.
    """
    if shutil.which("wrk") is None:
        requests = [
            http_request(path, body, media_type=media_type, authorization=authorization)
            for body in bodies
        ]
        target = Target(HOST, port, requests)
        return _drive_ourselves(target, in_parallel, seconds, core)
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"".join(b"%d\n%b" % (len(body), body) for body in bodies))
        file.flush()
        command = [
            *("wrk", "--threads", "1", "--connections", str(in_parallel)),
            *("--duration", f"{max(1, round(seconds))}s", "--timeout", "10s"),
            *("--script", str(_SCRIPT), f"http://{HOST}:{port}{path}", "--", media_type, file.name),
            *([authorization] if authorization else []),
        ]
        before = _children_cpu()
        done = subprocess.run(  # noqa: S603 - our own command
            pinned_command(command, core), capture_output=True, text=True, check=False
        )
        used = _children_cpu() - before
    if done.returncode or "\n{" not in done.stdout:
        raise ServerError(f"wrk failed: {(done.stderr or done.stdout).strip()[-300:]}")
    seen = json.loads(done.stdout[done.stdout.rindex("\n{") :])
    return Closed(
        goodput=(seen["requests"] - seen["status"]) / seen["seconds"],
        other=(seen["status"] + seen["broken"]) / seen["seconds"],
        p50=seen["p50"],
        p99=seen["p99"],
        client_cpu=used / seen["seconds"],
    )


def _drive_ourselves(target: Target, in_parallel: int, seconds: float, core: int | None) -> Closed:
    before = _own_cpu()
    with pinned(core):
        samples = drive_closed(target, in_parallel=in_parallel, seconds=seconds)
    if (samples.outcome == Outcome.UNANSWERED).all():
        raise ServerError(f"nothing answers on port {target.port}.")
    seen = summarise(samples, deadline=target.timeout)
    return Closed(
        goodput=seen.answered,
        other=seen.offered - seen.answered,
        p50=seen.p50,
        p99=seen.p99,
        client_cpu=(_own_cpu() - before) / samples.seconds,
    )


def _children_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _own_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
