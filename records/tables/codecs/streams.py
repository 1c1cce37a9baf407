"""Take the bytes that pyarrow's writers write as they come."""

import io
from collections.abc import Callable
from typing import Protocol

import pyarrow as pa


class _Sink(io.RawIOBase):
    """Collects what is written until it is taken."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        part = bytes(memoryview(data))  # type: ignore[arg-type]
        self._parts.append(part)
        self._size += len(part)
        return len(part)

    def tell(self) -> int:
        return self._size

    def take(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)


class _Writer(Protocol):
    def write(self, batch: pa.RecordBatch) -> None: ...

    def close(self) -> None: ...


class ArrowWriter:
    """A writer of pyarrow's.

    Args:
        begin: Opens it on a file.
    """

    def __init__(self, begin: Callable[[pa.NativeFile], _Writer]) -> None:
        self._sink = _Sink()
        self._file = pa.PythonFile(self._sink, mode="w")
        self._writer = begin(self._file)

    def write(self, batch: pa.RecordBatch) -> bytes:
        """Return the bytes that are ready once this batch is written."""
        self._writer.write(batch)
        return self._sink.take()

    def finish(self) -> bytes:
        """Return the last bytes."""
        self._writer.close()
        return self._sink.take()
