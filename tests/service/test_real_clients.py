"""Clients of several languages get the same answers, directly and behind nginx."""

import asyncio
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bentoml
import httpx
import pytest
import requests

from tests.service.asking import student
from tests.service.nginx import proxied
from tests.service.running import Running

CLIENTS = Path(__file__).with_name("clients")
STUDENTS = [student(f"s-{number}") for number in range(5)]
JSON = {"content-type": "application/json"}
LARGE = 1_000_000
Ask = Callable[[str, Path], list[Any]]


@pytest.fixture(scope="module", params=["small", "large"])
def body(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a request; the large one is padded with blanks, as JSON allows."""
    file = tmp_path_factory.mktemp("bodies") / "request.json"
    content = json.dumps({"students": STUDENTS}).encode()
    file.write_bytes(content.ljust(LARGE) if request.param == "large" else content)
    return file


@pytest.fixture(scope="module", params=["direct", "nginx", "nginx that streams"])
def url(
    request: pytest.FixtureRequest, server: Running, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Where to ask."""
    if request.param == "direct":
        yield server.url
        return
    buffers = request.param == "nginx"
    with proxied(server.url, tmp_path_factory.mktemp("nginx"), buffers=buffers) as address:
        yield address


@pytest.fixture(scope="module")
def expected(server: Running) -> Any:
    return httpx.post(server.url + "/score", json={"students": STUDENTS}, timeout=30).json()


def by_program(*command: str) -> list[Any]:
    """Return the answers that a program prints, one a line after its status."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"needs {command[0]}")
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    answers = []
    for line in done.stdout.splitlines():
        status, _, answer = line.partition(" ")
        assert status == "200", line
        answers.append(json.loads(answer))
    return answers


def by_java(url: str, body: Path) -> list[Any]:
    """`HttpClient` with its defaults asks for an upgrade to HTTP/2."""
    return by_program("java", str(CLIENTS / "Ask.java"), url + "/score", str(body))


def by_curl(url: str, body: Path) -> list[Any]:
    answers = []
    for options in (
        ["--http2"],
        ["--http2", "-H", "transfer-encoding: chunked"],
        ["--http1.1", "-H", "expect: 100-continue"],
        ["--http2", "-H", "expect: 100-continue"],
    ):
        command = ["curl", "-sS", *options, "-H", "content-type: application/json"]
        command += ["--data-binary", f"@{body}", "-w", "\n", url + "/score"]
        if shutil.which("curl") is None:
            pytest.skip("needs curl")
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        answers.append(json.loads(done.stdout))
    return answers


def by_node(url: str, body: Path) -> list[Any]:
    return by_program("node", str(CLIENTS / "ask.mjs"), url + "/score", str(body))


def by_requests(url: str, body: Path) -> list[Any]:
    content = body.read_bytes()

    def pieces() -> Iterator[bytes]:
        for at in range(0, len(content), 5000):
            yield content[at : at + 5000]

    with requests.Session() as session:
        got = [
            session.post(url + "/score", data=data, headers=JSON, timeout=30)
            for data in (content, pieces(), content)
        ]
    return [one.json() for one in got]


def by_httpx(url: str, body: Path) -> list[Any]:
    content = body.read_bytes()
    pieces = (content[at : at + 5000] for at in range(0, len(content), 5000))
    with httpx.Client(base_url=url, timeout=30) as client:
        got = [client.post("/score", content=one, headers=JSON) for one in (content, pieces)]
        got.append(
            client.post("/score", content=content, headers=JSON | {"expect": "100-continue"})
        )
    return [one.json() for one in got]


def by_bentoml(url: str, body: Path) -> list[Any]:
    request = json.loads(body.read_bytes())
    with bentoml.SyncHTTPClient(url) as client:
        answers = [client.score(**request)]

    async def ask() -> Any:
        async with bentoml.AsyncHTTPClient(url) as client:
            return await client.score(**request)

    return [*answers, asyncio.run(ask())]


@pytest.mark.parametrize("ask", [by_java, by_curl, by_node, by_requests, by_httpx, by_bentoml])
def test_every_client_gets_the_same_answers(
    url: str, body: Path, expected: Any, server: Running, ask: Ask
) -> None:
    answers = ask(url, body)
    assert len(answers) >= 2
    assert answers == [expected] * len(answers)
    assert "Traceback" not in server.said()
