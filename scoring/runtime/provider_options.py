"""Options of the accelerators' execution providers, as ONNX Runtime takes them.

No option lowers the precision of float32. Precision is lowered only in the graph, by an export whose
gate measured the cost.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from records.errors import BellwetherError

# Rows of one execution. 128 to 512 rows are fastest; from 1,024 on the gates of an LSTM(64) no
# longer fit the L2 cache, and the speed falls by a quarter.
CHUNK = 256
# Rows that an accelerator is warmed up with.
ROW_BUCKETS = (1, 8, 32, 128, CHUNK)

# By default OpenVINO computes in bfloat16 or float16 where that is faster.
OPENVINO_OPTIONS = {"device_type": "CPU", "precision": "FP32"}


class EngineCacheError(BellwetherError):
    """Other users can write to the folder of TensorRT's engines, which run as programs."""


@dataclass(frozen=True, slots=True)
class DeviceOptions:
    """How an accelerator is used; ignored without one.

    Attributes:
        number: GPU, as CUDA counts them.
        memory_mib: Most memory of CUDA's arena, MiB; None: as much as there is.
        engine_cache: Folder of TensorRT's engines and timings, so that only the first start compiles;
            only this user may write there. None: every start compiles.
    """

    number: int = 0
    memory_mib: int | None = None
    engine_cache: str | None = None


@dataclass(frozen=True, slots=True)
class ShapeProfile:
    """Shapes of a graph's input.

    Attributes:
        input: Its name.
        periods: Fewest and most periods.
        features: Values of a period.
        rows: Most rows.
    """

    input: str
    periods: tuple[int, int]
    features: int
    rows: int = CHUNK

    def options(self) -> dict[str, str]:
        """Return TensorRT's options; the engine is tuned for a class of 32 at full length."""
        fewest, most = self.periods
        shapes = {
            "min": (1, fewest),
            "opt": (32, most),
            "max": (self.rows, most),
        }
        return {
            f"trt_profile_{name}_shapes": f"{self.input}:{rows}x{periods}x{self.features}"
            for name, (rows, periods) in shapes.items()
        }


def cuda_options(device: DeviceOptions) -> dict[str, str]:
    """Return the options of CUDA.

    TF32, CUDA's default, has 10 bits of mantissa: a hundred times coarser than the
    gate's tolerance. The arena grows by the requested size instead of doubling. Convolutions, whose
    algorithms cuDNN would search for at each new shape, occur in no graph of ours.
    """
    options = {
        "device_id": str(device.number),
        "use_tf32": "0",
        "arena_extend_strategy": "kSameAsRequested",
    }
    if device.memory_mib is not None:
        options["gpu_mem_limit"] = str(device.memory_mib * 2**20)
    return options


def tensorrt_options(
    device: DeviceOptions, model: Path | bytes, profile: ShapeProfile | None
) -> dict[str, str]:
    """Return the options of TensorRT for one graph.

    Engines are cached in a folder named after the graph's content: ONNX Runtime names them after
    the graph's structure alone, so that another model of the same architecture would run with this
    one's weights.

    Args:
        device: How the accelerator is used.
        model: The graph.
        profile: Shapes to compile for. None: those that occur, again whenever one lies outside.

    Raises:
        EngineCacheError: Other users can write to the cache.
    """
    options = {"device_id": str(device.number), "trt_fp16_enable": "0"}
    if device.engine_cache is not None:
        folder = Path(device.engine_cache)
        content = model if isinstance(model, bytes) else model.read_bytes()
        _check_owner(folder)
        engines = folder / hashlib.sha256(content).hexdigest()[:16]
        engines.mkdir(mode=0o700, parents=True, exist_ok=True)
        options |= {
            "trt_engine_cache_enable": "1",
            "trt_engine_cache_path": str(engines),
            "trt_timing_cache_enable": "1",
            "trt_timing_cache_path": str(folder),
        }
    return options | ({} if profile is None else profile.options())


def _check_owner(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.stat()
    if found.st_uid not in (0, os.getuid()) or found.st_mode & 0o022:
        raise EngineCacheError(
            f"Other users can write to {folder}, whose engines run as programs. Remove that right "
            "(chmod go-w), or name another folder."
        )
