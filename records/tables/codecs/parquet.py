"""Parquet: read by a child process, since damaged metadata can end the process that reads it.

The child passes an Arrow IPC stream on over a pipe, which is read within the limits of every such
stream. Its own memory is limited as well.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq

from records.tables.codecs import arrow, parquet_child
from records.tables.codecs.arrow_messages import MessageReader
from records.tables.codecs.base import Batch, Select
from records.tables.codecs.limits import MalformedError
from records.tables.codecs.streams import ArrowWriter
from records.tables.options import ReadOptions

MAGIC = b"PAR1"


def read(source: IO[bytes], select: Select, options: ReadOptions) -> Iterator[Batch]:
    """Read a Parquet file; `source` is a file on disk."""
    child = subprocess.Popen(  # noqa: S603 - our own script
        [sys.executable, "-I", "-W", "ignore", Path(parquet_child.__file__)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "ARROW_DEFAULT_MEMORY_POOL": "system", "OMP_NUM_THREADS": "1"},
        pass_fds=[source.fileno()],
    )
    with child:
        if child.stdin is None or child.stdout is None:
            raise MalformedError
        try:
            yield from _read(child.stdin, child.stdout, source.fileno(), select, options)
        finally:
            child.kill()
            with suppress(BrokenPipeError):
                child.stdin.close()


def _read(
    stdin: IO[bytes], stdout: IO[bytes], fd: int, select: Select, options: ReadOptions
) -> Iterator[Batch]:
    _send(stdin, fd)
    with pa.ipc.open_stream(pa.PythonFile(MessageReader(stdout), mode="r")) as empty:
        schema = empty.schema
        for _ in empty:
            pass
    chosen = select(schema)
    _send(stdin, chosen)
    total = max(int((schema.metadata or {}).get(parquet_child.ROWS, 0)), 1)
    for batch in arrow.read(stdout, lambda _: chosen, options):
        yield replace(batch, percent=min(99, 100 * int(batch.lines[-1]) // total))
    if stdout.read(1) != parquet_child.END:  # the child has ended early
        raise MalformedError


def _send(stdin: IO[bytes], message: object) -> None:
    try:
        stdin.write(json.dumps(message).encode() + b"\n")
        stdin.flush()
    except BrokenPipeError:
        raise MalformedError from None


def open_writer(schema: pa.Schema) -> ArrowWriter:
    """Begin a file."""
    return ArrowWriter(lambda sink: pq.ParquetWriter(sink, schema, compression="zstd"))
