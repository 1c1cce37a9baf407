"""Which process has the model: each web worker its own, or one that all of them feed.

On a CPU each worker's own session is fastest: nothing is sent anywhere. On a GPU several workers
would each hold a context and the weights, and their small batches would wait for each other.
"""

import os
import shutil
import stat
import tempfile
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from records.errors import BellwetherError
from scoring.bundle.reader import Bundle
from scoring.remote.client import SharedScorer
from scoring.remote.server import Life, ModelOptions
from scoring.runtime.providers import RUNTIME_NAMES, Provider, thread_count
from scoring.runtime.scorer import AnyScorer, Scorer

if TYPE_CHECKING:
    from service.settings import Settings

_SHARED_BY_ALL = "shared"
_ON_A_GPU = tuple(RUNTIME_NAMES[one] for one in (Provider.CUDA, Provider.TENSORRT))


class ModelProcess(StrEnum):
    """Where the model is."""

    AUTO = "auto"
    OWN = "own"
    SHARED = "shared"


class MeetingFolderError(BellwetherError):
    """The folder where workers and model process meet belongs to somebody else."""


def decide(asked: ModelProcess, workers: int, active: str) -> ModelProcess:
    """Resolve `auto`.

    Args:
        asked: What the operator wants.
        workers: Processes that answer requests.
        active: Execution provider that answers, as ONNX Runtime names it.
    """
    if asked is not ModelProcess.AUTO:
        return asked
    return ModelProcess.SHARED if workers > 1 and active in _ON_A_GPU else ModelProcess.OWN


def announce(settings: "Settings", active: str) -> None:
    """Tell the workers, before they start, what `auto` means; called where they are started.

    Args:
        settings: Of the service.
        active: Execution provider that answers, as ONNX Runtime names it.
    """
    folder = meeting_folder(os.getpid())
    # What stands there is of a process before that had the same number.
    shutil.rmtree(folder, ignore_errors=True)
    if decide(settings.model_process, settings.workers, active) is ModelProcess.SHARED:
        prepared(folder).joinpath(_SHARED_BY_ALL).touch()


def load_scorer(bundle: Bundle, settings: "Settings") -> tuple[AnyScorer, int]:
    """Load a bundle, or reach the process that has it; warm in any case.

    Returns:
        The scorer, and the intra-op threads of the process that has the model.

    Raises:
        ProviderError: Strict, and the provider that was asked for cannot answer.
        ModelProcessError: The model process could not be started.
        MeetingFolderError: Its folder belongs to somebody else.
    """
    parent = os.getppid()  # whoever started the workers started all of them
    folder = meeting_folder(parent)
    asked = settings.model_process
    announced = asked is ModelProcess.AUTO and (folder / _SHARED_BY_ALL).exists()
    shared = announced or asked is ModelProcess.SHARED
    threads = settings.threads or thread_count(1 if shared else settings.workers)
    options = ModelOptions(
        bundle=str(bundle.path),
        provider=settings.provider,
        strict=settings.strict,
        threads=threads,
        precision=settings.precision,
        device=settings.device_options,
    )
    if shared:
        return SharedScorer(prepared(folder), options, Life(owner=parent)), threads
    return options.load(bundle), threads


def process_of(scorer: AnyScorer) -> Literal["own", "shared"]:
    """Say which process has the model."""
    return "own" if isinstance(scorer, Scorer) else "shared"


def meeting_folder(supervisor: int) -> Path:
    """Return where the workers of one supervisor and their model process meet.

    Args:
        supervisor: Process id of what started the workers.
    """
    return Path(tempfile.gettempdir()) / f"bellwether-{os.getuid()}-{supervisor}"


def prepared(folder: Path) -> Path:
    """Make the folder, where nobody but this user may enter.

    Raises:
        MeetingFolderError: It is there and somebody else's, or open to others.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if found.st_uid != os.getuid() or not stat.S_ISDIR(found.st_mode) or found.st_mode & 0o077:
        raise MeetingFolderError(
            f"{folder} is not a folder of this user alone. Remove it, or set TMPDIR to a folder "
            "that others cannot write."
        )
    return folder
