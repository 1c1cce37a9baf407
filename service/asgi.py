"""The front of the server: an ASGI application before BentoML's own.

It answers our routes from the raw bytes, without the layers that a BentoML request passes (pydantic,
spans, access log: 1 to 3 ms around 0.1 ms of work). BentoML answers the other routes of the table and
what is mounted on it. Every error of either takes one shape.
"""

import asyncio
import gc
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from time import perf_counter

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.auth import Authorizer
from service.endpoints.score import ScoreRoute
from service.http.bentoml_routes import BentoMLRoutes
from service.http.body import (
    CLIENT_CLOSED_REQUEST,
    ClientDisconnectedError,
)
from service.http.draining import Drain
from service.http.error_log import log_without_values
from service.http.exchange import Exchange, Handler
from service.http.problems import INTERNAL, NOT_READY, RequestError, stock_problem
from service.http.responses import (
    ResponseCutError,
    check_method,
    send_problem,
    with_common_headers,
)
from service.observability.metrics import count_rejection, count_request
from service.observability.tracing import Tracing
from service.process.memory import release_memory_when_idle
from service.routes import READY, ROUTES, Route

_LOADING = "The model is not loaded yet; ask again in a moment."
# Collecting garbage over the 400,000 objects that the imports leave behind makes the slowest
# answers thirty times slower (p99 330 ms against 10.5 ms).
_GC_THRESHOLDS = (20_000, 20, 50)
# How long the event loop waits for a thread that reads a table to let go of the interpreter. With
# Python's five milliseconds, single students and the table beside them both take longer.
_SWITCH_SECONDS = 0.001


@dataclass(frozen=True, slots=True)
class Parts:
    """What answers, once the model is loaded (`service.composition`).

    Attributes:
        handlers: What answers our routes.
        before: What is done before BentoML answers some of its routes; may raise RequestError.
        score: The route that the fast path takes, too.
        authorizer: Decides who may ask.
        close: Ends all work; may wait for the event loop, so it runs in a thread.
        stop: Called first, on the event loop.
        tracing: Where requests are traced to, if they are.
    """

    handlers: Mapping[Route, Handler]
    before: Mapping[Route, Callable[[], None]]
    score: ScoreRoute
    authorizer: Authorizer
    stop: Callable[[], None]
    close: Callable[[], None]
    tracing: Tracing | None = None


class Front:
    """The application that the server runs.

    Args:
        bentoml: BentoML's application.
        build: Builds the parts; called once BentoML's application has loaded the model.
        drain: Delays the end of this process; None for none.
        cors: Options of Starlette's `CORSMiddleware`; None for no such headers.

    Attributes:
        parts: What answers; None before the model is loaded.
        drain: Whether this process is about to end.
    """

    def __init__(
        self,
        bentoml: BentoMLRoutes,
        build: Callable[[], Parts],
        *,
        drain: Drain | None = None,
        cors: Mapping[str, object] | None = None,
    ) -> None:
        self._bentoml = bentoml
        self._build = build
        self.drain = drain or Drain(0)
        self._requests: ASGIApp = self._dispatch
        if cors is not None:
            self._requests = CORSMiddleware(self._dispatch, **cors)  # type: ignore[arg-type]
        self.parts: Parts | None = None
        self._releasing: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or follow the application's life from start to end."""
        if scope["type"] == "lifespan":
            await self._live(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close"})
        else:
            await self._requests(scope, receive, with_common_headers(send))

    @property
    def score(self) -> ScoreRoute | None:
        """The route that the fast path takes; None before the model is loaded."""
        return None if self.parts is None else self.parts.score

    def open(self) -> None:
        """Build the parts."""
        self.parts = self._build()

    async def _dispatch(self, scope: Scope, receive: Receive, send: Send) -> None:
        route, parts = ROUTES.get(scope["path"]), self.parts
        if parts is None:
            await send_problem(send, RequestError(NOT_READY, _LOADING))
            return
        try:
            if route in parts.handlers:
                await self._answer(scope, receive, send)
                return
            if route is None:
                await self._bentoml.answer_unlisted(scope, receive, send)
                return
            check_method(scope, route.methods)
            if route is READY:
                self.drain.check()
            if route in parts.before:
                parts.before[route]()
            await self._bentoml(scope, receive, send)
        except RequestError as refusal:
            await send_problem(send, refusal)
        except ClientDisconnectedError:
            return  # BentoML's responses end with their clients

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one of our own routes, whatever happens."""
        route, parts, began = ROUTES[scope["path"]], self.parts, perf_counter()
        if parts is None:
            raise RuntimeError("requests are dispatched once there are parts")
        exchange = Exchange(
            lambda status: count_request(route.path, status, perf_counter() - began)
        )
        tracing = parts.tracing if route.is_traced else None
        if tracing is not None:
            exchange.span = tracing.begin(route.path, scope["headers"])
        try:
            status = await self._handle(route, parts, (scope, receive, send), exchange)
        except ClientDisconnectedError:
            status = CLIENT_CLOSED_REQUEST
        except ResponseCutError:
            status = INTERNAL.status
        exchange.count(status)
        if tracing is not None and exchange.span is not None:
            tracing.end(exchange.span, status)

    async def _handle(
        self, route: Route, parts: Parts, asgi: tuple[Scope, Receive, Send], exchange: Exchange
    ) -> int:
        """Send a response or a problem; return its status."""
        scope, receive, send = asgi
        try:
            check_method(scope, route.methods)
            if not route.is_open:
                parts.authorizer.authorize(scope["headers"], route.scope)
            await parts.handlers[route](scope, receive, send, exchange)
        except (ClientDisconnectedError, ResponseCutError):
            raise
        except RequestError as refusal:
            if not exchange.is_counted_elsewhere:
                count_rejection(refusal)
            await send_problem(send, refusal)
            return refusal.status
        except Exception as error:  # noqa: BLE001 - the last guard: no fault of ours goes out bare
            log_without_values(route.path, error)
            await send_problem(send, stock_problem(INTERNAL.status, b""))
            return INTERNAL.status
        return HTTPStatus.OK.value

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def open_and_close(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                self.open()
                gc.collect()
                gc.freeze()
                gc.set_threshold(*_GC_THRESHOLDS)
                sys.setswitchinterval(_SWITCH_SECONDS)
                self.drain.install(asyncio.get_running_loop())
                self._releasing = asyncio.create_task(release_memory_when_idle(self._is_idle))
            elif message["type"].startswith("lifespan.shutdown."):
                await (
                    self._close()
                )  # before it is sent: the server ends the process as soon as it hears it
            await send(message)

        try:
            await self._bentoml.live(scope, receive, open_and_close)
        finally:
            await self._close()

    async def _close(self) -> None:
        parts, self.parts = self.parts, None
        if self._releasing is not None:
            self._releasing.cancel()
        if parts is not None:
            parts.stop()
            await asyncio.to_thread(parts.close)

    def _is_idle(self) -> bool:
        return self.parts is not None and self.parts.score.batcher.is_idle
