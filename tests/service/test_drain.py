"""Told to stop, the service answers what it has taken in, then ends by itself."""

import json
import signal
import socket
import threading
import time
from pathlib import Path

import httpx
import psutil

from tests.service.asking import student
from tests.service.running import environment, serving

CLIENTS = 8


def request(number: int) -> bytes:
    body = json.dumps({"students": [student(f"s-{number}-{row}") for row in range(60)]}).encode()
    head = f"POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def answer(link: socket.socket) -> bytes:
    data = b""
    while chunk := link.recv(2**16):
        data += chunk
    return data


def test_what_was_taken_in_is_answered_and_the_server_ends(
    bundle_dir: Path, tmp_path: Path
) -> None:
    with serving(tmp_path, environment(tmp_path, bundle=bundle_dir, threads="1")) as running:
        host, port = running.url.removeprefix("http://").split(":")
        address = (host, int(port))
        links = [socket.create_connection(address, timeout=30) for _ in range(CLIENTS)]
        [worker] = [
            child
            for child in psutil.Process(running.process.pid).children(recursive=True)
            if "_bentoml_impl.worker.service" in " ".join(child.cmdline())
        ]
        # Halfway through their bodies when the signal comes: taken in, and not to be dropped.
        for number, link in enumerate(links):
            link.sendall(request(number)[:-20])
        time.sleep(0.3)
        running.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        for number, link in enumerate(links):
            link.sendall(request(number)[-20:])
        for number, link in enumerate(links):
            got = answer(link)
            assert got.startswith(b"HTTP/1.1 200 "), got[:200]
            assert b"connection: close" in got.partition(b"\r\n\r\n")[0]
            assessments = json.loads(got.partition(b"\r\n\r\n")[2])["assessments"]
            assert assessments[0]["id"] == f"s-{number}-0"
            link.close()
        assert running.process.wait(timeout=15) == 0
        assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE
        assert "Traceback" not in running.said()


def test_health_and_metrics_answer_while_more_is_asked_than_can_be_done(
    bundle_dir: Path, tmp_path: Path
) -> None:
    """And nobody gets anything but an answer or a refusal in time that says when to come back."""
    variables = environment(tmp_path, bundle=bundle_dir, threads="1", queue_milliseconds="2")
    with serving(tmp_path, variables) as running:
        statuses: list[int] = []
        told: list[str | None] = []
        slowest: list[float] = []
        end = time.monotonic() + 4
        body = json.dumps({"students": [student(f"s-{row}") for row in range(40)]}).encode()

        def insist() -> None:
            with httpx.Client(base_url=running.url, timeout=30) as client:
                while time.monotonic() < end:
                    got = client.post("/score", content=body)
                    statuses.append(got.status_code)
                    if got.status_code == 429:
                        told.append(got.headers.get("retry-after"))
                        assert got.json()["type"].endswith("too-busy")

        crowd = [threading.Thread(target=insist) for _ in range(48)]
        for one in crowd:
            one.start()
        with httpx.Client(base_url=running.url, timeout=30) as client:
            while time.monotonic() < end:
                for path in ("/livez", "/readyz", "/metrics", "/model"):
                    started = time.monotonic()
                    assert client.get(path).status_code == 200
                    slowest.append(time.monotonic() - started)
                time.sleep(0.05)
        for one in crowd:
            one.join()

        assert set(statuses) == {200, 429}
        assert statuses.count(200) > 50
        assert set(told) <= {str(seconds) for seconds in range(1, 10)}
        assert max(slowest) < 2
        page = httpx.get(running.url + "/metrics").text
        assert 'bellwether_refusals_total{reason="too-busy"}' in page
        assert httpx.post(running.url + "/score", content=body).status_code == 200
