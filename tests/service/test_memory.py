"""Memory of a process that answers requests of every shape, in a process of its own."""

import json
import subprocess
import sys
from pathlib import Path

from tests.conftest import REPOSITORY

# Bodies are made before: what the client holds must not count.
_SCRIPT = """
import json, sys
from pathlib import Path
import msgspec, numpy as np, psutil
from service.answer import Responder
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
ALLOWED = 1.03


def held(bundle: Path, way: str) -> list[int]:
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, str(bundle), way],
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
