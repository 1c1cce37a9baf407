"""Serving by the command line: what is wrong is one message; who stops it stops the server."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from tests.service.running import Running, environment, free_port, wait

COMMAND = str(Path(sys.executable).with_name("bellwether"))


def _serve(*arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Serve, which must give up by itself."""
    return subprocess.run(
        [COMMAND, "serve", *arguments],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_port_that_is_taken_is_one_message(bundle_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = _serve(bundle_dir, "--port", str(taken.getsockname()[1]))

    assert done.returncode == 1
    assert done.stderr.startswith("Error: Cannot listen on 127.0.0.1:")
    assert "Traceback" not in done.stderr


def test_a_setting_from_the_environment_is_kept_and_checked(bundle_dir: Path) -> None:
    port = str(free_port())
    wrong = _serve(bundle_dir, "--port", port, BELLWETHER_PROVIDER="gpu")
    unfulfilled = _serve("--port", port, BELLWETHER_BUNDLE="/nowhere/bundle")

    assert wrong.returncode == 1
    assert wrong.stderr.startswith("Error: BELLWETHER_PROVIDER: Input should be 'auto'")
    assert unfulfilled.returncode != 0
    assert "/nowhere/bundle: no such folder" in unfulfilled.stderr


def test_stopping_the_command_stops_the_server(bundle_dir: Path, tmp_path: Path) -> None:
    port = free_port()
    command = [COMMAND, "serve", str(bundle_dir), "--port", str(port)]
    variables = environment(tmp_path)
    with subprocess.Popen(
        command, env=variables, stdout=subprocess.DEVNULL, start_new_session=True
    ) as serving:
        try:
            wait(Running(f"http://127.0.0.1:{port}", serving, tmp_path / "no.log"), "/readyz")
            serving.terminate()
            serving.wait(timeout=30)
            with socket.create_server(("127.0.0.1", port)):
                pass  # the port is free again
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(serving.pid, signal.SIGKILL)
