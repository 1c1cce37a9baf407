"""Run the real server in a process of its own, as an operator would."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.conftest import REPOSITORY

TARGET = "service.app:Bellwether"
START_SECONDS = 90


@dataclass(frozen=True)
class Running:
    """A server that runs.

    Attributes:
        url: Where it answers.
        process: The supervisor; its workers are its children.
        log: File with everything that it and its workers have said.
    """

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def said(self) -> str:
        """Return the log so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")


def command(target: str, port: int, python: str | Path = sys.executable) -> list[str]:
    """Return the command that serves `target`."""
    return [str(python), "-m", "bentoml", "serve", target, "--port", str(port)]


def environment(home: Path, **settings: str | Path) -> dict[str, str]:
    """Return an environment with a model store of its own and only the settings given."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("BELLWETHER_", "BENTOML_"))}
    kept.pop("PYTHONPATH", None)
    given = {f"BELLWETHER_{name.upper()}": str(value) for name, value in settings.items()}
    return {**kept, "BENTOML_HOME": str(home), **given}


def free_port() -> int:
    """Return a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def serving(
    folder: Path,
    variables: Mapping[str, str],
    *,
    target: str = TARGET,
    cwd: Path = REPOSITORY,
    python: str | Path = sys.executable,
    until: str = "/readyz",
) -> Iterator[Running]:
    """Serve `target` until the block ends; wait until the path `until` answers with 200."""
    port = free_port()
    log = folder / f"server-{port}.log"
    with (
        log.open("wb") as sink,
        subprocess.Popen(
            command(target, port, python),
            cwd=cwd,
            env=dict(variables),
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as process,
    ):
        running = Running(f"http://127.0.0.1:{port}", process, log)
        try:
            wait(running, until)
            yield running
        finally:
            stop(process)


def failing(
    variables: Mapping[str, str], *, target: str = TARGET, cwd: Path = REPOSITORY
) -> subprocess.CompletedProcess[str]:
    """Serve `target`, which must give up by itself, and return what it said."""
    return subprocess.run(
        command(target, free_port()),
        cwd=cwd,
        env=dict(variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=START_SECONDS,
        check=False,
    )


def run_example(script: str, *arguments: str) -> str:
    """Run a script of `examples/` and return what it prints."""
    done = subprocess.run(
        [sys.executable, str(REPOSITORY / "examples" / script), *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def wait(running: Running, path: str) -> None:
    """Wait until `path` answers with 200; fail where the server ends before."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert running.process.poll() is None, running.said()
        try:
            if httpx.get(running.url + path, timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError(f"no {path} after {START_SECONDS} s:\n{running.said()}")


def stop(process: subprocess.Popen[bytes], signals: Sequence[int] = (signal.SIGTERM,)) -> None:
    """End the server and everything that it has started."""
    for number in (*signals, signal.SIGKILL):
        if process.poll() is None:
            os.killpg(process.pid, number)
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                continue
