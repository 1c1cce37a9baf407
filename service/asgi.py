"""The front of the server: an ASGI application before BentoML's own.

It answers `score`, `contract`, `policy` and `model` from the raw bytes, without the layers that a
BentoML request passes (pydantic, spans, access log: 1 to 3 ms around 0.1 ms of work), lets every
other path through to BentoML, and puts every error of either into one shape.
"""

import asyncio
import gc
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from time import perf_counter
from typing import Protocol, cast

from opentelemetry.trace import Span
from starlette.applications import Starlette
from starlette.types import Message, Receive, Scope, Send

from scoring.runtime.providers import RUNTIME_NAMES, Provider
from service.batching.admission import AdmissionController, CostModel, measure_costs
from service.batching.batcher import LONG_BYTES, ROWS, Batcher
from service.batching.disconnect import await_response
from service.batching.jobs import PendingResponse
from service.bulk.costs import BulkCosts, measure_bulk_costs
from service.bulk.headers import MEDIA_TYPES
from service.bulk.queue import BulkQueue
from service.bulk.route import MAX_BYTES, AnswerCutError, BulkRoute, rejection_when_due
from service.bulk.timings import BulkTimings
from service.http.bentoml_routes import BentoMLRoutes
from service.http.body import (
    JSON,
    ClientDisconnectedError,
    UnwantedBodyError,
    check_media_type,
    media_type,
    receive_body,
)
from service.http.body_budget import BodyBudget
from service.http.docs_page import DOCS_PAGE
from service.http.problems import (
    INTERNAL,
    NOT_READY,
    RequestError,
    stock_problem,
)
from service.http.responses import (
    ANSWER_HEADERS,
    check_method,
    refuse_websocket,
    send_problem,
    send_whole,
)
from service.observability.batch_metrics import BatchMetrics, BatchRecord
from service.observability.error_log import log_without_values
from service.observability.metrics import BULK, SCORE, count_rejection, count_request
from service.observability.tracing import Tracing
from service.responder import Responder

_PICKLE = b"application/vnd.bentoml+pickle"
# Sent to nobody: what traces show where the client hung up before it had its answer.
_CLIENT_GONE = 499
CARD = "/card"
_DOCS = ("/", "/docs")
_TRACED = (SCORE, BULK)
# Collecting garbage over the 400,000 objects that the imports leave behind makes the slowest
# answers thirty times slower (design notes: p99 330 ms against 10.5 ms).
_GC_THRESHOLDS = (20_000, 20, 50)
# Of bodies that are still arriving, a worker holds so much.
ARRIVING_BYTES = 256 * 2**20
# How long the event loop waits for a thread that reads a cohort to let go of the interpreter. With
# Python's five milliseconds, single students and the cohort beside them both take longer.
_SWITCH_SECONDS = 0.001


class Fronted(Protocol):
    """What the front needs of the service behind it."""

    responder: Responder | None


class Front:
    """The application that the server runs.

    Args:
        app: BentoML's application.
        service: Brings the responder once the application has started.
        is_main: Whether this is the service that clients talk to, not a dependency of one;
            only dependencies are sent pickles, by the service that depends on them.
        max_body_bytes: Larger bodies are refused.
        queue_seconds: Requests that would wait longer are refused.
        tracing: Where requests are traced to, if they are.
        max_bulk_bytes: Larger bodies of cohorts in a streamed format are refused.
        max_arriving_bytes: Bodies that arrive in pieces while others hold so much are refused.

    Attributes:
        arriving: What bodies that are still arriving hold, on both ways.
    """

    def __init__(
        self,
        app: Starlette,
        service: Fronted,
        *,
        is_main: bool,
        max_body_bytes: int,
        queue_seconds: float,
        tracing: Tracing | None = None,
        max_bulk_bytes: int = MAX_BYTES,
        max_arriving_bytes: int = ARRIVING_BYTES,
    ) -> None:
        self._tracing = tracing
        self._app = app
        self._service = service
        self._is_main = is_main
        self.max_body_bytes = max_body_bytes
        self.max_bulk_bytes = max_bulk_bytes
        self._queue_seconds = queue_seconds
        self._batcher: Batcher | None = None
        self._meter: BatchMetrics | None = None
        self._desk: BulkQueue | None = None
        self.arriving = BodyBudget(max_arriving_bytes)
        self._bulk = BulkRoute(max_body_bytes, max_bulk_bytes, self.arriving)
        self._beside = ThreadPoolExecutor(1, thread_name_prefix="score")
        self._pages: dict[str, Callable[[Responder], bytes]] = {
            "/contract": lambda responder: responder.contract,
            "/policy": lambda responder: responder.policy,
            "/model": lambda responder: responder.model,
        }
        self._stock = BentoMLRoutes(app, (SCORE, BULK, *self._pages, CARD))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or follow the application's life from start to end."""
        if scope["type"] == "lifespan":
            await self._live(scope, receive, send)
        elif scope["type"] == "websocket":
            await refuse_websocket(scope, send)
        elif scope["path"] in {SCORE, BULK} or scope["path"] in self._pages:
            if not self._is_main and media_type(scope) == _PICKLE:
                await self._stock(scope, receive, send)
            else:
                await self._answer(scope, receive, send)
        else:
            await self._elsewhere(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one of our own routes, whatever happens."""
        visit = _Visit(scope["path"], BulkTimings(perf_counter()))
        traced = self._tracing if visit.route in _TRACED else None
        if traced:
            visit.span = traced.begin(visit.route, scope["headers"])
        try:
            await self._answer_to(scope, receive, send, visit)
        except ClientDisconnectedError:
            visit.status, visit.counted = _CLIENT_GONE, True
        except AnswerCutError:
            visit.status = INTERNAL.status
        except RequestError as refusal:
            visit.status = refusal.status
            if not visit.counted:
                count_rejection(refusal)
            await send_problem(send, refusal)
        except Exception as error:  # noqa: BLE001 - the last guard: no fault of ours goes out bare
            visit.status = INTERNAL.status
            log_without_values(visit.route, error)
            await send_problem(send, stock_problem(visit.status, b""))
        if traced and visit.span:
            traced.record_course(visit.span, visit.course)
            traced.end(visit.span, visit.status)
        if visit.route == BULK:
            self.count_cohort(visit.course, None if visit.counted else visit.status)
        elif not visit.counted:
            count_request(visit.route, visit.status, perf_counter() - visit.course.arrived)

    def count_cohort(self, course: BulkTimings, status: int | None) -> None:
        """Count a request for a cohort that has ended.

        Args:
            course: How it went.
            status: What it was answered with; None where nobody was there any more.
        """
        if self._meter is not None:
            self._meter.observe_course(course, status)
        elif status is not None:
            count_request(BULK, status, perf_counter() - course.arrived)

    async def _answer_to(self, scope: Scope, receive: Receive, send: Send, visit: "_Visit") -> None:
        if visit.route == BULK:
            check_method(scope, ("POST",))
            await self._bulk.answer(scope, receive, send, self.desk, visit.course)
            return
        if visit.route == SCORE:
            check_method(scope, ("POST",))
            check_media_type(scope)
            answer = await self._score(scope, receive, visit)
        else:
            check_method(scope, ("GET", "HEAD", "POST"))
            answer = self._pages[visit.route](self._responder)
        await send_whole(send, HTTPStatus.OK.value, answer, JSON, ANSWER_HEADERS)

    async def _score(self, scope: Scope, receive: Receive, visit: "_Visit") -> bytes:
        try:
            body = await receive_body(
                scope, receive, self.max_body_bytes, self.arriving, self._has_room
            )
        except UnwantedBodyError as unwanted:
            batcher = self.batcher
            visit.course.arrived, visit.counted = perf_counter(), True
            batcher.turn_away()
            refusal = await rejection_when_due(unwanted.size, batcher)
            if not unwanted.is_read:
                refusal.headers = (*refusal.headers, (b"connection", b"close"))
            raise refusal from None
        visit.course.arrived = perf_counter()
        batcher, visit.counted = self.batcher, True  # from here on the batcher counts
        waiting, size = PendingResponse(visit.span), len(body)
        is_taken_in = batcher.submit(body, waiting)
        del body  # whoever works on it has it; a refusal that is held back holds nothing
        if not is_taken_in:
            raise await rejection_when_due(size, batcher)
        return await await_response(waiting, receive)

    def _has_room(self, size: int) -> bool:
        return not self.is_loaded or self.batcher.has_room(size)

    async def _elsewhere(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with a page, or let BentoML answer."""
        try:
            if scope["path"] in _DOCS:
                check_method(scope, ("GET", "HEAD"))
                await send_whole(send, 200, DOCS_PAGE, b"text/html; charset=utf-8")
            elif scope["path"] == CARD:
                check_method(scope, ("GET", "HEAD"))
                await send_whole(send, 200, self._responder.card, b"text/markdown; charset=utf-8")
            else:
                self._stock.check(scope)
                if scope["path"] == "/metrics" and self._meter is not None:
                    self._meter.write()
                if scope["path"] == "/readyz":
                    self._check_ready()
                await self._stock(scope, receive, send)
        except RequestError as refusal:
            await send_problem(send, refusal)

    def _check_ready(self) -> None:
        if reason := self._responder.unready:
            raise RequestError(NOT_READY, reason)

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def watched(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                if self._service.responder is not None:
                    costs = measure_costs(self._service.responder)
                    self._open(costs, measure_bulk_costs(self._service.responder))
                gc.collect()
                gc.freeze()
                gc.set_threshold(*_GC_THRESHOLDS)
                sys.setswitchinterval(_SWITCH_SECONDS)
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            if self._batcher is not None:
                self._batcher.close()
            if self._meter is not None:
                self._meter.write()
            if self._tracing is not None:
                self._tracing.close()
            self._beside.shutdown(wait=True)
            # Its threads may wait for this event loop.
            await asyncio.to_thread(self._bulk.close)

    @property
    def is_loaded(self) -> bool:
        """Return whether there is a model, so that `batcher` will do."""
        return self._service.responder is not None

    @property
    def batcher(self) -> Batcher:
        """Return what answers `score`.

        Raises:
            RequestError: 503, the model is not loaded yet.
        """
        if self._batcher is None:
            costs = CostModel()
            self._open(costs, BulkCosts(dict.fromkeys(MEDIA_TYPES.values(), costs.byte)))
        return cast("Batcher", self._batcher)

    @property
    def desk(self) -> BulkQueue:
        """Return what answers `score/bulk`.

        Raises:
            RequestError: 503, the model is not loaded yet.
        """
        _ = self.batcher
        return cast("BulkQueue", self._desk)

    def _open(self, costs: CostModel, bulk: BulkCosts) -> None:
        responder = self._responder
        provider = responder.info.provider
        here = provider.active == RUNTIME_NAMES[Provider.CPU]
        workload = AdmissionController(
            costs,
            limit=self._queue_seconds,
            turn=ROWS,
            slice_bytes=LONG_BYTES,
            step_seconds=bulk.slice_seconds,
        )
        self._batcher = Batcher(
            responder,
            workload,
            self._observer(responder),
            executor=None if here else self._beside,
            beside=self._beside,
        )
        meter = cast("BatchMetrics", self._meter)
        readers = self._bulk.readers
        self._desk = BulkQueue(responder.bulk, self._batcher, bulk, meter.observe_slice, readers)

    def _observer(self, responder: Responder) -> Callable[[BatchRecord], None]:
        tiers = [tier.name for tier in responder.bundle.policy.tiers]
        meter = self._meter = BatchMetrics(responder.bundle.contract, tiers)
        tracing = self._tracing
        if tracing is None:
            return meter.observe

        def observe(turn: BatchRecord) -> None:
            meter.observe(turn)
            tracing.record(turn)

        return observe

    @property
    def _responder(self) -> Responder:
        if self._service.responder is None:
            raise RequestError(NOT_READY, "The model is not loaded yet; ask again in a moment.")
        return self._service.responder


@dataclass(slots=True)
class _Visit:
    """A request to one of our own routes.

    Attributes:
        route: Which one.
        course: How it goes; `arrived` is when its last byte had come.
        span: Where it is traced.
        status: What it is answered with.
        counted: Whether somebody else counts it.
    """

    route: str
    course: BulkTimings
    span: Span | None = None
    status: int = HTTPStatus.OK.value
    counted: bool = False
