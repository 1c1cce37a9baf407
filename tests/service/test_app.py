"""The running service: how it starts, where it listens, what it loads, how it stops."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil
import pytest

from scoring.bundle.reader import CONTENTS, read_bundle, sha256, write_manifest
from service.bundle_store import NAME
from tests.conftest import REPOSITORY
from tests.service.asking import kind, score, student
from tests.service.links import workers
from tests.service.running import Running, environment, failing, serving, stop

TRAINING_ONLY = ("tensorflow", "keras", "tf2onnx", "sklearn", "pandas", "pandera")
has_gpu = pytest.mark.skipif(Path("/dev/nvidia0").exists(), reason="CUDA may load on this machine")


def test_readiness_is_told(http: httpx.Client) -> None:
    assert http.get("/readyz").status_code == 200
    assert http.get("/livez").status_code == 200


def test_the_model_card_is_served_as_the_bundle_holds_it(
    http: httpx.Client, bundle_dir: Path
) -> None:
    answer = http.get("/card")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/markdown; charset=utf-8"
    assert answer.text == read_bundle(bundle_dir).card
    assert http.post("/card").status_code == 405


def test_the_model_is_told_with_provider_and_time(http: httpx.Client, bundle_dir: Path) -> None:
    info = http.get("/model").json()
    manifest = read_bundle(bundle_dir).manifest

    assert info["model"]["version"] == manifest.digest[:12]
    assert info["digest"] == manifest.digest
    assert info["provider"]["asked"] == "auto"
    assert info["provider"]["active"].endswith("ExecutionProvider")
    assert info["provider"]["threads"] == 1
    assert {"risk", "score"} == {row["graph"] for row in info["parity"]}
    assert all(row["largest_difference"] <= row["tolerance"] for row in info["parity"])
    assert 0 <= info["metrics"]["risk"]["auc"] <= 1
    assert info["metrics"]["score"]["mae"] > 0
    assert info["loaded_at"] > info["created"]


def test_it_listens_on_loopback_alone(server: Running) -> None:
    supervisor = psutil.Process(server.process.pid)
    listening = [
        link.laddr.ip
        for process in (supervisor, *supervisor.children(recursive=True))
        for link in process.net_connections(kind="inet")
        if link.status == psutil.CONN_LISTEN
    ]

    assert listening
    assert set(listening) == {"127.0.0.1"}


def test_a_worker_maps_fast_libraries_and_none_of_training(
    server: Running, http: httpx.Client
) -> None:
    for path in ("/docs.json", "/schema.json", "/metrics", "/model"):
        assert http.get(path).status_code == 200
    score(http, student())
    [worker] = workers(server)
    mapped = [mapping.path for mapping in worker.memory_maps()]

    assert any("/uvloop/" in path for path in mapped)
    assert any("/httptools/" in path for path in mapped)
    assert any("/onnxruntime/" in path for path in mapped)
    assert not [path for path in mapped for name in TRAINING_ONLY if f"/{name}/" in path]


def test_the_service_imports_nothing_of_training(bundle_dir: Path) -> None:
    program = (
        "import sys; from pathlib import Path\n"
        "import service.app\n"
        "service.app.Bellwether.to_asgi()\n"  # as a worker does
        "from service.responder import Responder\n"
        "from service.openapi.document import describe\n"
        "from service.settings import Settings\n"
        "describe(Responder(Path(sys.argv[1]), Settings()))\n"
        "print(*{name.partition('.')[0] for name in sys.modules})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(bundle_dir)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )

    loaded = set(done.stdout.split())
    assert {"service", "scoring", "onnxruntime", "bentoml"} <= loaded
    assert not loaded & {*TRAINING_ONLY, "training", "export"}


def test_it_counts_what_it_does(http: httpx.Client) -> None:
    def count(line: str) -> float:
        page = http.get("/metrics").text.splitlines()
        return next((float(row.split()[-1]) for row in page if row.startswith(line)), 0.0)

    answered = 'bellwether_requests_total{route="/score",status="200"}'
    refused = 'bellwether_requests_total{route="/score",status="422"}'
    assessed = 'bellwether_students_total{outcome="assessed"}'
    turned_away = 'bellwether_students_total{outcome="refused"}'
    before = {line: count(line) for line in (answered, refused, assessed, turned_away)}
    score(http, student("a"), student("b"), "no student", 7)
    score(http, "no student")

    assert count(answered) == before[answered] + 1
    assert count(refused) == before[refused] + 1
    assert count(assessed) == before[assessed] + 2
    assert count(turned_away) == before[turned_away] + 3
    assert count('bellwether_request_seconds_count{route="/score"}') >= 2
    assert count("bellwether_model_info{") == 1


def test_unknown_paths_leave_no_metrics_behind(http: httpx.Client) -> None:
    for number in range(20):
        http.get(f"/student-{number}")

    assert "/student-" not in http.get("/metrics").text


def test_several_workers_answer_as_one(bundle_dir: Path, tmp_path: Path) -> None:
    variables = environment(tmp_path, bundle=bundle_dir, workers="2", threads="1")
    with serving(tmp_path, variables) as running:
        assert len(workers(running)) == 2
        answers = set()
        for _ in range(30):  # a new connection each, so that both workers get some
            with httpx.Client(base_url=running.url) as client:
                answers.add(score(client, student()).text)
        info = httpx.get(running.url + "/model").json()
        time.sleep(0.5)  # each worker writes its figures soon
        page = httpx.get(running.url + "/metrics").text

    assert len(answers) == 1
    assert info["provider"]["workers"] == 2
    assert 'bellwether_students_total{outcome="assessed"} 30.0' in page


def test_it_stops_when_told_and_leaves_nobody_behind(bundle_dir: Path, tmp_path: Path) -> None:
    variables = environment(tmp_path, bundle=bundle_dir, threads="1")
    with serving(tmp_path, variables) as running:
        processes = [psutil.Process(running.process.pid), *workers(running)]
        stop(running.process)

        assert running.process.returncode == 0
        _, alive = psutil.wait_procs(processes, timeout=5)
        assert not alive
        assert "Traceback" not in running.said()


@has_gpu
def test_a_provider_that_cannot_load_stops_a_strict_service(
    bundle_dir: Path, tmp_path: Path
) -> None:
    done = failing(environment(tmp_path, bundle=bundle_dir, provider="cuda", strict="true"))

    assert done.returncode != 0
    assert "The service cannot start: Execution provider 'cuda'" in done.stdout
    assert "Traceback" not in done.stdout


@has_gpu
def test_another_provider_than_asked_is_alive_but_not_ready(
    bundle_dir: Path, tmp_path: Path
) -> None:
    variables = environment(tmp_path, bundle=bundle_dir, provider="cuda", threads="1")
    with (
        serving(tmp_path, variables, until="/livez") as running,
        httpx.Client(base_url=running.url) as client,
    ):
        refused = client.get("/readyz")
        provider = client.get("/model").json()["provider"]
        answered = score(client, student())

    assert refused.status_code == 503
    assert kind(refused.json()) == "not-ready"
    assert "'cuda' was requested and CPUExecutionProvider is in use" in refused.json()["detail"]
    assert (provider["asked"], provider["active"]) == ("cuda", "CPUExecutionProvider")
    assert answered.status_code == 200


def test_a_tampered_bundle_stops_the_service(bundle_dir: Path, tmp_path: Path) -> None:
    copy = tmp_path / "bundle"
    shutil.copytree(bundle_dir, copy)
    graph = bytearray((copy / "risk.onnx").read_bytes())
    graph[-1] ^= 1
    (copy / "risk.onnx").write_bytes(graph)
    done = failing(environment(tmp_path, bundle=copy))

    assert done.returncode != 0
    assert "risk.onnx: its content is not what the manifest recorded" in done.stdout
    assert "Traceback" not in done.stdout


def test_a_model_that_fails_its_warm_up_stops_the_service(bundle_dir: Path, tmp_path: Path) -> None:
    """A sealed bundle whose graph cannot run: the score graph where the risk graph should be."""
    copy = tmp_path / "bundle"
    shutil.copytree(bundle_dir, copy)
    shutil.copy(copy / "score.onnx", copy / "risk.onnx")
    manifest = read_bundle(bundle_dir).manifest
    files = {name: sha256(copy / name) for name in CONTENTS}
    write_manifest(manifest.model_copy(update={"files": files}), copy)
    done = failing(environment(tmp_path, bundle=copy))

    assert done.returncode != 0
    assert "The service cannot start: " in done.stdout
    assert "Traceback" not in done.stdout


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "'latest' is neither a folder nor a bundle of the model store (none yet)"),
        ({"bundle": "nowhere/at/all"}, "nowhere/at/all: no such folder"),
        ({"bundle": f"{NAME}:oulad-1"}, "none yet"),
        ({"threads": "many"}, "BELLWETHER_THREADS: Input should be a valid integer"),
        ({"provider": "gpu"}, "BELLWETHER_PROVIDER: Input should be 'auto'"),
    ],
)
def test_a_wrong_choice_is_told_before_anything_starts(
    tmp_path: Path, settings: dict[str, str], said: str
) -> None:
    done = failing(environment(tmp_path, **settings))

    assert done.returncode != 0
    assert said in done.stdout
    assert "Traceback" not in done.stdout


def test_a_bundle_of_the_model_store_is_served(bundle_dir: Path, tmp_path: Path) -> None:
    variables = environment(tmp_path, threads="1")
    program = f"from service.bundle_store import save_bundle; save_bundle({str(bundle_dir)!r})"
    subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, env=variables, check=True)

    with serving(tmp_path, variables) as running:
        version = httpx.get(running.url + "/model").json()["model"]["version"]

    assert version == read_bundle(bundle_dir).version


def test_usage_is_reported_to_nobody(server: Running) -> None:
    for process in (psutil.Process(server.process.pid), *workers(server)):
        outside = [
            link.raddr.ip
            for link in process.net_connections(kind="inet")
            if link.raddr and link.raddr.ip != "127.0.0.1"
        ]
        assert not outside


def test_reporting_is_switched_off_unless_somebody_chose_it() -> None:
    program = (
        "from bentoml._internal.utils.analytics import usage_stats\n"
        "before = usage_stats.do_not_track()\n"
        "from service.observability.telemetry import switch_off_usage_reports\n"
        "switch_off_usage_reports()\n"
        "print(before, usage_stats.do_not_track())\n"
    )

    def run(**variables: str) -> str:
        return subprocess.run(
            [sys.executable, "-c", program],
            cwd=REPOSITORY,
            env=environment(Path("unused")) | variables,
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    assert run().split() == ["False", "True"]
    assert run(BENTOML_DO_NOT_TRACK="False").split() == ["False", "False"]
