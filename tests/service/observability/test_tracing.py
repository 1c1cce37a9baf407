"""Traces reach a collector, name the caller's, and show where the time went, without any student."""

import gzip
import http.server
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.service.asking import student
from tests.service.running import environment, serving

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
STAGES = ["queue", "decode", "compute", "policy", "encode"]


class Collector(http.server.ThreadingHTTPServer):
    """Takes OTLP over HTTP, as a real collector does."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Receiver)
        self.spans: list[Span] = []
        self.received = b""


class Receiver(http.server.BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        export = ExportTraceServiceRequest.FromString(body)
        self.server.received += body
        for resource in export.resource_spans:
            for scope in resource.scope_spans:
                self.server.spans += scope.spans
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as receiving:
        thread = threading.Thread(target=receiving.serve_forever)
        thread.start()
        yield receiving
        receiving.shutdown()
        thread.join()


def test_a_request_is_traced_from_the_caller_to_its_stages(
    bundle_dir: Path, tmp_path: Path, collector: Collector
) -> None:
    traces = f"http://127.0.0.1:{collector.server_address[1]}/v1/traces"
    variables = environment(tmp_path, bundle=bundle_dir, threads="1", traces=traces)
    with serving(tmp_path, variables) as running, httpx.Client(base_url=running.url) as client:
        sent = time.time_ns()
        body = {"students": [student("s-4711")]}
        headers = {"traceparent": f"00-{TRACE}-{CALLER}-01"}
        assert client.post("/score", json=body, headers=headers).status_code == 200
        got = time.time_ns()
        assert client.post("/score", content=b"{").status_code == 400
        cohort = "id,period,quiz\n" + "".join(f"s-4711-{at},1,50\n" for at in range(600))
        headers["content-type"] = "text/csv"
        assert client.post("/score/bulk", content=cohort, headers=headers).status_code == 200
    spans = collector.spans  # sent at the latest when the server ends

    [asked, refused] = [span for span in spans if span.name == "POST /score"]
    assert asked.trace_id.hex() == TRACE
    assert asked.parent_span_id.hex() == CALLER
    parts = [span for span in spans if span.parent_span_id == asked.span_id]
    assert [span.name for span in parts] == STAGES
    times = [
        moment for span in parts for moment in (span.start_time_unix_nano, span.end_time_unix_nano)
    ]
    assert times == sorted(times)
    assert sent - 5e6 <= asked.start_time_unix_nano <= times[0] + 1e6
    assert times[-1] <= asked.end_time_unix_nano + 1e6 <= got + 5e6
    status = {value.key: value.value.int_value for value in refused.attributes}
    assert status["http.response.status_code"] == 400
    assert b"4711" not in collector.received
    assert "4711" not in json.dumps(running.said())

    [many] = [span for span in spans if span.name == "POST /score/bulk"]
    assert many.trace_id.hex() == TRACE
    assert many.parent_span_id.hex() == CALLER
    parts = [span for span in spans if span.parent_span_id == many.span_id]
    assert [span.name for span in parts] == STAGES
    slices = {value.key: value.value.int_value for value in many.attributes}["bellwether.slices"]
    assert slices > 1
    for span in parts:
        [worked] = [one.value.double_value for one in span.attributes]
        assert worked > 0
        assert many.start_time_unix_nano - 1e6 <= span.start_time_unix_nano
        assert span.end_time_unix_nano <= many.end_time_unix_nano + 1e6
