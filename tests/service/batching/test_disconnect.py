"""Over ASGI, too, nothing more is done for a client that has hung up."""

import json
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client import REGISTRY

from scoring.tables.assessor import TableAssessor
from service.batching.batcher import ROWS
from service.responder import Responder
from tests.service.asking import student
from tests.service.bulk.test_responder import columns_of
from tests.service.in_process import ASGI, BODY, Site, site
from tests.service.in_process import request as score_request

# A slice then takes so long that clients hang up, and are noticed, between two of them.
SLOW = 0.1
SLICES = 8


class Slowed:
    """A step of the work that takes long, and counts."""

    def __init__(self, step: Callable[..., Any]) -> None:
        self._step = step
        self.times = 0

    def __call__(self, *args: Any, **more: Any) -> Any:
        self.times += 1
        time.sleep(SLOW)
        return self._step(*args, **more)


def crowd(students: int) -> list[dict[str, Any]]:
    return [student(f"s-{at}") for at in range(students)]


def wait_for(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.01)


def hang_up(here: Site, whole: bytes, slowed: Slowed, *, through_asgi: bool = True) -> None:
    """Send a request of `SLICES` slices, and leave while it is worked on."""
    before = here.front.through_asgi
    with here.link() as link:
        link.send(whole)
        wait_for(lambda: slowed.times > 0)
        link.socket.shutdown(socket.SHUT_RDWR)
    wait_for(lambda: not here.route.batcher.busy and not here.route.batcher.waiting)
    assert here.front.through_asgi == before + through_asgi


@pytest.mark.parametrize("extra", ["", ASGI])
def test_nothing_more_is_done_for_who_has_left_a_score_request(
    responder: Responder, monkeypatch: pytest.MonkeyPatch, extra: str
) -> None:
    with site(responder) as here:
        slowed = Slowed(responder.answer)
        monkeypatch.setattr(responder, "answer", slowed)
        body = json.dumps({"students": crowd(SLICES * ROWS)}).encode()

        before = disconnects("/score")

        hang_up(here, score_request(body, extra=extra), slowed, through_asgi=extra == ASGI)

        wait_for(lambda: disconnects("/score") == before + 1)
        assert 1 <= slowed.times < SLICES
        with here.link() as link:
            link.send(score_request(BODY, extra=ASGI))
            assert link.answer().startswith(b"HTTP/1.1 200 ")


def test_nothing_more_is_done_for_who_has_left_a_cohort(
    responder: Responder, monkeypatch: pytest.MonkeyPatch
) -> None:
    slowed = Slowed(TableAssessor.tabulate)

    def tabulate(*args: Any) -> Any:  # a function, so that it is bound to its assessor
        return slowed(*args)

    monkeypatch.setattr(TableAssessor, "tabulate", tabulate)
    contract = responder.bundle.contract
    columns = columns_of(crowd(SLICES * 512), contract.feature_names)
    body = json.dumps(columns).encode()
    head = "POST /score/bulk HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    with site(responder) as here:
        before = disconnects("/score/bulk")

        hang_up(here, f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body, slowed)

        wait_for(lambda: disconnects("/score/bulk") == before + 1)
        assert 1 <= slowed.times < SLICES


def disconnects(route: str) -> float:
    """Requests whose clients hung up, as the metrics count them."""
    labels = {"route": route, "status": "499"}
    return REGISTRY.get_sample_value("bellwether_requests_total", labels) or 0.0
