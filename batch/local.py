"""Score a file of any size on all cores: slices in, one part each, put together at the end.

table -> slices of whole students -> worker processes -> parts on disk -> one file, all at once

Parts outlive an interruption: the same job, begun again, works only on those that are missing. The
output appears under its name when it is complete.
"""

import csv
import fcntl
import json
import multiprocessing
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Literal

import pyarrow as pa

from records.errors import CohortError
from records.progress import Progress
from records.relative import Moments, RelativeLayout
from records.relative_reference import RelativeReference, moments_reference
from scoring.assessment.assessor import Assessor
from scoring.bundle.reader import Bundle, read_bundle
from scoring.runtime.providers import Provider, thread_count
from scoring.runtime.scorer import Scorer
from scoring.students.relatives import learn_batch
from scoring.tables.answers import REFUSED
from scoring.tables.assessor import TableAssessor, Wanted
from scoring.tables.files import read_file
from scoring.tables.formats import TableFormat, open_writer
from scoring.tables.intake import StudentRows, TableError, TableIntake, students_of_rows
from scoring.tables.slices import whole_students

# Half a second of work for a core: what an interruption loses, and what a worker holds.
PART_STUDENTS = 4096
_REJECTED = ("row", "id", "field", "code", "message")
_JOB, _LOCK = "job.json", "lock"


@dataclass(frozen=True, slots=True)
class ScoreJob:
    """What is to be scored, by what, and where to.

    Attributes:
        table: The file to read: CSV, CSV with gzip, Parquet or Arrow.
        bundle: Folder of the bundle.
        out: The file to write; replaced if it exists.
        kind: Format to write.
        wanted: Parts of the assessments.
        reference: What relative features that the table lacks are compared with: the bundle's
            cohort where None, the table's own where 'batch'.
        workers: Processes; None for one a core.
        part: Students in a part.
    """

    table: Path
    bundle: Path
    out: Path
    kind: TableFormat
    wanted: Wanted = field(default_factory=Wanted)
    reference: RelativeReference | Literal["batch"] | None = None
    workers: int | None = None
    part: int = PART_STUDENTS

    @property
    def rejects(self) -> Path:
        """Where the refused students are listed with their reasons."""
        return self.out.with_name(f"{self.out.name}.rejected.csv")

    @property
    def folder(self) -> Path:
        """Where the parts lie until the job is done."""
        return self.out.with_name(f"{self.out.name}.partial")


@dataclass(frozen=True, slots=True)
class Summary:
    """What became of a job.

    Attributes:
        students: All that the table has.
        refused: Those with faults.
        statuses: Students by status.
        tiers: Students by tier; every tier of the policy is a key.
        parts: Parts there are.
        resumed: Parts that an earlier run had left.
        seconds: Wall-clock time of this run.
    """

    students: int
    refused: int
    statuses: dict[str, int]
    tiers: dict[str, int]
    parts: int
    resumed: int
    seconds: float


def score_file(job: ScoreJob, progress: Progress | None = None) -> Summary:
    """Score a table; continue where an interrupted run of the same job has stopped.

    Raises:
        CohortError: No such file or folder, or another run is writing to the same place.
        BundleError: The bundle cannot be trusted.
        TableError: The table as a whole cannot be scored; nothing is written.
    """
    started = perf_counter()
    bundle = read_bundle(job.bundle)
    if job.out.is_dir() or not job.out.resolve().parent.is_dir():
        raise CohortError(f"{job.out}: name a file, in a folder that exists, to write to.")
    if job.out.resolve() == job.table.resolve():
        raise CohortError(f"{job.out} is the table itself; name another file to write to.")
    with _alone(job, _same(job, bundle)):
        resumed = len(_done(job))
        try:
            parts = _score_parts(job, bundle, progress)
        except (TableError, CohortError):
            shutil.rmtree(job.folder)  # once the table is mended, its parts are others
            raise
        students, statuses, tiers = _put_together(job, parts, progress)
        shutil.rmtree(job.folder)
    return Summary(
        students=students,
        refused=statuses[REFUSED],
        statuses=dict(statuses),
        tiers={tier.name: tiers[tier.name] for tier in bundle.policy.tiers},
        parts=parts,
        resumed=resumed,
        seconds=perf_counter() - started,
    )


@contextmanager
def _alone(job: ScoreJob, same: dict[str, object]) -> Iterator[None]:
    """Keep other runs away; throw the parts of a different job away."""
    job.folder.mkdir(exist_ok=True)
    with (job.folder / _LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            message = f"Another run is writing {job.out.name}; wait for it or name another file."
            raise CohortError(message) from None
        known = job.folder / _JOB
        if not known.is_file() or json.loads(known.read_text("utf-8")) != same:
            for old in job.folder.iterdir():
                if old.name != _LOCK:
                    old.unlink()
            _write_whole(known, json.dumps(same).encode())
        yield


def _same(job: ScoreJob, bundle: Bundle) -> dict[str, object]:
    """Return what must be the same for parts to be of use."""
    if not job.table.is_file():
        raise CohortError(f"{job.table}: no such file.")
    state = job.table.stat()
    return {
        "table": str(job.table.resolve()),
        "bytes": state.st_size,
        "changed": state.st_mtime_ns,
        "bundle": bundle.manifest.digest,
        "wanted": asdict(job.wanted),
        "reference": job.reference.model_dump(mode="json")
        if isinstance(job.reference, RelativeReference)
        else job.reference,
        "part": job.part,
    }


def _score_parts(job: ScoreJob, bundle: Bundle, progress: Progress | None) -> int:
    """Score every part that is missing; return how many there are."""
    intake = TableIntake(bundle.contract)
    done, number = _done(job), 0
    reference = job.reference
    if reference == "batch":
        reference = _table_reference(job, intake)
    workers = job.workers or thread_count(1)
    waiting: set[Future[None]] = set()
    table = read_file(job.table, intake)
    slices = _slices(job, table.batches, intake)
    with ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_load,
        initargs=(job.bundle, job.wanted, reference),
    ) as pool:
        try:
            for number, rows in enumerate(slices, start=1):
                if number not in done:
                    first, file = (number - 1) * job.part, _part(job, number)
                    waiting.add(pool.submit(_score_part, _packed(rows.rows), first, file))
                if len(waiting) >= 2 * workers:
                    ready, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                    for one in ready:
                        one.result()
                if progress:
                    progress(f"Scoring {job.table.name}", table.percent(), 100)
            for one in waiting:
                one.result()
        except TableError as error:
            raise TableError(error.field, error.code, f"{job.table.name}: {error}") from None
        finally:
            pool.shutdown(cancel_futures=True)
    if not number:
        raise CohortError(f"{job.table.name} holds no row; nothing can be scored.")
    return number


def _slices(
    job: ScoreJob, batches: Iterable[pa.RecordBatch], intake: TableIntake
) -> Iterator[StudentRows]:
    most = 2 * intake.contract.periods.maximum + 2
    return whole_students(batches, students=job.part, rows_per_student=most)


def _table_reference(job: ScoreJob, intake: TableIntake) -> RelativeReference | None:
    """Learn from the table's own students, each counting in all periods that it has of them."""
    layout = RelativeLayout.of(intake.contract)
    if layout is None:
        return None
    moments = Moments.none(layout)
    for rows in _slices(job, read_file(job.table, intake).batches, intake):
        students = intake.admit(rows)
        moments = moments.joined(learn_batch(layout, students.values, students.lengths))
    return moments_reference(intake.contract, moments)


def _put_together(
    job: ScoreJob, parts: int, progress: Progress | None
) -> tuple[int, Counter[str], Counter[str]]:
    """Write parts, in order, into the output; count students, statuses and tiers."""
    statuses: Counter[str] = Counter()
    tiers: Counter[str] = Counter()
    whole, rejects = job.folder / "whole", job.folder / "rejects"
    students = 0
    with whole.open("wb") as sink, rejects.open("w", encoding="utf-8", newline="") as faults:
        writer = None
        listed = csv.writer(faults, lineterminator="\n")
        listed.writerow(_REJECTED)
        for number in range(1, parts + 1):
            with pa.ipc.open_stream(_part(job, number)) as reader:
                writer = writer or open_writer(job.kind, reader.schema)
                for batch in reader:
                    sink.write(writer.write(batch))
                    students += batch.num_rows
                    statuses.update(_counted(batch, "status"))
                    tiers.update(_counted(batch, "tier"))
                    listed.writerows(_rejected(batch))
            if progress:
                progress(f"Writing {job.out.name}", number, parts)
        if writer is not None:
            sink.write(writer.finish())
        for file in (sink, faults):
            file.flush()
            os.fsync(file.fileno())
    if statuses[REFUSED]:
        rejects.replace(job.rejects)
    else:
        job.rejects.unlink(missing_ok=True)
    whole.replace(job.out)
    return students, statuses, tiers


def _counted(batch: pa.RecordBatch, column: str) -> Counter[str]:
    counts = batch.column(column).dictionary_decode().drop_null().value_counts()
    return Counter({one["values"]: one["counts"] for one in counts.to_pylist()})


def _rejected(batch: pa.RecordBatch) -> Iterator[list[object]]:
    errors = batch.column("errors")
    if not len(errors.values):
        return
    ids, rows = batch.column("id"), batch.column("row")
    for at, faults in enumerate(errors.to_pylist()):
        for fault in faults:
            place = [rows[at].as_py(), ids[at].as_py()]
            yield [*place, fault["field"], fault["code"], fault["message"]]


def _part(job: ScoreJob, number: int) -> Path:
    return job.folder / f"{number:08}.arrow"


def _done(job: ScoreJob) -> set[int]:
    return {int(file.stem) for file in job.folder.glob("*.arrow")}


def _packed(rows: pa.RecordBatch) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_batch(rows)
    packed: bytes = sink.getvalue().to_pybytes()
    return packed


def _write_whole(file: Path, body: bytes) -> None:
    """Write a file that is there as a whole or not at all."""
    draft = file.with_suffix(".draft")
    with draft.open("wb") as sink:
        sink.write(body)
        sink.flush()
        os.fsync(sink.fileno())
    draft.replace(file)


# In a worker process: what scores a part.
_worker: Callable[[StudentRows, int], pa.RecordBatch]


def _load(bundle: Path, wanted: Wanted, reference: RelativeReference | None) -> None:
    global _worker  # noqa: PLW0603 - one bundle a process, loaded once
    scorer = Scorer(read_bundle(bundle), provider=Provider.CPU, threads=1)
    tables = TableAssessor(Assessor(scorer), reference)
    _worker = lambda rows, first: tables.assess(rows, first, wanted).batch  # noqa: E731


def _score_part(packed: bytes, first: int, file: Path) -> None:
    with pa.ipc.open_stream(packed) as reader:
        answer = _worker(students_of_rows(reader.read_next_batch()), first)
    _write_whole(file, _packed(answer))
