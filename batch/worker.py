"""A worker process that scores parts of a file: loads the bundle once, ends with its parent."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from time import sleep

import pyarrow as pa

from records.learnt.relative_reference import RelativeReference
from records.tables.options import ReadOptions
from records.tables.slices import StudentRows, students_of_rows
from scoring.assessment.assessor import Assessor
from scoring.bundle.reader import read_bundle
from scoring.runtime.providers import Provider
from scoring.runtime.scorer import Scorer
from scoring.tables.assessor import TableAssessor, Wanted

# Key of a part's metadata: counts of values by column, for warnings about scales.
SCALES = b"bellwether.scales"
# How often a worker looks whether its parent is alive.
_WATCH_SECONDS = 0.5


def packed(rows: pa.RecordBatch) -> bytes:
    """Return a batch as an Arrow IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_batch(rows)
    packed: bytes = sink.getvalue().to_pybytes()
    return packed


def write_whole(file: Path, body: bytes) -> None:
    """Write a file completely or not at all."""
    draft = file.with_suffix(".draft")
    with draft.open("wb") as sink:
        sink.write(body)
        sink.flush()
        os.fsync(sink.fileno())
    draft.replace(file)


# In a worker process: what scores a part.
_worker: Callable[[StudentRows, int], pa.RecordBatch]


def load(
    bundle: Path, wanted: Wanted, reference: RelativeReference | None, options: ReadOptions
) -> None:
    """Load the bundle into this worker process."""
    global _worker  # noqa: PLW0603 - one bundle a process, loaded once
    _end_with_parent()
    scorer = Scorer(read_bundle(bundle), provider=Provider.CPU, threads=1)
    tables = TableAssessor(Assessor(scorer), reference, options)

    def assess(rows: StudentRows, first: int) -> pa.RecordBatch:
        done = tables.assess(rows, first, wanted)
        scales = json.dumps(done.scales.counts.tolist())
        return done.batch.replace_schema_metadata({SCALES: scales})

    _worker = assess


def _end_with_parent() -> None:
    """End this process when its parent ends in whatever way, also by SIGKILL."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            sleep(_WATCH_SECONDS)
        os._exit(1)

    Thread(target=watch, daemon=True, name="parent-watch").start()


def score_part(part: bytes, first: int, file: Path) -> None:
    """Score one part and write its answers.

    Args:
        part: Rows of whole students, from `packed`.
        first: Position of its first student.
        file: Where the answers go.
    """
    with pa.ipc.open_stream(part) as reader:
        answer = _worker(students_of_rows(reader.read_next_batch()), first)
    write_whole(file, packed(answer))
