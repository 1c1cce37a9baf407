"""Keep out of a worker what it never uses."""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

import pyarrow as pa


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
