"""What the README prints works as printed."""

import json
import re
import subprocess
import sys

import httpx
import pytest

from tests.conftest import REPOSITORY
from tests.service.running import Running

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", README, re.DOTALL)
ADDRESS = "http://127.0.0.1:3000"


def blocks(language: str, word: str) -> list[str]:
    """Return the README's blocks in a language that hold a word."""
    return [text for kind, text in BLOCKS if kind == language and word in text]


def test_its_curl_gets_a_tier(server: Running) -> None:
    [command] = blocks("", "curl ")
    done = subprocess.run(
        ["bash", "-euc", command.replace(ADDRESS, server.url)],
        capture_output=True,
        text=True,
        check=True,
    )
    [assessment] = json.loads(done.stdout)["assessments"]

    assert assessment["status"] == "assessed"


def test_its_python_gets_a_tier(server: Running) -> None:
    [script] = blocks("python", "SyncHTTPClient")
    done = subprocess.run(
        [sys.executable, "-c", script.replace(ADDRESS, server.url)],
        capture_output=True,
        text=True,
        check=True,
    )

    assert re.fullmatch(r"0\.\d+ \w+\n", done.stdout)


def test_the_targets_of_make_that_it_names_exist() -> None:
    made = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", README, re.MULTILINE))

    assert {"serve", "test", "bench"} <= named <= made


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics", "/docs"])
def test_the_paths_that_it_names_answer(http: httpx.Client, path: str) -> None:
    assert f"`GET {path}`" in README
    assert http.get(path).status_code == 200
