"""Servers are started, awaited and ended with everything that they started."""

import sys
from pathlib import Path

import psutil
import pytest

from benchmarks.cores import choose_cores, pinned, pinned_command
from benchmarks.server import Launch, ServerError, free_port, running

READY = """
import http.server, subprocess, sys, os
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print("child", child.pid, flush=True)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/ready" else 404)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def launch(script: str, folder: Path) -> Launch:
    command = (sys.executable, "-c", script, "{port}")
    return Launch("the test's server", command, "/ready", {"GIVEN": "{port}"}, folder)


def test_a_server_ends_with_the_processes_that_it_left_behind(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    with running(launch(READY, tmp_path), log=log) as server:
        child = psutil.Process(int(log.read_text(encoding="utf-8").split()[1]))
        assert child.is_running()
        assert server.memory() > 1
    assert server.process.poll() is not None
    _, alive = psutil.wait_procs([child], timeout=10)
    assert not alive


def test_a_server_that_ends_at_once_is_quoted(tmp_path: Path) -> None:
    script = "import os, sys; sys.exit('no model at ' + os.environ['GIVEN'])"
    with (
        pytest.raises(ServerError, match=r"the test's server ended with 1: no model at \d+"),
        running(launch(script, tmp_path), log=tmp_path / "log.txt"),
    ):
        pytest.fail("it was taken for ready")


def test_ports_are_free_with_two_more_above() -> None:
    assert 1024 < free_port() < 65534


def test_pinning_ends_with_the_block() -> None:
    cores = choose_cores()
    if cores.client is None:
        pytest.skip("needs two cores and taskset")
    before = psutil.Process().cpu_affinity()
    with pinned(cores.client):
        assert psutil.Process().cpu_affinity() == [cores.client]
    assert psutil.Process().cpu_affinity() == before
    assert cores.server != cores.client


def test_without_a_core_a_command_stays_as_it_is() -> None:
    assert pinned_command(["serve"], None) == ["serve"]
    assert pinned_command(["serve"], 1) == ["taskset", "-c", "1", "serve"]
