"""When the service itself fails: still one shape, and nothing of a student in the log."""

import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from service.asgi import Front, Parts
from service.http import body
from service.http.bentoml_routes import BentoMLRoutes
from service.responder import Responder
from service.routes import OURS
from service.rows.decoder import ScoreRequest
from tests.service.asking import kind, problem, student
from tests.service.in_process import opened


async def broken(_: Request) -> PlainTextResponse:
    return PlainTextResponse("student s-1 had 3.5", status_code=500)


def ask(front: Front, method: str, path: str, **more: Any) -> httpx.Response:
    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app=front)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.request(method, path, **more)

    return asyncio.run(send())


def never() -> Parts:
    raise AssertionError("the application has not started")


def front(responder: Responder) -> Front:
    app = Starlette(routes=[Route("/readyz", broken), Route("/broken", broken)])
    return opened(responder, app, max_body_bytes=2**16)


def test_a_fault_of_ours_is_a_problem_and_logs_no_value(
    responder: Responder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(requests: Sequence[ScoreRequest]) -> None:
        raise ValueError(f"cannot score {requests[0].students.values}")

    monkeypatch.setattr(responder, "answer", fail)
    with caplog.at_level(logging.DEBUG):
        response = ask(front(responder), "POST", "/score", json={"students": [student()]})

    assert response.status_code == 500
    assert kind(response.json()) == "internal-error"
    assert "/score failed with ValueError" in caplog.text
    assert "in fail" in caplog.text  # where it arose
    assert "attendance" not in caplog.text + response.text


def test_an_error_of_the_application_behind_takes_the_one_shape(responder: Responder) -> None:
    response = ask(front(responder), "GET", "/broken")

    assert response.status_code == 500
    assert response.headers["content-type"] == "application/problem+json"
    assert kind(response.json()) == "internal-error"
    assert "s-1" not in response.text


def test_before_the_model_is_loaded_everything_is_not_ready() -> None:
    closed = Front(BentoMLRoutes(Starlette(), [route.path for route in OURS]), never)
    for method, path in (("POST", "/score"), ("GET", "/model"), ("GET", "/readyz")):
        response = ask(closed, method, path, json={})
        assert response.status_code == 503
        assert kind(response.json()) == "not-ready"


def test_a_body_that_stops_halfway_is_given_up(
    responder: Responder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else its connection would stay for ever, and the server could not stop."""
    monkeypatch.setattr(body, "ARRIVAL_SECONDS", 0.05)

    async def halfway() -> AsyncIterator[bytes]:
        yield b'{"students": ['
        await asyncio.sleep(10)

    response = ask(front(responder), "POST", "/score", content=halfway())

    assert kind(problem(response, 408)) == "request-timeout"
    assert response.headers["connection"] == "close"


@pytest.fixture
def collector() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)


@pytest.mark.usefixtures("collector")
def test_the_collector_is_tuned_once_everything_is_loaded(responder: Responder) -> None:
    async def live() -> list[str]:
        incoming = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])
        outgoing: list[str] = []

        async def receive() -> Any:
            return next(incoming)

        async def send(message: Any) -> None:
            outgoing.append(message["type"])

        await front(responder)({"type": "lifespan"}, receive, send)
        return outgoing

    assert asyncio.run(live()) == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert gc.get_freeze_count() > 10_000
    assert gc.get_threshold()[0] == 20_000
