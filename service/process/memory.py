"""Keep a worker's memory small: without what it never uses, in one heap, given back after bursts."""

import asyncio
import ctypes
import gc
import sys
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import pyarrow as pa

# How often a worker looks whether it can give memory back, and beyond which growth it does.
_RELEASE_SECONDS = 1.0
_GROWTH = 1.02
_M_ARENA_MAX = -8  # malloc.h of the GNU C library


class _WithoutPandas(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Say that there is no pandas; leave other modules to the other finders."""
        del path, target
        if fullname == "pandas":
            raise ModuleNotFoundError(name=fullname)
        return None


def keep_pandas_out() -> None:
    """Let pyarrow find that there is no pandas, where it happens to be installed.

    pyarrow asks of the first list that it converts whether it is a pandas object, and of the first
    whose type it has to find whether it holds any; it imports pandas for either, and remembers
    whether it could. Nothing that serves uses pandas and the serving image
    has none; it would take a quarter of a worker's memory. It can still be imported afterwards.
    """
    finder = _WithoutPandas()
    sys.meta_path.insert(0, finder)
    try:
        pa.array([], pa.string())
        pa.array([0.0])
    finally:
        sys.meta_path.remove(finder)


def share_memory() -> None:
    """Let Arrow and all threads allocate from one heap; to be called before there are threads.

    By default Arrow keeps an allocator of its own, and the C library another heap for each thread
    that reads a cohort; each keeps what it once needed, and a worker becomes larger by the sum. The
    work of a worker is done a step at a time, so that no thread waits for the one heap. A C library
    that is not GNU's is left as it is.
    """
    pa.set_memory_pool(pa.system_memory_pool())
    if sys.platform == "linux":
        library = ctypes.CDLL(None)
        if hasattr(library, "mallopt"):
            library.mallopt(_M_ARENA_MAX, 1)


async def release_memory_when_idle(is_idle: Callable[[], bool]) -> None:
    """Give memory back to the system after a burst, until cancelled.

    The C library returns only what lies at the end of its heap. What a burst needed would otherwise stay with the
    worker, in holes below whatever was allocated last.

    Args:
        is_idle: Whether nothing waits and nothing runs, so that a pause of some milliseconds delays no request.
    """
    smallest = _resident_pages()
    while True:
        await asyncio.sleep(_RELEASE_SECONDS)
        if not is_idle() or _resident_pages() < _GROWTH * smallest:
            continue
        gc.collect()
        await asyncio.to_thread(_trim_heap)
        smallest = _resident_pages()


def _resident_pages() -> int:
    """Return how many pages of memory the process has; 0 where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_bytes().split()[1])
    except OSError:
        return 0


def _trim_heap() -> None:
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    if library is not None and hasattr(library, "malloc_trim"):
        library.malloc_trim(0)
