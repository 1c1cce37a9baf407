"""Say what a measurement was made on."""

import importlib.metadata
import os
import platform
import sys
from pathlib import Path

import psutil

_LIBRARIES = ("bentoml", "numpy", "msgspec", "uvicorn")
_RUNTIMES = ("onnxruntime-gpu", "onnxruntime")


def describe_machine() -> str:
    """Return processor, caches, memory, system, versions and present load, one a line."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    versions = [f"{name} {version}" for name in _LIBRARIES if (version := _version(name))]
    runtime = next((f"{name} {v}" for name in _RUNTIMES if (v := _version(name))), "none")
    lines = [
        f"Processor: {_processor()}; {allowed} cores allowed{_second_level_cache()}",
        f"Memory: {psutil.virtual_memory().total / 2**30:.0f} GiB",
        f"System: {platform.system()} {platform.release()}, Python {sys.version.split()[0]}",
        f"Versions: {', '.join((runtime, *versions))}",
        f"Load before the measurement: {load:.2f}",
    ]
    return "\n".join(lines)


def _version(library: str) -> str | None:
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _second_level_cache() -> str:
    size = Path("/sys/devices/system/cpu/cpu0/cache/index2/size")
    return f", L2 {size.read_text(encoding='utf-8').strip()} each" if size.is_file() else ""
