"""OpenTelemetry traces of both `score` routes, where a collector is named (`BELLWETHER_TRACES`).

One span a request, a child of the caller's where it sends `traceparent` (W3C Trace Context), and
below it where its time went: queue, decode, compute, policy, encode. The last four are those of
the whole pass, which the request shared with others. A table's stages each reach from its first
slice to its last, and say how many seconds of that they worked. No span holds anything of a
student.
"""

from collections.abc import Iterable, Mapping
from time import perf_counter, time_ns

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from service.batching.records import BatchRecord
from service.bulk.timings import BulkTimings
from service.bundle_store import NAME

_propagator = TraceContextTextMapPropagator()


class Tracing:
    """Sends spans to a collector, in batches, from a thread of its own.

    Args:
        endpoint: URL that takes OTLP over HTTP, such as `http://127.0.0.1:4318/v1/traces`.
    """

    def __init__(self, endpoint: str) -> None:
        self._provider = TracerProvider(resource=Resource.create({"service.name": NAME}))
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
        self._tracer = self._provider.get_tracer(__name__)

    def begin(self, route: str, headers: Iterable[tuple[bytes, bytes]]) -> Span:
        """Begin the span of a request to `route`; `headers` may name the caller's."""
        carrier: Mapping[str, str] = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in headers
        }
        span = self._tracer.start_span(
            f"POST {route}", context=_propagator.extract(carrier), kind=SpanKind.SERVER
        )
        span.set_attribute("http.request.method", "POST")
        span.set_attribute("http.route", route)
        return span

    def end(self, span: Span, status: int) -> None:
        """End a request's span with its HTTP status."""
        span.set_attribute("http.response.status_code", status)
        if status >= 500:
            span.set_status(StatusCode.ERROR)
        span.end()

    def record(self, turn: BatchRecord) -> None:
        """Add to each request that ended in a turn where its time went."""
        offset = time_ns() - round(perf_counter() * 1e9)
        for recipient, seconds in zip(turn.recipients, turn.seconds, strict=True):
            span: Span | None = getattr(recipient, "span", None)
            if span is None or not span.is_recording():
                continue
            span.set_attribute("bellwether.pass.requests", len(turn.requests))
            begin = turn.ended - seconds
            for name, end in _stages(turn):
                part = self._tracer.start_span(
                    name, set_span_in_context(span), start_time=offset + round(begin * 1e9)
                )
                part.end(offset + round(end * 1e9))
                begin = end

    def record_table(self, span: Span, timings: BulkTimings) -> None:
        """Add the stages of a table to the span of its request."""
        if timings.started is None or not span.is_recording():
            return
        offset = time_ns() - round(perf_counter() * 1e9)
        span.set_attribute("bellwether.slices", timings.slices)
        parent = set_span_in_context(span)
        queue = ("queue", timings.arrived, timings.started, timings.started - timings.arrived)
        stages = [(name, one.began, one.ended, one.seconds) for name, one in timings.stages.items()]
        for name, began, ended, seconds in (queue, *stages):
            part = self._tracer.start_span(name, parent, start_time=offset + round(began * 1e9))
            part.set_attribute("bellwether.seconds", seconds)
            part.end(offset + round(ended * 1e9))

    def close(self) -> None:
        """Send what has not been sent."""
        self._provider.shutdown()


def _stages(turn: BatchRecord) -> list[tuple[str, float]]:
    """Return when each stage of a turn ended, on the clock of `perf_counter`, in order."""
    decoded = turn.started + turn.decode
    computed = decoded + sum(answers.stages.compute for answers in turn.answers)
    decided = computed + sum(answers.stages.policy for answers in turn.answers)
    encoded = decided + sum(answers.stages.encode for answers in turn.answers)
    return [
        ("queue", turn.started),
        ("decode", decoded),
        ("compute", computed),
        ("policy", decided),
        ("encode", encoded),
    ]
