"""Open ONNX Runtime sessions on the requested execution provider, or report that it is not available.

ONNX Runtime falls back silently: where CUDA is requested and cannot load, it runs on the CPU. So
the active provider is compared with the requested one after every construction. The export gate and
the service both open their sessions here: what was proven is what runs.
"""

import contextlib
import importlib.util
import io
import logging
import os
from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path

from records.errors import BellwetherError
from scoring.runtime.onnx_runtime import onnxruntime, runtime_state
from scoring.runtime.provider_options import (
    OPENVINO_OPTIONS,
    DeviceOptions,
    ShapeProfile,
    cuda_options,
    tensorrt_options,
)
from scoring.runtime.threads import thread_count as thread_count  # noqa: PLC0414 - a public name here too

_log = logging.getLogger(__name__)
_NO_PREFERENCE = DeviceOptions()


class Provider(StrEnum):
    """An execution provider to request."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"
    TENSORRT = "tensorrt"
    OPENVINO = "openvino"


RUNTIME_NAMES = {
    Provider.CPU: "CPUExecutionProvider",
    Provider.CUDA: "CUDAExecutionProvider",
    Provider.TENSORRT: "TensorrtExecutionProvider",
    Provider.OPENVINO: "OpenVINOExecutionProvider",
}

# Providers to try, best first. `auto` omits TensorRT: it compiles engines at start, for minutes, so
# it is used only on request. OpenVINO is only in separate builds.
_PREFERENCE = {
    Provider.AUTO: (Provider.CUDA, Provider.CPU),
    Provider.CPU: (Provider.CPU,),
    Provider.CUDA: (Provider.CUDA, Provider.CPU),
    Provider.TENSORRT: (Provider.TENSORRT, Provider.CUDA, Provider.CPU),
    Provider.OPENVINO: (Provider.OPENVINO, Provider.CPU),
}


class ProviderError(BellwetherError):
    """The requested execution provider is not available."""


def candidates(
    asked: Provider, available: Sequence[str], *, strict: bool = False
) -> tuple[Provider, ...]:
    """List the providers to try, best first.

    Args:
        asked: The requested provider.
        available: Names that this build of ONNX Runtime lists; a listed one may fail to load.
        strict: Whether only the requested one may be used; ignored for `auto`.
    """
    preferred = _PREFERENCE[asked]
    if strict and asked is not Provider.AUTO:
        preferred = preferred[:1]
    return tuple(provider for provider in preferred if RUNTIME_NAMES[provider] in available)


def session_options(threads: int) -> onnxruntime.SessionOptions:
    """Build the options of production; the export gate proves the graphs under the same ones.

    Args:
        threads: Intra-op threads, at least 1.
    """
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # A memory pattern is stored for every shape ever seen: memory that only grows.
    options.enable_mem_pattern = False
    options.log_severity_level = 3  # errors; its warnings are about node placement, not results
    if threads > 1:
        # Spinning threads burn the CPU share of the other workers between two requests.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def active_provider(session: onnxruntime.InferenceSession) -> str:
    """Return the active provider, as ONNX Runtime names it."""
    return str(session.get_providers()[0])


def open_session(
    model: Path | bytes,
    provider: Provider | str = Provider.AUTO,
    *,
    strict: bool = False,
    threads: int | None = None,
    profile: ShapeProfile | None = None,
) -> onnxruntime.InferenceSession:
    """Open one graph; arguments and errors as `open_sessions`."""
    profiles = None if profile is None else [profile]
    return open_sessions([model], provider, strict=strict, threads=threads, profiles=profiles)[0]


def open_sessions(
    models: Sequence[Path | bytes],
    provider: Provider | str = Provider.AUTO,
    *,
    strict: bool = False,
    threads: int | None = None,
    device: DeviceOptions = _NO_PREFERENCE,
    profiles: Sequence[ShapeProfile] | None = None,
) -> list[onnxruntime.InferenceSession]:
    """Open several graphs, all on the first provider on which every one of them loads.

    Args:
        models: Paths or contents of ONNX files.
        provider: Requested; `auto` is CUDA where it loads, else the CPU.
        strict: Raise where another provider would be used. Without it, the next best is used and
            a warning is logged.
        threads: Intra-op threads; None takes `thread_count()`.
        device: How an accelerator is used.
        profiles: Shapes of each graph's input, where a provider compiles for them.

    Raises:
        ProviderError: No acceptable provider is available.
    """
    asked = Provider(provider)
    options = session_options(thread_count() if threads is None else threads)
    tries = candidates(asked, onnxruntime.get_available_providers(), strict=strict)
    failed: list[Provider] = []
    for candidate in tries:
        # Where another may be used, ONNX Runtime's red lines about a missing GPU only alarm. In
        # strict mode they are the reason: they name the missing library.
        with contextlib.nullcontext() if strict else _silent_runtime():
            sessions = _open_all(models, candidate, options, device, profiles)
        if sessions is not None:
            if asked not in (Provider.AUTO, candidate):
                why = "did not load" if asked in failed else "is not part of this ONNX Runtime"
                _log.warning(
                    "Execution provider '%s' %s; '%s' is used instead. Strict mode gives the reason.",
                    *(asked, why, candidate),
                )
            return sessions
        failed.append(candidate)
    if asked in failed:
        why = "did not load; ONNX Runtime's message above names what is missing"
    else:
        why = f"is not part of this ONNX Runtime ({onnxruntime.__version__}); see docs/providers.md"
    raise ProviderError(
        f"Execution provider '{asked}' {why}. Install what is missing (an operator: export with "
        "`bellwether export --portable`), or request 'cpu' or 'auto', or leave strict mode."
    )


def loadable_providers(models: Sequence[Path | bytes]) -> tuple[Provider, ...]:
    """List the execution providers on which all of `models` really load, the CPU first."""
    options = session_options(threads=1)
    available = onnxruntime.get_available_providers()
    with _silent_runtime():
        return tuple(
            provider
            for provider, name in RUNTIME_NAMES.items()
            if name in available and _open_all(models, provider, options) is not None
        )


def _open_all(
    models: Sequence[Path | bytes],
    provider: Provider,
    options: onnxruntime.SessionOptions,
    device: DeviceOptions = _NO_PREFERENCE,
    profiles: Sequence[ShapeProfile] | None = None,
) -> list[onnxruntime.InferenceSession] | None:
    """Open every model on `provider`, or return None where another would be used."""
    if provider is not Provider.CPU:
        # TensorRT has no such option: NVIDIA's libraries read this variable when they load.
        os.environ.setdefault("NVIDIA_TF32_OVERRIDE", "0")
        _preload_nvidia_wheels()
    given: Sequence[ShapeProfile | None] = profiles or [None] * len(models)
    sessions = []
    for model, profile in zip(models, given, strict=True):
        session = None
        for shapes in _profiles_to_try(provider, profile):
            chain = [
                (RUNTIME_NAMES[p], options_of(p, device, model, shapes))
                for p in _PREFERENCE[provider]
            ]
            try:
                session = onnxruntime.InferenceSession(
                    model, options, providers=chain, enable_fallback=0
                )
            except _LOADING_FAILURES as error:
                if provider is Provider.CPU:
                    raise  # no provider is left: the model itself is at fault
                _log.debug("%s: %s", provider, error)
            else:
                break
        if session is None or active_provider(session) != RUNTIME_NAMES[provider]:
            return None
        sessions.append(session)
    return sessions


def _profiles_to_try(
    provider: Provider, profile: ShapeProfile | None
) -> tuple[ShapeProfile | None, ...]:
    """List what to compile for, best first.

    Where TensorRT takes only parts of a graph, it needs a profile of each part's inputs, whose
    names are unknown before; it then compiles for the shapes that occur while warming up.
    """
    return (profile, None) if provider is Provider.TENSORRT and profile is not None else (profile,)


def options_of(
    provider: Provider,
    device: DeviceOptions = _NO_PREFERENCE,
    model: Path | bytes = b"",
    profile: ShapeProfile | None = None,
) -> dict[str, str]:
    """Return the options that `provider` is opened with.

    Args:
        provider: One that can be active; `auto` cannot.
        device: How the accelerator is used.
        model: The graph.
        profile: Shapes of its input.
    """
    match provider:
        case Provider.CUDA:
            return cuda_options(device)
        case Provider.TENSORRT:
            return tensorrt_options(device, model, profile)
        case Provider.OPENVINO:
            return dict(OPENVINO_OPTIONS)
        case _:
            return {}


def reported_options(
    session: onnxruntime.InferenceSession,
    device: DeviceOptions,
    model: Path | bytes,
    profile: ShapeProfile,
) -> dict[str, str]:
    """Return the options that a session was opened with, as ONNX Runtime reports them; no paths."""
    active = active_provider(session)
    provider = next(key for key, name in RUNTIME_NAMES.items() if name == active)
    reported = session.get_provider_options().get(active, {})
    requested = options_of(provider, device, model, profile)
    return {
        name: str(reported.get(name, value))
        for name, value in requested.items()
        if not name.endswith("_path")
    }


_LOADING_FAILURES = (
    RuntimeError,
    ValueError,
    runtime_state.EPFail,
    runtime_state.Fail,
    runtime_state.NotImplemented,
    runtime_state.RuntimeException,
)


@contextlib.contextmanager
def _silent_runtime() -> Iterator[None]:
    """Silence ONNX Runtime's default logger, which session options do not reach."""
    onnxruntime.set_default_logger_severity(4)
    try:
        yield
    finally:
        onnxruntime.set_default_logger_severity(2)


def _preload_nvidia_wheels() -> None:
    """Load CUDA and cuDNN from NVIDIA's wheels where they are installed; they are on no path."""
    if importlib.util.find_spec("nvidia") is None or not hasattr(onnxruntime, "preload_dlls"):
        return
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):  # it prints what it did not find
        onnxruntime.preload_dlls()
    if printed.getvalue():
        _log.debug("preloading NVIDIA libraries: %s", printed.getvalue().strip())
