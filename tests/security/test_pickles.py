"""No pickle reaches an unpickler, wherever the service listens."""

import pickle
from collections.abc import Iterator
from pathlib import Path

import bentoml
import httpx
import psutil
import pytest

from scoring.bundle.reader import read_bundle
from tests.service.asking import problem, student
from tests.service.links import port, workers
from tests.service.running import Running, environment, serving

HEADERS = {"content-type": "application/vnd.bentoml+pickle"}
TARGET = "tests/security/caller.py:Caller"


class _Attack:
    """An object whose unpickling creates a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (str(self._path), "w")


@pytest.fixture(scope="module", params=["unix", "tcp"])
def dependent(
    request: pytest.FixtureRequest, bundle_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    """A service that depends on Bellwether, with Bellwether behind either kind of socket."""
    folder = tmp_path_factory.mktemp("dependent")
    variables = environment(folder, bundle=bundle_dir, threads="1")
    if request.param == "tcp":
        variables["BENTOML_NO_UDS"] = "1"
    with serving(folder, variables, target=TARGET) as running:
        yield running


def _behind(running: Running) -> httpx.Client:
    """Connect to Bellwether itself, as another process of the same user could."""
    [worker] = [one for one in workers(running) if "bellwether" in one.cmdline()]
    paths = {
        link.laddr
        for link in worker.net_connections(kind="unix")
        if str(link.laddr).endswith(".sock")
    }
    if paths:
        [path] = map(Path, paths)
        assert path.parent.stat().st_mode & 0o777 == 0o700
        return httpx.Client(
            base_url="http://bellwether", transport=httpx.HTTPTransport(uds=str(path))
        )
    listening = {
        link.laddr
        for link in worker.net_connections(kind="tcp")
        if link.status == psutil.CONN_LISTEN
    }
    # It has inherited the socket of the service in front, too.
    [address] = [where for where in listening if where.port != port(running)]
    assert address.ip == "127.0.0.1"
    return httpx.Client(base_url=f"http://127.0.0.1:{address.port}")


@pytest.mark.parametrize("route", ["/score", "/score/bulk", "/contract", "/policy", "/model"])
def test_a_pickle_is_refused_and_none_of_its_code_runs(
    dependent: Running, tmp_path: Path, route: str
) -> None:
    mark = tmp_path / "mark"
    attack = pickle.dumps({"students": _Attack(mark)}, protocol=5)
    with _behind(dependent) as client:
        response = client.post(route, content=attack, headers=HEADERS)

    assert not mark.exists()
    if route.startswith("/score"):
        problem(response, 415)


def test_the_service_in_front_refuses_pickles_too(dependent: Running, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    attack = pickle.dumps({"students": _Attack(mark)}, protocol=5)

    assert httpx.post(dependent.url + "/ask", content=attack, headers=HEADERS).is_error
    assert not mark.exists()


def test_calls_between_services_work_without_pickles(dependent: Running, bundle_dir: Path) -> None:
    with bentoml.SyncHTTPClient(dependent.url) as client:
        answer = client.ask(students=[student("a"), student("b")])

    assert answer == [read_bundle(bundle_dir).manifest.digest, "a", "b"]
