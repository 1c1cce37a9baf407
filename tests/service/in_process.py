"""A server in this process, and connections to it that are used byte by byte."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send

from service.asgi import Front
from service.batching.admission import CostModel
from service.bulk.costs import BulkCosts
from service.bulk.headers import MEDIA_TYPES
from service.composition import assemble
from service.endpoints.score import ScoreRoute
from service.http.bentoml_routes import BentoMLRoutes
from service.responder import Responder
from service.routes import OURS
from service.settings import Settings
from service.transport.install import protocol
from tests.service.asking import student

LIMIT = 2**20
BODY = json.dumps({"students": [student()]}).encode()


class Counting(Front):
    """The front, counting the requests that go through ASGI."""

    through_asgi = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.through_asgi += scope["type"] == "http"
        await super().__call__(scope, receive, send)


def opened(
    responder: Responder,
    app: Starlette | None = None,
    *,
    costs: CostModel | None = None,
    kind: type[Counting] = Counting,
    **settings: Any,
) -> Counting:
    """Return a front with its parts, whose work costs what the defaults say."""
    costs = costs or CostModel()
    bulk_costs = BulkCosts(dict.fromkeys(MEDIA_TYPES.values(), costs.byte))
    front = kind(
        BentoMLRoutes(app or Starlette(), [route.path for route in OURS]),
        lambda: assemble(responder, limits(**settings), costs, bulk_costs),
    )
    front.open()
    return front


def limits(**settings: Any) -> Settings:
    """Return settings as most tests want them."""
    return Settings(**{"max_body_bytes": LIMIT, "queue_milliseconds": 1000, **settings})


class Link:
    """A connection that is used byte by byte."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self._rest = b""

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def answer(self) -> bytes:
        """Return one whole answer, without its date."""
        while b"\r\n\r\n" not in self._rest:
            self._receive()
        head, _, self._rest = self._rest.partition(b"\r\n\r\n")
        lines = [line for line in head.split(b"\r\n") if not line.startswith(b"date: ")]
        assert b"\r\ndate: " in head or b" 100 " in head, head
        size = next((int(line[16:]) for line in lines if line.startswith(b"content-length: ")), 0)
        while len(self._rest) < size:
            self._receive()
        body, self._rest = self._rest[:size], self._rest[size:]
        return b"\r\n".join(lines) + b"\r\n\r\n" + body

    def is_closed(self) -> bool:
        return not self._rest and self.socket.recv(1) == b""

    def _receive(self) -> None:
        data = self.socket.recv(2**16)
        assert data, "closed before the answer was complete"
        self._rest += data


class Site:
    """A server in this process: uvicorn with the protocol and the front, without BentoML."""

    def __init__(self, front: Counting, server: uvicorn.Server, port: int) -> None:
        self.front = front
        self.server = server
        self.port = port

    @property
    def route(self) -> ScoreRoute:
        """What answers `score`."""
        assert self.front.score is not None
        return self.front.score

    @contextmanager
    def link(self) -> Iterator[Link]:
        link = Link(self.port)
        try:
            yield link
        finally:
            link.socket.close()


@contextmanager
def site(responder: Responder, kind: type[Counting] = Counting, **settings: Any) -> Iterator[Site]:
    front = opened(responder, kind=kind, **settings)
    config = uvicorn.Config(
        front,
        http=protocol(front, limits(**settings)),
        log_config=None,
        server_header=False,
        lifespan="off",
    )
    server = uvicorn.Server(config)
    listening = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield Site(front, server, listening.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive()


# An Origin needs the headers of CORS, so that such a request goes through ASGI, and changes nothing else.
ASGI = "Origin: https://example.org\r\n"


def request(body: bytes = BODY, *, extra: str = "", length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    head = f"POST /score HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{extra}"
    return f"{head}Content-Length: {size}\r\n\r\n".encode() + body
