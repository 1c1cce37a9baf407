"""Start MLServer with adaptive batching, without its inference workers: there is one core."""

import json
import os
import sys
from pathlib import Path

port, work = int(os.environ["PORT"]), Path(os.environ["WORK"])
work.mkdir(parents=True, exist_ok=True)
settings = {
    "host": "127.0.0.1",
    "http_port": port,
    "grpc_port": port + 1,
    "metrics_port": port + 2,
    "parallel_workers": 0,
    "debug": False,
}
model = {
    "name": "risk",
    "implementation": "runtime.Risk",
    "max_batch_size": 64,
    "max_batch_time": 0.002,
}
(work / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
(work / "model-settings.json").write_text(json.dumps(model), encoding="utf-8")
os.environ["PYTHONPATH"] = str(Path(__file__).parent)
mlserver = str(Path(sys.executable).parent / "mlserver")
os.execv(mlserver, [mlserver, "start", str(work)])  # noqa: S606
