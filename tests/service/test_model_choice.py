"""Several web workers and one process that has the model: choice, service, death and end."""

import os
import signal
import threading
import time
from pathlib import Path

import httpx
import psutil
import pytest

from scoring.runtime.providers import RUNTIME_NAMES, Provider
from service.model_choice import (
    MeetingFolderError,
    ModelProcess,
    announce,
    decide,
    meeting_folder,
    prepared,
)
from service.settings import Settings
from tests.service.asking import kind, score, student
from tests.service.running import Running, environment, serving, stop

CPU, CUDA, TENSORRT = (
    RUNTIME_NAMES[one] for one in (Provider.CPU, Provider.CUDA, Provider.TENSORRT)
)
AUTO, OWN, SHARED = ModelProcess.AUTO, ModelProcess.OWN, ModelProcess.SHARED


@pytest.mark.parametrize(
    ("asked", "workers", "active", "expected"),
    [
        (AUTO, 1, CPU, OWN),
        (AUTO, 4, CPU, OWN),
        (AUTO, 1, CUDA, OWN),
        (AUTO, 2, CUDA, SHARED),
        (AUTO, 2, TENSORRT, SHARED),
        (OWN, 2, CUDA, OWN),
        (SHARED, 1, CPU, SHARED),
    ],
)
def test_workers_share_where_several_would_be_on_one_gpu(
    asked: ModelProcess, workers: int, active: str, expected: ModelProcess
) -> None:
    assert decide(asked, workers, active) is expected


def test_what_was_announced_before_does_not_hold_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    folder = meeting_folder(os.getpid())
    announce(Settings(workers=2), CUDA)
    assert [one.name for one in folder.iterdir()] == ["shared"]
    announce(Settings(workers=2), CPU)
    assert not folder.exists()


def test_a_folder_that_others_may_enter_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o755)
    with pytest.raises(MeetingFolderError, match="this user alone"):
        prepared(folder)


COHORT = b"id,period,attendance,quiz\ns-1,1,92,80\ns-1,2,61,55\ns-2,1,88,90\n"


def model_processes(running: Running) -> list[psutil.Process]:
    """They belong to the worker that started them, or to nobody once that is gone."""
    folder = str(meeting_folder(running.process.pid))
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if "scoring.remote.server" in (process.info["cmdline"] or ())
        and folder in process.info["cmdline"]
    ]


def ready(url: str) -> bool:
    return all(httpx.get(url + "/readyz").status_code == 200 for _ in range(8))


def test_two_workers_share_a_model_that_dies_and_comes_back(
    bundle_dir: Path, server: Running, tmp_path: Path
) -> None:
    variables = environment(
        tmp_path, bundle=bundle_dir, workers="2", threads="1", model_process="shared"
    )
    with serving(tmp_path, variables) as running:
        # Both workers answer, and say what a service with the model in its workers says.
        with httpx.Client(base_url=server.url, timeout=30) as other:
            expected = score(other, student()).json()
        answers = []
        for _ in range(20):  # a new connection each, so that both workers get some
            with httpx.Client(base_url=running.url, timeout=30) as client:
                answers.append(score(client, student()).json())
        assert all(answer == expected for answer in answers)
        tables = [
            httpx.post(
                f"{url}/score/bulk",
                content=COHORT,
                headers={"content-type": "text/csv"},
                timeout=30,
            )
            for url in (server.url, running.url)
        ]
        assert [table.status_code for table in tables] == [200, 200]
        assert tables[0].content == tables[1].content
        info = httpx.get(running.url + "/model").json()["provider"]
        assert info["process"] == "shared"
        assert info["workers"] == 2
        [first] = model_processes(running)

        # Killed under load, it leaves answers and 503 alone, and the service recovers.
        seen: list[httpx.Response] = []
        enough = threading.Event()

        def insist() -> None:
            while not enough.is_set():
                with httpx.Client(base_url=running.url, timeout=30) as client:
                    seen.append(score(client, *(student(f"s-{row}") for row in range(30))))

        crowd = [threading.Thread(target=insist) for _ in range(4)]
        for one in crowd:
            one.start()
        time.sleep(0.5)
        first.send_signal(signal.SIGKILL)
        deadline = time.monotonic() + 60
        while not any(got.status_code == 503 for got in seen):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        refused = httpx.get(running.url + "/readyz")
        while not ready(running.url):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        enough.set()
        for one in crowd:
            one.join()
        assert {got.status_code for got in seen} == {200, 503}
        assert {kind(got.json()) for got in seen if got.status_code == 503} == {"not-ready"}
        assert refused.status_code == 503
        with httpx.Client(base_url=running.url, timeout=30) as client:
            assert score(client, student()).json() == expected
        [second] = model_processes(running)
        assert second.pid != first.pid

        # Told to stop, the service takes its model along.
        stop(running.process)
        assert running.process.returncode == 0
        _, alive = psutil.wait_procs([second], timeout=10)
        assert not alive
        assert not meeting_folder(running.process.pid).exists()
        assert "Traceback" not in running.said()
