"""Who is compared, and how each is asked.

A peer does the least that serving a model means: decode JSON, run the risk graph, answer one number
a student. Bellwether does its full job. All are sent the same students.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.server import REPOSITORY, Launch, bellwether
from records.arrays import Floats
from scoring.bundle.reader import Bundle

FOLDER = Path(__file__).resolve().parent
ENVIRONMENTS = REPOSITORY / "build" / "peers"

Students = Sequence[dict[str, Any]]


@dataclass(frozen=True)
class Contender:
    """One server of the comparison.

    Attributes:
        key: Name of its folder and environment.
        title: Its name in tables.
        path: Where requests are posted to.
        ready: Path that answers 200 once it can serve.
        encode: Students, and the same as complete (students, periods, features) float32 -> body.
        decode: Answer, parsed -> probability after each student's last period.
    """

    key: str
    title: str
    path: str
    ready: str
    encode: Callable[[Students, Floats], bytes]
    decode: Callable[[Any], list[float]]


def _by_name(students: Students, _: Floats) -> bytes:
    return _compact({"students": students})


def _nested(_: Students, values: Floats) -> bytes:
    return _compact({"values": _exact(values)})


def _open_inference(_: Students, values: Floats) -> bytes:
    """Write a request of the Open Inference Protocol (V2): one flat, columnar array."""
    flat = _exact(values.reshape(-1))
    tensor = {"name": "values", "shape": values.shape, "datatype": "FP32", "data": flat}
    return _compact({"inputs": [tensor]})


def _exact(values: Floats) -> list[Any]:
    # In float64 and to one decimal, as the students were drawn: 82.3, not 82.30000305175781.
    listed: list[Any] = values.astype(float).round(1).tolist()
    return listed


def _compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _assessed(answer: Any) -> list[float]:
    return [assessment["risk"] for assessment in answer["assessments"]]


def _risk_field(answer: Any) -> list[float]:
    return list(answer["risk"])


def _tensor(answer: Any) -> list[float]:
    return list(answer["outputs"][0]["data"])


BELLWETHER = Contender("bellwether", "Bellwether", "/score", "/readyz", _by_name, _assessed)
_V2, _V2_READY = "/v2/models/risk/infer", "/v2/health/ready"
PEERS = (
    Contender("stock_bentoml", "stock BentoML", "/predict", "/readyz", _nested, list),
    Contender(
        "fastapi_onnxruntime", "FastAPI + ONNX Runtime", "/predict", "/ready", _nested, _risk_field
    ),
    Contender("litserve", "LitServe", "/predict", "/health", _nested, _risk_field),
    Contender("mlserver", "MLServer", _V2, _V2_READY, _open_inference, _tensor),
    Contender("triton", "Triton", _V2, _V2_READY, _open_inference, _tensor),
)


def launch(contender: Contender, bundle: Bundle) -> Launch:
    """Say how to start a contender on the graph of `bundle`."""
    if contender is BELLWETHER:
        return bellwether(bundle.path)
    environment = ENVIRONMENTS / contender.key
    return Launch(
        name=contender.title,
        command=(str(environment / "bin" / "python"), str(FOLDER / contender.key / "start.py")),
        ready=contender.ready,
        environment={
            "PORT": "{port}",
            "RISK_GRAPH": str(bundle.risk_graph.resolve()),
            "PERIODS": str(bundle.contract.periods.maximum),
            "FEATURES": str(len(bundle.contract.features)),
            "WORK": str(environment / "work"),
        },
    )
