"""Memory of a process that answers requests of every shape, in a process of its own."""

import json
import subprocess
import sys
from pathlib import Path

from tests.conftest import REPOSITORY
from tests.service.links import connected, until, workers
from tests.service.running import environment, serving

# Bodies are made before: what the client holds must not count.
_SCRIPT = """
import json, sys
from pathlib import Path
import msgspec, numpy as np, psutil
from service.responder import Responder
from service.settings import Settings

kept = [] if sys.argv[2] == "leak" else None
responder = Responder(Path(sys.argv[1]), Settings(provider="cpu", threads=1))
[sample] = msgspec.json.decode(responder.sample_request)["students"][:1]
generator = np.random.default_rng(5)

def body():
    rows = int(10 ** generator.uniform(0, 2.4772))
    names = [f"s{row}" for row in range(rows)]
    lengths = generator.integers(1, len(sample["periods"]) + 1, rows).tolist()
    students = [
        {**sample, "id": name, "periods": sample["periods"][:length]}
        for name, length in zip(names, lengths)
    ]
    return msgspec.json.encode({"students": students})

bodies = [body() for _ in range(250)]

def serve(times):
    for at in generator.integers(0, len(bodies), times).tolist():
        responder.score(bodies[at])
        if kept is not None:
            kept.append(bytes(5000))
    return psutil.Process().memory_info().rss

print(json.dumps([serve(500) for _ in range(5)]))
"""
# Cohorts as Arrow, read by as many threads as a worker has for them; "apart" is what it was like
# with a heap for each.
_COHORTS = """
import io, json, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import numpy as np, psutil, pyarrow as pa
from service.process.memory import share_memory

if sys.argv[2] == "together":
    share_memory()
from records.tables.formats import TableFormat
from service.responder import Responder
from service.bulk.pending import BulkRequest
from service.bulk.responder import BulkResponder
from service.settings import Settings

responder = Responder(Path(sys.argv[1]), Settings(provider="cpu", threads=1))
features = responder.bundle.contract.feature_names
periods = responder.bundle.contract.periods.maximum
students, rows = 4096, 4096 * periods
generator = np.random.default_rng(5)
table = pa.table(
    {"id": np.repeat(np.arange(students), periods).astype(str).tolist()}
    | {"period": np.tile(np.arange(1, periods + 1), students)}
    | {name: generator.uniform(0, 10, rows) for name in features}
)
sink = io.BytesIO()
with pa.ipc.new_stream(sink, table.schema) as writer:
    writer.write_table(table)
del table
body = sink.getvalue()
process = psutil.Process()
before = process.memory_full_info().uss

bulk = BulkResponder.from_responder(responder)

def answer(_):
    kind = TableFormat.ARROW
    for _ in bulk.answer(io.BytesIO(body), BulkRequest(kind, kind)):
        pass

with ThreadPoolExecutor(8) as pool:
    for _ in range(4):
        list(pool.map(answer, range(8)))
    print(json.dumps([process.memory_full_info().uss - before]))
"""
ALLOWED = 1.03


def held(bundle: Path, way: str, script: str = _SCRIPT) -> list[int]:
    done = subprocess.run(
        [sys.executable, "-c", script, str(bundle), way],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    measured: list[int] = json.loads(done.stdout)
    return measured


def test_memory_stays_flat_over_random_shapes(bundle_dir: Path) -> None:
    measured = held(bundle_dir, "plain")
    assert max(measured[1:]) / measured[0] < ALLOWED, measured


def test_five_kilobytes_kept_of_each_request_would_be_seen(bundle_dir: Path) -> None:
    measured = held(bundle_dir, "leak")
    assert max(measured[1:]) / measured[0] > ALLOWED, measured


def test_threads_that_read_cohorts_share_their_memory(bundle_dir: Path) -> None:
    together, apart = (held(bundle_dir, way, _COHORTS)[0] for way in ("together", "apart"))
    assert together < 0.8 * apart, (together, apart)


def test_a_worker_gives_back_what_a_burst_of_rejected_and_aborted_requests_took(
    bundle_dir: Path, tmp_path: Path
) -> None:
    columns = json.dumps({"id": ["a"] * 4000, "features": {"quiz": [[1.0, 2.0]] * 4000}}).encode()
    head = f"POST /score/bulk HTTP/1.1\r\nHost: x\r\nContent-Length: {len(columns)}\r\n\r\n"
    data = head.encode() + columns
    with serving(tmp_path, environment(tmp_path, bundle=bundle_dir, threads="1")) as running:
        [worker] = workers(running)

        def resident() -> int:
            return int(worker.memory_full_info().uss)

        def burst() -> None:
            for cut in (0, 10, len(columns) // 2) * 40:
                with connected(running) as link:
                    link.sendall(data[: len(data) - cut])
                    if not cut:
                        assert link.recv(2**16)

        burst()
        before = resident()
        for _ in range(5):
            burst()
        until(lambda: resident() < 1.1 * before)
