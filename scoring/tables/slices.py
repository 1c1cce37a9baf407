"""Cut a stream of record batches into slices of whole students, with memory that stays bounded."""

from collections.abc import Iterable, Iterator
from itertools import pairwise

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from records.arrays import Positions
from scoring.tables.intake import (
    StudentRows,
    TableError,
    row_counts,
    students_in,
)


def whole_students(
    batches: Iterable[pa.RecordBatch], *, students: int, rows_per_student: int
) -> Iterator[StudentRows]:
    """Yield slices of `students` whole students; the last one may hold fewer.

    Where batches begin and end changes nothing: the same rows always give the same slices.

    Args:
        batches: Rows with `id`, each student's together.
        students: Students in a slice.
        rows_per_student: Of a student with more rows, the rest is thrown away, so that no student
            can fill the memory; more than any admissible student has.

    Raises:
        TableError: The rows of one student lie apart.
    """
    pending = _Pending(rows_per_student)
    seen = SeenIds()
    for batch in batches:
        if not batch.num_rows:
            continue
        seen.add(pending.append(batch))
        yield from pending.complete(students)
    if pending.batches:
        yield from pending.rest(students)


class SeenIds:
    """Remembers ids that have been, in 8 bytes each.

    A 64-bit hash stands for an id; among ten million students, two share one with a probability
    of 3e-6. Sorted runs of falling length are merged as they grow, so adding `n` ids in all takes
    n log n time.
    """

    def __init__(self) -> None:
        self._first: list[str | None] | None = None
        self._runs: list[NDArray[np.int64]] = []

    def add(self, ids: list[str | None]) -> None:
        """Remember ids; those that are null or empty, and so refused, are not.

        Raises:
            TableError: One of them has been before.
        """
        if self._first is None:
            # Most tables are one batch, which needs no more than a look for twins.
            self._first = ids
            different = set(ids)
            different -= {None, ""}
            if len(different) < len(ids) - ids.count(None) - ids.count(""):
                raise _apart()
            return
        if not self._runs:
            self._add(_hashes(self._first))
            self._first = []
        self._add(_hashes(ids))

    def _add(self, hashes: NDArray[np.int64]) -> None:
        again = bool((hashes[1:] == hashes[:-1]).any())
        for run in self._runs:
            at = run.searchsorted(hashes)
            again = again or bool((run.take(at, mode="clip") == hashes).any())
        if again:
            raise _apart()
        while self._runs and len(self._runs[-1]) <= 2 * len(hashes):
            hashes = np.sort(np.concatenate((self._runs.pop(), hashes)), kind="stable")
        if hashes.size:
            self._runs.append(hashes)


def _hashes(ids: list[str | None]) -> NDArray[np.int64]:
    """Return the hashes of ids, ascending."""
    return np.sort(np.array([hash(name) for name in ids if name], np.int64))


def _apart() -> TableError:
    message = (
        "The rows of a student lie apart: an id comes again after other students. "
        "Sort the table by `id`, then `period`."
    )
    return TableError("id", "unsorted_table", message)


class _Pending:
    """Batches of which not every student is known to be complete."""

    def __init__(self, rows_per_student: int) -> None:
        self._limit = rows_per_student
        self._last: tuple[str | None] | None = None
        self._run = 0  # rows of the student that the last batch ended with
        self.batches: list[pa.RecordBatch] = []
        self._starts: list[Positions] = []
        self._names: list[str | None] = []
        self._rows = 0

    def append(self, batch: pa.RecordBatch) -> list[str | None]:
        """Take a batch; return the ids of the students that begin in it."""
        ids = batch.column("id")
        starts, names = students_in(ids)
        continued = self._last is not None and self._last == (names[0],)
        rows = row_counts(starts, batch.num_rows)
        before = np.zeros(len(starts), np.intp)
        before[0] = self._run if continued else 0
        self._last, self._run = (names[-1],), int(rows[-1] + before[-1])
        if (rows + before).max() > self._limit:
            place = np.arange(batch.num_rows) - np.repeat(starts - before, rows)
            kept = place < self._limit
            batch = batch.filter(pa.array(kept))
            rows = np.add.reduceat(kept, starts, dtype=np.intp)
            starts = np.cumsum(rows) - rows
        begun = names[1:] if continued else names
        if batch.num_rows:
            self.batches.append(batch)
            self._starts.append((starts[1:] if continued else starts) + self._rows)
            self._names += begun
            self._rows += batch.num_rows
        return begun

    def complete(self, students: int) -> Iterator[StudentRows]:
        """Yield and forget full slices, as long as a further student has begun."""
        if len(self._names) <= students:
            return
        starts = np.concatenate(self._starts)
        rows = _joined(self.batches)
        full = (len(starts) - 1) // students
        edges = starts[: full * students + 1 : students].tolist()
        for at, (begin, end) in enumerate(pairwise(edges)):
            ours = slice(at * students, (at + 1) * students)
            yield StudentRows(
                rows.slice(begin, end - begin), starts[ours] - begin, self._names[ours]
            )
        self.batches = [rows.slice(edges[-1])]
        self._starts = [starts[full * students :] - edges[-1]]
        self._names = self._names[full * students :]
        self._rows -= edges[-1]

    def rest(self, students: int) -> Iterator[StudentRows]:
        """Yield what is left: at most `students` of them."""
        yield from self.complete(students)
        starts = self._starts[0] if len(self._starts) == 1 else np.concatenate(self._starts)
        yield StudentRows(_joined(self.batches), starts, self._names)


def _joined(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    if len(batches) == 1:
        return batches[0]
    # Dictionaries may differ from batch to batch.
    table = pa.Table.from_batches(batches).unify_dictionaries().combine_chunks()
    return table.to_batches()[0]
