"""Cut a stream of record batches into slices of whole students, with memory that stays bounded."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from records.arrays import Positions
from records.errors import TableError
from records.identity.ids import match_keys
from records.tables.numbers import is_text, plain_text


@dataclass(frozen=True, slots=True, eq=False)
class StudentRows:
    """Rows of whole students.

    Attributes:
        rows: One a period.
        starts: (students,) the row at which each begins, ascending from 0.
        names: (students,) their ids as sent first; None where there is none.
    """

    rows: pa.RecordBatch
    starts: Positions
    names: list[str | None]


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
        self._first: Sequence[str] | None = None
        self._runs: list[NDArray[np.int64]] = []

    def add(self, ids: Sequence[str]) -> None:
        """Remember the keys of ids; an empty one, which is refused anyway, is not remembered.

        Raises:
            TableError: One of them has been before.
        """
        if self._first is None:
            # Most tables are one batch, where a set is enough to find repetitions.
            self._first = ids
            different = set(ids)
            different.discard("")
            if len(different) < len(ids) - ids.count(""):
                raise _apart()
            return
        if not self._runs:
            self._add(_hashes(self._first))
            self._first = ()
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


def _hashes(ids: Sequence[str]) -> NDArray[np.int64]:
    """Return the hashes of ids, ascending."""
    return np.sort(np.array([hash(name) for name in ids if name], np.int64))


def _apart() -> TableError:
    message = (
        "The rows of a student lie apart: an id comes again after other students. "
        "Sort the table by `id`, then `period`."
    )
    return TableError.whole("id", "unsorted_table", message)


class _Pending:
    """Batches whose last student may continue in the next batch."""

    def __init__(self, rows_per_student: int) -> None:
        self._limit = rows_per_student
        self._last: tuple[str, str | None] | None = None  # key and name of the last student
        self._run = 0  # rows of the student that the last batch ended with
        self.batches: list[pa.RecordBatch] = []
        self._starts: list[Positions] = []
        self._names: list[str | None] = []
        self._rows = 0

    def append(self, batch: pa.RecordBatch) -> Sequence[str]:
        """Append a batch; return the keys of the students that begin in it."""
        ids = batch.column("id")
        starts, names = students_in(ids)
        keys = _keys(names)
        continued = self._last is not None and _is_same(*self._last, keys[0], names[0])
        rows = row_counts(starts, batch.num_rows)
        before = np.zeros(len(starts), np.intp)
        before[0] = self._run if continued else 0
        self._last, self._run = (keys[-1], names[-1]), int(rows[-1] + before[-1])
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
        return keys[1:] if continued else keys

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


def students_in(ids: pa.Array) -> tuple[Positions, list[str | None]]:
    """Return the rows at which another student begins, ascending from 0, and their ids.

    Ids that no reader can tell apart (`records.identity.ids`) are one student's.
    """
    if not len(ids):
        return np.empty(0, np.intp), []
    if pa.types.is_dictionary(ids.type):
        if is_text(ids.type) and not ids.dictionary.null_count:
            # Students are found without a copy of their ids' text for every row.
            starts = _starts(pc.dictionary_encode(ids.dictionary).indices.take(ids.indices))
            first = ids.take(pa.array(starts)).dictionary_decode()
            names = _texts(first.cast(pa.string()))
            return _merged(starts, names)
        ids = ids.dictionary_decode()
    if not is_text(ids.type) or pa.types.is_string_view(ids.type):
        ids = plain_text(ids)
    # One pass over the text, where comparing rows and picking names takes several.
    runs = pc.run_end_encode(ids)
    starts = np.zeros(len(runs.values), np.intp)
    starts[1:] = runs.run_ends.to_numpy()[:-1]
    return _merged(starts, _texts(runs.values))


def students_of_rows(rows: pa.RecordBatch) -> StudentRows:
    """Find the students of a batch that has all their rows."""
    return StudentRows(rows, *students_in(rows.column("id")))


def row_counts(starts: Positions, rows: int) -> Positions:
    """Return how many rows each student has.

    Args:
        starts: (students,) the row at which each begins.
        rows: Of all of them.
    """
    return np.diff(starts, append=rows)


def _merged(starts: Positions, names: list[str | None]) -> tuple[Positions, list[str | None]]:
    """Merge runs of ids that stand for the same student."""
    keys = _keys(names)
    if keys is names:
        return starts, names
    begins = [
        at
        for at, key in enumerate(keys)
        if not at or not _is_same(keys[at - 1], names[at - 1], key, names[at])
    ]
    if len(begins) == len(names):
        return starts, names
    return starts[begins], [names[at] for at in begins]


def _is_same(key: str, name: str | None, other_key: str, other_name: str | None) -> bool:
    """Tell whether two ids are one student's; ids without anything visible must be the same."""
    return key == other_key and (bool(key) or name == other_name)


def _keys(names: list[str | None]) -> Sequence[str]:
    """Return what ids are matched by; an empty text for none."""
    if None in names:
        return match_keys([name or "" for name in names])
    return match_keys(names)  # type: ignore[arg-type]


def _starts(codes: pa.Array) -> Positions:
    runs = pc.run_end_encode(codes)
    starts = np.zeros(len(runs.values), np.intp)
    starts[1:] = runs.run_ends.to_numpy()[:-1]
    return starts


def _texts(words: pa.Array) -> list[str | None]:
    """Return strings by way of NumPy, which makes no Arrow scalar for each."""
    texts: list[str | None] = words.to_numpy(zero_copy_only=False).tolist()
    return texts
