"""Keep out of a worker what it never uses, and its memory in one place."""

import ctypes
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

import pyarrow as pa

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
    work of a worker is done a step at a time, so that nobody waits for the one heap. A C library
    that is not GNU's is left as it is.
    """
    pa.set_memory_pool(pa.system_memory_pool())
    if sys.platform == "linux":
        library = ctypes.CDLL(None)
        if hasattr(library, "mallopt"):
            library.mallopt(_M_ARENA_MAX, 1)
