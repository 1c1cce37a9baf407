"""The path of `make serve`, command by command, ending with what it prints for a user to try."""

import json
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.conftest import REPOSITORY
from tests.service.running import Running, environment, free_port, stop, wait

COMMAND = Path(sys.executable).with_name("bellwether")


@pytest.mark.slow
def test_records_become_an_answer_and_the_printed_examples_work(tmp_path: Path) -> None:
    surroundings = environment(tmp_path / "store")

    def bellwether(*arguments: str | Path) -> str:
        done = subprocess.run(
            [COMMAND, *arguments],
            cwd=REPOSITORY,
            env=surroundings,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    run, bundle, request = tmp_path / "run", tmp_path / "bundle", tmp_path / "request.json"
    figures = bellwether("train", "--students", "300", "--out", run, "--no-report")
    for row in (
        "network",
        "base rate",
        "boosting",
        "last score",
        "accuracy",
        "RMSE",
        "paper-a (min-max)",
    ):
        assert row in figures
    assert "all equal" in bellwether("export", run, "--out", bundle)
    [tag] = [
        word
        for word in bellwether("bundle", "list").split()
        if word.startswith("bellwether:simulated")
    ]
    bellwether("request", run, "--out", request)

    port = free_port()
    address = f"http://127.0.0.1:{port}"
    log = tmp_path / "server.log"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [COMMAND, "serve", tag, "--port", str(port), "--request", request],
            cwd=REPOSITORY,
            env=surroundings,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as server,
    ):
        try:
            wait(Running(address, server, log), "/readyz")
            for example in _examples(log.read_text(encoding="utf-8")):
                answer = subprocess.run(
                    ["bash", "-c", example],
                    cwd=REPOSITORY,
                    env=surroundings,
                    capture_output=True,
                    text=True,
                    check=True,
                ).stdout
                assert json.loads(answer)["assessments"][0]["status"] == "assessed"
            assert httpx.get(f"{address}/docs").status_code == 200
        finally:
            stop(server)
    bellwether("bundle", "delete", tag)
    assert tag not in bellwether("bundle", "list")


def _examples(printed: str) -> list[str]:
    """Cut what the command printed into the two things that a user would paste."""
    lines = printed[printed.index("curl -s ") :].splitlines(keepends=True)
    [start] = [n for n, line in enumerate(lines) if line.endswith(" - <<'PYTHON'\n")]
    return [lines[0], "".join(lines[start : lines.index("PYTHON\n") + 1])]
