"""Score a file of any size on all cores: slices in, one part each, put together at the end.

table -> slices of whole students -> worker processes -> parts on disk -> one output file

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
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from batch.worker import SCALES, load, packed, score_part, write_whole
from records.errors import CohortError, TableError
from records.learnt.relative import Moments, RelativeLayout
from records.learnt.relative_reference import RelativeReference, moments_reference
from records.learnt.scales import ScaleCounts
from records.progress import Progress
from records.tables.codecs.base import TableWriter, without_misfits
from records.tables.codecs.comma_separated import CsvWriter, harmless
from records.tables.formats import TableFormat, open_table, open_writer
from records.tables.options import PLAIN, ReadOptions
from records.tables.rejects import holds
from records.tables.slices import StudentRows, whole_students
from scoring.bundle.reader import Bundle, read_bundle
from scoring.runtime.providers import thread_count
from scoring.students.relatives import learn_batch
from scoring.tables.answers import REFUSED
from scoring.tables.assessor import Wanted
from scoring.tables.intake import TableIntake

# Half a second of work for a core: what an interruption loses, and what a worker has in memory.
PART_STUDENTS = 4096
_REJECTED = ("row", "id", "field", "code", "message")
_JOB, _LOCK = "job.json", "lock"


@dataclass(frozen=True, slots=True)
class ScoreJob:
    """What is to be scored, by what, and where to.

    Attributes:
        table: The file to read, in a format of `records.tables.formats`.
        bundle: Folder of the bundle.
        out: The file to write; replaced if it exists.
        kind: Format to write.
        wanted: Parts of the assessments.
        reference: What relative features that the table lacks are compared with: the bundle's
            cohort where None, the table's own where 'batch'.
        workers: Processes; None for one a core.
        part: Students in a part.
        options: How the text of the table is to be understood.
        exact_ids: Whether ids that a spreadsheet would run as a formula stay as they are in CSV;
            they otherwise get an apostrophe in front.
    """

    table: Path
    bundle: Path
    out: Path
    kind: TableFormat
    wanted: Wanted = field(default_factory=Wanted)
    reference: RelativeReference | Literal["batch"] | None = None
    workers: int | None = None
    part: int = PART_STUDENTS
    options: ReadOptions = PLAIN
    exact_ids: bool = False

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
    """The result of a job.

    Attributes:
        students: Students of the table.
        refused: Students with faults.
        statuses: Students by status.
        tiers: Students by tier; every tier of the policy is a key.
        parts: Number of parts.
        resumed: Parts of an earlier run.
        seconds: Wall-clock time of this run.
        warnings: Columns whose values lie outside nearly everything that training saw.
    """

    students: int
    refused: int
    statuses: dict[str, int]
    tiers: dict[str, int]
    parts: int
    resumed: int
    seconds: float
    warnings: tuple[str, ...] = ()


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
    _check_own(job)
    with _alone(job, _same(job, bundle)):
        resumed = len(_done(job))
        try:
            parts = _score_parts(job, bundle, progress)
        except (TableError, CohortError):
            shutil.rmtree(job.folder)  # once the table is mended, its parts are others
            raise
        totals = _put_together(job, parts, progress)
        shutil.rmtree(job.folder)
    return Summary(
        students=totals.students,
        refused=totals.statuses[REFUSED],
        statuses=dict(totals.statuses),
        tiers={tier.name: totals.tiers[tier.name] for tier in bundle.policy.tiers},
        parts=parts,
        resumed=resumed,
        seconds=perf_counter() - started,
        warnings=tuple(ScaleCounts(totals.scales).unusual(bundle.contract)),
    )


def _check_own(job: ScoreJob) -> None:
    """Refuse to write over anything that is not the output of a job.

    Raises:
        CohortError: The table itself, or files of somebody else, are in the way.
    """
    table = job.table.resolve()
    if table in (job.out.resolve(), job.rejects.resolve()):
        raise CohortError(
            f"{job.table} would be written over by {job.out.name} or {job.rejects.name}; name "
            "another file to write to."
        )
    if job.rejects.exists() and not (job.rejects.is_file() and holds(job.rejects, _REJECTED)):
        raise CohortError(
            f"{job.rejects} holds something else than rejected students; move it, or name another "
            "file to write to."
        )
    if job.folder.is_symlink() or (job.folder.exists() and not job.folder.is_dir()):
        raise CohortError(f"{job.folder} is no folder of parts; move it.")
    if job.folder.is_dir():
        names = {file.name for file in job.folder.iterdir()}
        if not names <= {_LOCK, "whole", "rejects"} and _JOB not in names:
            raise CohortError(
                f"{job.folder} holds something else than parts of a job; move it, or name another "
                "file to write to."
            )


@contextmanager
def _alone(job: ScoreJob, same: dict[str, object]) -> Iterator[None]:
    """Lock out other runs; delete the parts of a different job."""
    job.folder.mkdir(exist_ok=True)
    with (job.folder / _LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            message = f"Another run is writing {job.out.name}; wait for it or name another file."
            raise CohortError(message) from None
        known = job.folder / _JOB
        described = json.dumps(same)
        if not known.is_file() or known.read_text("utf-8") != described:
            for old in job.folder.iterdir():
                if old.name != _LOCK:
                    old.unlink()
            write_whole(known, described.encode())
        yield


def _same(job: ScoreJob, bundle: Bundle) -> dict[str, object]:
    """Return what must be equal for parts to be reused."""
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
        "options": asdict(job.options),
    }


def _score_parts(job: ScoreJob, bundle: Bundle, progress: Progress | None) -> int:
    """Score every part that is missing; return how many there are."""
    intake = TableIntake(bundle.contract, job.options)
    done, number = _done(job), 0
    reference = job.reference
    if reference == "batch":
        reference = _table_reference(job, intake)
    workers = job.workers or thread_count(1)
    waiting: set[Future[None]] = set()
    table = open_table(job.table, intake.select, job.options)
    slices = _slices(job, without_misfits(table.batches), intake)
    with ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=load,
        initargs=(job.bundle, job.wanted, reference, job.options),
    ) as pool:
        try:
            for number, rows in enumerate(slices, start=1):
                if number not in done:
                    first, file = (number - 1) * job.part, _part(job, number)
                    waiting.add(pool.submit(score_part, packed(rows.rows), first, file))
                if len(waiting) >= 2 * workers:
                    ready, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                    for future in ready:
                        future.result()
                if progress:
                    progress(f"Scoring {job.table.name}", table.percent(), 100)
            for future in waiting:
                future.result()
        except TableError as error:
            raise error if error.file else error.in_file(job.table.name) from None
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
    table = open_table(job.table, intake.select, job.options)
    for rows in _slices(job, without_misfits(table.batches), intake):
        students = intake.admit(rows)
        moments = moments.joined(learn_batch(layout, students.values, students.lengths))
    return moments_reference(intake.contract, moments)


@dataclass(slots=True)
class _Totals:
    """Counts over all parts; `scales` as `ScaleCounts.counts`."""

    students: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    tiers: Counter[str] = field(default_factory=Counter)
    scales: NDArray[np.int64] = field(default_factory=lambda: np.zeros((2, 1), np.int64))


def _put_together(job: ScoreJob, parts: int, progress: Progress | None) -> _Totals:
    """Write parts, in order, into the output; count students, statuses, tiers and usual values."""
    totals = _Totals()
    whole, rejects = job.folder / "whole", job.folder / "rejects"
    with whole.open("wb") as sink, rejects.open("w", encoding="utf-8", newline="") as faults:
        writer = None
        listed = csv.writer(faults, lineterminator="\n")
        listed.writerow(_REJECTED)
        for number in range(1, parts + 1):
            with pa.ipc.open_stream(_part(job, number)) as reader:
                writer = writer or _open_writer(job, reader.schema.remove_metadata())
                counts = json.loads(reader.schema.metadata[SCALES])
                totals.scales = totals.scales + np.array(counts, np.int64)
                for batch in reader:
                    sink.write(writer.write(batch.replace_schema_metadata()))
                    totals.students += batch.num_rows
                    totals.statuses.update(_counted(batch, "status"))
                    totals.tiers.update(_counted(batch, "tier"))
                    listed.writerows(_rejected(batch))
            if progress:
                progress(f"Writing {job.out.name}", number, parts)
        if writer is not None:
            sink.write(writer.finish())
        for file in (sink, faults):
            file.flush()
            os.fsync(file.fileno())
    if totals.statuses[REFUSED]:
        rejects.replace(job.rejects)
    else:
        job.rejects.unlink(missing_ok=True)
    whole.replace(job.out)
    return totals


def _open_writer(job: ScoreJob, schema: pa.Schema) -> TableWriter:
    if job.kind is TableFormat.CSV:
        return CsvWriter(schema, exact=job.exact_ids)
    return open_writer(job.kind, schema)


def _counted(batch: pa.RecordBatch, column: str) -> Counter[str]:
    counts = batch.column(column).dictionary_decode().drop_null().value_counts()
    return Counter({each["values"]: each["counts"] for each in counts.to_pylist()})


def _rejected(batch: pa.RecordBatch) -> Iterator[list[object]]:
    errors = batch.column("errors")
    if not len(errors.values):
        return
    ids, rows = batch.column("id"), batch.column("row")
    for at, faults in enumerate(errors.to_pylist()):
        for fault in faults:
            place = [rows[at].as_py(), harmless(ids[at].as_py())]
            yield [*place, fault["field"], fault["code"], fault["message"]]


def _part(job: ScoreJob, number: int) -> Path:
    return job.folder / f"{number:08}.arrow"


def _done(job: ScoreJob) -> set[int]:
    return {int(file.stem) for file in job.folder.glob("*.arrow")}
