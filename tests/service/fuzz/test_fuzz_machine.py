"""The hostile-input run of `make fuzz`, in short, and proof that it sees faults."""

import http.server
import json
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.service.asking import problem
from tests.service.fuzz.file_parts import run_files
from tests.service.fuzz.heads import segments
from tests.service.fuzz.inputs import SECRET_TEXT, bulk_body, score_body
from tests.service.fuzz.service_parts import Load
from tests.service.fuzz.tally import CROSSED, LEAK, UNPLANNED, Tally
from tests.service.links import port
from tests.service.running import Running

SEED = 20_26


@pytest.mark.parametrize("make", [score_body, bulk_body, segments])
def test_an_input_follows_from_its_seed(make: object) -> None:
    assert callable(make)
    first, again, other = (make(random.Random(seed)) for seed in (1, 1, 2))  # noqa: S311

    assert first == again
    assert first != other


def test_hostile_bodies_and_heads_are_answered_and_change_no_other_answer(server: Running) -> None:
    tally = Tally()
    load = Load("127.0.0.1", port(server), tally, SEED, time.monotonic() + 12)
    load.bodies(1500)
    load.until = time.monotonic() + 6
    load.heads(300)

    assert not tally.findings, tally.table()
    statuses = {outcome for part, outcome in tally.outcomes if part == "bodies"}
    assert {"/score 200", "/score 400", "/score 422", "/score/bulk 200"} <= statuses
    assert SECRET_TEXT not in server.said()


def test_hostile_files_and_command_lines_end_in_messages(bundle_dir: Path) -> None:
    tally = Tally()
    run_files(bundle_dir, tally, SEED, 20, time.monotonic() + 10)

    assert not tally.findings, tally.table()
    assert {part for part, _ in tally.outcomes} == {"tables", "bundles", "commands"}


def test_clients_that_hang_up_leave_no_traceback(server: Running) -> None:
    before = len(server.said())
    load = Load("127.0.0.1", port(server), Tally(), SEED, time.monotonic() + 12)
    load.heads(6000)
    time.sleep(0.5)

    assert "Traceback" not in server.said()[before:]
    assert "RuntimeError" not in server.said()[before:]


@pytest.mark.parametrize("value", [False, 0, 0.0, "", {}])
@pytest.mark.parametrize("key", ["features.quiz", "period"])
def test_what_is_no_list_in_columnar_json_is_refused(
    http: httpx.Client, key: str, value: object
) -> None:
    body: dict[str, object] = {"id": ["a"], "lengths": [1], "features": {}}
    inner, _, name = key.rpartition(".")
    (body["features"] if inner else body)[name] = value  # type: ignore[index]

    assert problem(http.post("/score/bulk", json=body), 422)["errors"][0]["field"] == key


class _Faulty(http.server.BaseHTTPRequestHandler):
    """Repeats what it is sent, fails at times, and remembers across requests."""

    protocol_version = "HTTP/1.1"
    count = 0

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        type(self).count += 1
        status = 500 if self.count % 7 == 0 else 422 if self.count % 2 else 200
        answer = {"assessments": [{"id": self.count, "risk": 0.5, "trajectory": []}]}
        text = json.dumps(answer).encode()
        if status == 422:
            text = body
        self.send_response(status)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Print nothing."""


@pytest.fixture
def faulty() -> Iterator[int]:
    """The port of a server that has every fault."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Faulty) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def test_a_server_with_faults_does_not_pass(faulty: int) -> None:
    tally = Tally()
    Load("127.0.0.1", faulty, tally, SEED).bodies(300)

    assert {UNPLANNED, CROSSED, LEAK} <= tally.findings.keys()
