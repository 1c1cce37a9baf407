"""Beside our routes: applications mounted with BentoML's public functions, and BentoML's CORS setting."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.service.asking import kind, problem, score, student
from tests.service.running import Running, environment, serving

MOUNTED = """
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from service.app import Bellwether

async def hello(request):
    return PlainTextResponse("hello " + request.path_params["name"])

async def broken(request):
    return PlainTextResponse("not like this", status_code=418)

app = Starlette(routes=[Route("/hello/{name}", hello), Route("/broken", broken)])
Bellwether.mount_asgi_app(app, path="/extra", name="extra")
"""
ORIGIN = "https://desk.example.org"


@pytest.fixture(scope="module")
def running(bundle_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server with an application mounted, that browsers of one other origin may ask."""
    folder = tmp_path_factory.mktemp("mounted")
    (folder / "mounted.py").write_text(MOUNTED)
    cors = {
        "enabled": "true",
        "access_control_allow_origins": ORIGIN,
        "access_control_allow_methods": "POST",
    }
    variables = environment(folder, bundle=bundle_dir, threads="1")
    variables["BENTOML_CONFIG_OPTIONS"] = " ".join(
        f"services.bellwether.http.cors.{name}={value}" for name, value in cors.items()
    )
    with serving(folder, variables, target="mounted:Bellwether", cwd=folder) as running:
        yield running


@pytest.fixture
def client(running: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=running.url, timeout=30) as client:
        yield client


def test_a_mounted_application_answers_beside_our_routes(client: httpx.Client) -> None:
    assert client.get("/extra/hello/you").text == "hello you"
    broken = client.get("/extra/broken")
    assert (broken.status_code, broken.text) == (418, "not like this")  # its errors are its own
    assert client.get("/extra/hello/you").headers["x-content-type-options"] == "nosniff"
    assert score(client, student()).status_code == 200


def test_paths_that_no_mounted_application_has_are_problems(client: httpx.Client) -> None:
    for path in ("/extra/nothing", "/extras", "/hello/you"):
        assert kind(problem(client.get(path), 404)) == "not-found"


@pytest.mark.parametrize("path", ["/score", "/score/bulk", "/model", "/livez"])
def test_browsers_of_an_allowed_origin_may_ask_every_route(client: httpx.Client, path: str) -> None:
    wanted = {"origin": ORIGIN, "access-control-request-method": "POST"}
    assert client.options(path, headers=wanted).headers["access-control-allow-origin"] == ORIGIN
    response = client.request("GET", path, headers={"origin": ORIGIN})
    assert response.headers.get_list("access-control-allow-origin") == [ORIGIN]
    other = client.request("GET", path, headers={"origin": "https://example.org"})
    assert "access-control-allow-origin" not in other.headers


def test_an_answer_to_a_browser_says_that_it_may_be_read(client: httpx.Client) -> None:
    body = {"students": [student()]}
    response = client.post("/score", json=body, headers={"origin": ORIGIN})
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == ORIGIN
    assert response.json()["assessments"] == client.post("/score", json=body).json()["assessments"]
