"""Start a server as a process of its own, wait until it is ready, and stop all of it."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.cores import pinned_command
from records.errors import BellwetherError
from records.usage_reports import switch_off_usage_reports

HOST = "127.0.0.1"
REPOSITORY = Path(__file__).resolve().parent.parent
_PATIENCE = 90.0
_GRACE = 15.0


class ServerError(BellwetherError):
    """A server did not come up; the message ends with its last output."""


@dataclass(frozen=True)
class Launch:
    """How to start a server.

    Attributes:
        name: What to call it in messages.
        command: Program and arguments; `{port}` stands for the port.
        ready: Path that answers 200 once it can serve.
        environment: Variables besides this process's own; `{port}` likewise, and `{home}` for a
            folder that is there as long as the server.
        folder: Where it runs.
    """

    name: str
    command: Sequence[str]
    ready: str
    environment: Mapping[str, str]
    folder: Path = REPOSITORY


@dataclass(frozen=True)
class RunningServer:
    """A server that is ready.

    Attributes:
        port: Where it listens, on the loopback address.
        process: Its first process.
    """

    port: int
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://{HOST}:{self.port}"

    def memory(self) -> float:
        """Return the MiB that only its processes hold (unique set size)."""
        return sum(self._ask(lambda process: process.memory_full_info().uss)) / 2**20

    def cpu_seconds(self) -> float:
        """Return the processor time that its processes have taken so far."""
        return sum(self._ask(lambda process: sum(process.cpu_times()[:2])))

    def connections(self, workers: int) -> tuple[int, ...]:
        """Return how many connections each worker has accepted, the most first.

        Args:
            workers: So many processes accept.
        """
        return tuple(sorted(map(int, self._ask(self._accepted)), reverse=True)[:workers])

    def await_workers(self, workers: int) -> None:
        """Wait until every worker takes connections: `running` waits for the first.

        Raises:
            ServerError: They did not all come up in time.
        """
        give_up = time.monotonic() + _PATIENCE
        with ExitStack() as opened:
            while 0 in self.connections(workers):
                if time.monotonic() > give_up:
                    raise ServerError(f"not all of {workers} workers took connections.")
                opened.enter_context(socket.create_connection((HOST, self.port)))
                time.sleep(0.05)

    def _accepted(self, process: psutil.Process) -> float:
        links = process.net_connections("tcp")
        there = [link for link in links if link.status == psutil.CONN_ESTABLISHED]
        return float(sum(link.laddr.port == self.port for link in there))

    def _ask(self, question: Callable[[psutil.Process], float]) -> Iterator[float]:
        first = psutil.Process(self.process.pid)
        for process in (first, *first.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                yield question(process)


def bellwether(bundle: Path, *, workers: int = 1) -> Launch:
    """Start Bellwether as `bellwether serve` does, with one worker by default."""
    return Launch(
        name="Bellwether",
        command=(
            *(sys.executable, "-m", "bentoml", "serve", "service.app:Bellwether"),
            *("--host", HOST, "--port", "{port}"),
        ),
        ready="/readyz",
        environment={
            # BentoML keeps its counters there, and empties those of any server with the same home.
            "BENTOML_HOME": "{home}",
            "BELLWETHER_BUNDLE": str(bundle.resolve()),
            "BELLWETHER_WORKERS": str(workers),
        },
    )


@contextmanager
def running(launch: Launch, *, log: Path, core: int | None = None) -> Iterator[RunningServer]:
    """Run a server for the duration of the block.

    Args:
        launch: How to start it.
        log: File that takes what it prints.
        core: The one core that all its processes share; None for no restriction.

    Raises:
        ServerError: It ended, or was not ready in time.
    """
    port = free_port()
    command = [part.format(port=port) for part in launch.command]
    log.parent.mkdir(parents=True, exist_ok=True)
    switch_off_usage_reports()  # the peers', too: their environments lack this module
    with log.open("wb") as output, tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        own = {key: value.format(port=port, home=home) for key, value in launch.environment.items()}
        process = subprocess.Popen(  # noqa: S603 - our own commands
            pinned_command(command, core),
            cwd=launch.folder,
            env=os.environ | own,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            _await_ready(launch, process, port, log)
            yield RunningServer(port, process)
        finally:
            _stop(process)


def free_port() -> int:
    """Find a free port, with two more above it for servers that take three."""
    for _ in range(100):
        with socket.socket() as first:
            first.bind((HOST, 0))
            port: int = first.getsockname()[1]
            if port + 2 < 65536 and all(_is_free(port + more) for more in (1, 2)):
                return port
    raise ServerError("no three free ports in a row were found.")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _await_ready(launch: Launch, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    give_up = time.monotonic() + _PATIENCE
    while time.monotonic() < give_up:
        if process.poll() is not None:
            raise ServerError(f"{launch.name} ended with {process.returncode}: {_last_words(log)}")
        if _status(port, launch.ready) == 200:
            return
        time.sleep(0.1)
    raise ServerError(f"{launch.name} was not ready after {_PATIENCE:.0f} s: {_last_words(log)}")


def _status(port: int, path: str) -> int:
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the whole session: some servers leave their workers behind."""
    if process.poll() is None:
        process.terminate()
        # What it leaves running is killed below.
        with suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    process.wait()


def _last_words(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return " | ".join(line.strip() for line in lines[-3:])[-500:] or "it printed nothing."
