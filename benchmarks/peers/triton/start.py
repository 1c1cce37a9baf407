"""Start the tritonserver of PyTriton's wheel, which has the Python backend and no other."""

import os
import shutil
import sys
import sysconfig
from pathlib import Path

here, work, graph = Path(__file__).parent, Path(os.environ["WORK"]), Path(os.environ["RISK_GRAPH"])
packages = Path(sysconfig.get_paths()["purelib"])
server = packages / "pytriton" / "tritonserver"
python = f"{sys.version_info.major}.{sys.version_info.minor}"

backend = work / "backends" / "python"
shutil.rmtree(work, ignore_errors=True)
shutil.copytree(server / "backends" / "python", backend)
stub = "triton_python_backend_stub"
shutil.copy(server / "python_backend_stubs" / python / stub, backend / stub)

model = work / "models" / "risk"
(model / "1").mkdir(parents=True)
shutil.copy(here / "model.py", model / "1" / "model.py")
shape = f"{os.environ['PERIODS']}, {os.environ['FEATURES']}"
config = (here / "config.pbtxt").read_text(encoding="utf-8").replace("PERIODS, FEATURES", shape)
(model / "config.pbtxt").write_text(config, encoding="utf-8")

libraries = [
    *(str(folder) for folder in packages.glob("*.libs")),
    sysconfig.get_config_var("LIBDIR"),
    os.environ.get("LD_LIBRARY_PATH", ""),
]
os.environ["LD_LIBRARY_PATH"] = ":".join(part for part in libraries if part)
# The stub embeds Python and finds this environment by the `python3` that comes first.
os.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
binary = server / "bin" / "tritonserver"
arguments = {
    "model-repository": model.parent,
    "backend-directory": backend.parent,
    "http-address": "127.0.0.1",
    "http-port": os.environ["PORT"],
    "allow-grpc": "false",
    "allow-metrics": "false",
    "log-info": "false",
}
os.execv(binary, [str(binary), *(f"--{name}={value}" for name, value in arguments.items())])  # noqa: S606
