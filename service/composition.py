"""The composition root: build every part of the service, in order, from a loaded model.

`service.app` calls `build` once in each worker; nothing is built elsewhere, and nothing later.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter

from starlette.types import Receive, Scope, Send

from scoring.runtime.providers import RUNTIME_NAMES, Provider
from service import routes
from service.asgi import Parts
from service.auth import Authorizer
from service.batching.admission import AdmissionController, CostModel, measure_costs
from service.batching.batcher import LONG_BYTES, ROWS, Batcher
from service.batching.records import BatchRecord
from service.bulk.costs import BulkCosts, measure_bulk_costs
from service.bulk.queue import BulkQueue
from service.bulk.responder import BulkResponder
from service.bulk.route import BulkRoute
from service.bulk.timings import BulkTimings
from service.endpoints.score import ScoreRoute
from service.endpoints.what_if import WhatIfRoute
from service.http.body_budget import BodyBudget
from service.http.docs_page import DOCS_HEADERS, DOCS_PAGE
from service.http.exchange import Exchange, Handler
from service.http.problems import NOT_READY, RequestError
from service.http.responses import ANSWER_HEADERS, send_whole
from service.observability.batch_metrics import BatchMetrics
from service.observability.tracing import Tracing
from service.responder import Responder
from service.settings import Settings

_HTML, _MARKDOWN, _JSON = (
    b"text/html; charset=utf-8",
    b"text/markdown; charset=utf-8",
    b"application/json",
)


def build(responder: Responder, settings: Settings) -> Parts:
    """Build what answers, in the order in which the parts need each other.

    Args:
        responder: The loaded model.
        settings: Limits, and where requests are traced to.
    """
    bulk = BulkResponder.from_responder(responder)
    bulk_costs = measure_bulk_costs(bulk, responder.bundle)
    return assemble(responder, settings, measure_costs(responder), bulk_costs)


def assemble(
    responder: Responder, settings: Settings, costs: CostModel, bulk_costs: BulkCosts
) -> Parts:
    """Build what answers, with costs that are measured already; else as `build`."""
    tracing = Tracing(settings.traces) if settings.traces else None
    tiers = [tier.name for tier in responder.bundle.policy.tiers]
    metrics = BatchMetrics(responder.bundle.contract, tiers)
    arriving = BodyBudget(settings.max_arriving_bytes)
    beside = ThreadPoolExecutor(1, thread_name_prefix="score")
    batcher = Batcher(
        responder,
        AdmissionController(
            costs,
            limit=settings.queue_milliseconds / 1000,
            turn=ROWS,
            slice_bytes=LONG_BYTES,
            step_seconds=bulk_costs.slice_seconds,
        ),
        _observer(metrics, tracing),
        executor=None if _runs_on_cpu(responder) else beside,
        beside=beside,
    )
    authorizer = Authorizer.from_settings(settings.tokens, settings.tokens_file)
    score = ScoreRoute(batcher, settings.max_body_bytes, arriving, authorizer, tracing)
    what_if = WhatIfRoute(responder.what_if, batcher, settings.max_body_bytes, arriving)
    bulk_route = BulkRoute(settings.max_body_bytes, settings.max_bulk_bytes, arriving)
    bulk_queue = BulkQueue(
        BulkResponder.from_responder(responder),
        batcher,
        bulk_costs,
        metrics.observe_slice,
        bulk_route.readers,
    )

    def close() -> None:
        if tracing is not None:
            tracing.close()
        beside.shutdown(wait=True)
        bulk_route.close()

    def stop() -> None:
        batcher.close()
        metrics.write()

    return Parts(
        handlers={
            routes.SCORE: score.answer,
            routes.BULK: _bulk(bulk_route, bulk_queue, metrics, tracing),
            routes.WHAT_IF: what_if.answer,
            routes.CONTRACT: _page(responder.contract, _JSON, ANSWER_HEADERS),
            routes.POLICY: _page(responder.policy, _JSON, ANSWER_HEADERS),
            routes.MODEL: _page(responder.model, _JSON, ANSWER_HEADERS),
            routes.CARD: _page(responder.card, _MARKDOWN),
            routes.INDEX: _page(DOCS_PAGE, _HTML, DOCS_HEADERS),
            routes.DOCS: _page(DOCS_PAGE, _HTML, DOCS_HEADERS),
        },
        before={routes.READY: _check_ready(responder), routes.METRICS: metrics.write},
        score=score,
        authorizer=authorizer,
        stop=stop,
        close=close,
        tracing=tracing,
    )


def _runs_on_cpu(responder: Responder) -> bool:
    return responder.info.provider.active == RUNTIME_NAMES[Provider.CPU]


def _observer(metrics: BatchMetrics, tracing: Tracing | None) -> Callable[[BatchRecord], None]:
    if tracing is None:
        return metrics.observe

    def observe(record: BatchRecord) -> None:
        metrics.observe(record)
        tracing.record(record)

    return observe


def _bulk(
    route: BulkRoute, queue: BulkQueue, metrics: BatchMetrics, tracing: Tracing | None
) -> Handler:
    async def answer(scope: Scope, receive: Receive, send: Send, exchange: Exchange) -> None:
        span = exchange.span
        timings = BulkTimings(perf_counter())

        def count(status: int) -> None:
            metrics.observe_table(timings, status)
            if tracing is not None and span is not None:
                tracing.record_table(span, timings)

        exchange.count = count
        await route.answer(scope, receive, send, queue, timings)

    return answer


def _page(body: bytes, kind: bytes, headers: Sequence[tuple[bytes, bytes]] = ()) -> Handler:
    async def answer(scope: Scope, receive: Receive, send: Send, exchange: Exchange) -> None:
        del scope, receive, exchange
        await send_whole(send, 200, body, kind, headers)

    return answer


def _check_ready(responder: Responder) -> Callable[[], None]:
    def check() -> None:
        if reason := responder.unready:
            raise RequestError(NOT_READY, reason)

    return check
