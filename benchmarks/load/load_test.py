"""Run Locust against a server, as a process of its own: it patches Python's sockets."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.cores import Cores, pinned_command
from benchmarks.load.profiles import Profile
from benchmarks.micro.memory import MemoryCourse, watched
from benchmarks.server import REPOSITORY, RunningServer, ServerError


@dataclass(frozen=True)
class LoadTest:
    """What came of one profile.

    Attributes:
        profile: The shape.
        met: Whether goodput and every p99 were as asked for.
        figures: As `benchmarks.load.locustfile` writes them.
        not_met: What was not, in words.
        memory: What the server's processes held meanwhile.
    """

    profile: Profile
    met: bool
    figures: dict[str, Any]
    not_met: Sequence[str]
    memory: MemoryCourse


def run_profile(
    server: RunningServer,
    profile: Profile,
    *,
    seconds: float,
    peak: int,
    out: Path,
    cores: Cores,
    limits: Sequence[str] = (),
) -> LoadTest:
    """Put the server under a profile; Locust's HTML report goes to `out`.

    Args:
        server: Where to.
        profile: The shape.
        seconds: Length of the run.
        peak: Users at the height of it, one request a second each.
        out: Folder for `<profile>.html` and `<profile>.json`.
        cores: Where Locust runs.
        limits: Further options, such as `--p99 250`.

    Raises:
        ServerError: Locust itself failed.
    """
    out = out.resolve()
    summary = out / f"{profile}.json"
    summary.unlink(missing_ok=True)
    command = [
        *(sys.executable, "-m", "locust", "-f", "benchmarks/load/locustfile.py", "--headless"),
        *("--host", server.url, "--only-summary", "--stop-timeout", "10", "--loglevel", "WARNING"),
        *("--html", str(out / f"{profile}.html"), "--summary", str(summary)),
        *("--shape", profile, "--duration", str(seconds), "--peak", str(peak), *limits),
    ]
    with watched(server.memory, seconds) as memory:
        done = subprocess.run(  # noqa: S603 - our own command
            pinned_command(command, cores.client),
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=False,
        )
    if not summary.is_file():
        raise ServerError(f"Locust failed: {done.stderr.strip()[-500:]}")
    figures: dict[str, Any] = json.loads(summary.read_text(encoding="utf-8"))
    failures = [line for line in done.stdout.splitlines() if line.startswith("NOT MET: ")]
    if profile is Profile.SOAK and not memory.is_flat:
        failures.append(f"NOT MET: memory grew by {memory.growth:.1f} MiB after the warm-up")
    return LoadTest(profile, not failures and done.returncode == 0, figures, failures, memory)
