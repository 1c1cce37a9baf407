"""Write cohorts as tables, part by part: see `records.tables.read_write.write_table`."""

import gzip
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa

from records.arrays import Floats, Strings
from records.cohort import Cohort
from records.contract import Feature, Kind
from records.errors import CohortError
from records.tables.formats import CODECS, WRITABLE, TableFormat, open_writer

# Rows of one Parquet row group: what a reader holds at once.
GROUP_ROWS = 65_536


def write_chunks(chunks: Iterable[Cohort], path: Path) -> None:
    """Write the cohorts one after the other; complete under `path` or not at all."""
    write_batches((batch for table in _tables(chunks) for batch in table.to_batches()), path)


def write_batches(batches: Iterable[pa.RecordBatch], path: Path) -> None:
    """Write record batches of one schema as a table; complete under `path` or not at all.

    Args:
        batches: At least one.
        path: Its suffix names the format.

    Raises:
        CohortError: The suffix names no format, the folder is missing, or there is no batch.
    """
    kind = _format(path)
    if not path.parent.is_dir():
        raise CohortError(f"{path.parent}: no such folder; make it first.")
    partial = path.with_name(f"{path.name}.partial")
    rest = iter(batches)
    first = next(rest, None)
    if first is None:
        raise CohortError("there is nothing to write: no records were handed in.")
    try:
        is_packed = path.name.lower().endswith(".gz")
        with gzip.open(partial, "wb") if is_packed else partial.open("wb") as sink:
            writer = open_writer(kind, first.schema)
            for batch in chain([first], rest):
                sink.write(writer.write(batch))
            sink.write(writer.finish())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _format(path: Path) -> TableFormat:
    name = path.name.lower()
    for kind in WRITABLE:
        if kind is not TableFormat.JSON_LINES and name.endswith(CODECS[kind].suffixes):
            return kind
    raise CohortError(
        f"'{path.name}' is no table; its name must end with .csv, .csv.gz or .parquet."
    )


def _tables(chunks: Iterable[Cohort]) -> Iterator[pa.Table]:
    fingerprint = None
    for chunk in chunks:
        if fingerprint not in (None, chunk.contract.fingerprint):
            raise CohortError("the parts follow different contracts.")
        fingerprint = chunk.contract.fingerprint
        for piece in _pieces(chunk):
            yield _table(piece)


def _pieces(cohort: Cohort) -> Iterator[Cohort]:
    """Cut a cohort so that no piece has more rows than a row group should."""
    step = max(1, GROUP_ROWS // cohort.contract.periods.maximum)
    for start in range(0, len(cohort), step):
        yield cohort.take(np.arange(start, min(start + step, len(cohort))))


def _table(cohort: Cohort) -> pa.Table:
    """Lay a cohort out, one row per record and period that there is something to say of."""
    contract, score = cohort.contract, cohort.contract.targets.score
    told = ~np.isnan(cohort.risk) | ~np.isnan(cohort.score).all(axis=2)
    periods = np.arange(1, contract.periods.maximum + 1)
    # A record of which nothing is known yet still needs a row to stand in.
    until = np.maximum(cohort.lengths, (told * periods).max(axis=1)).clip(min=1)
    record, at = np.nonzero(periods[None, :] <= until[:, None])

    def words(texts: Strings) -> pa.Array:
        return pa.array(texts.tolist(), pa.string()).take(pa.array(record))

    columns = {
        "id": words(cohort.ids),
        "student": words(cohort.students),
        "cohort": words(cohort.cohorts),
        "period": pa.array(at + 1, pa.int16()),
        "observed": pa.array(cohort.observed[record, at]),
        "eligible": pa.array(cohort.eligible[record, at]),
    }
    for position, feature in enumerate(contract.features):
        columns[feature.name] = _feature(feature, cohort.values[record, at, position])
    columns["risk"] = _numbers(cohort.risk[record, at]).cast(pa.int8())
    for position, name in enumerate(score.columns):
        cells = cohort.score[record, at, position]
        expected = f"a number from {score.minimum:g} to {score.maximum:g}"
        _check(cells, score.minimum, score.maximum, name, expected)
        columns[name] = _numbers(cells)
    for attribute in contract.audit:
        columns[attribute.name] = words(cohort.audit[attribute.name])
    return pa.table(columns)


def _feature(feature: Feature, cells: Floats) -> pa.Array:
    _check(cells, feature.lower_bound, feature.upper_bound, feature.name, feature.expected)
    numbers = _numbers(cells)
    if feature.kind is Kind.NUMERIC:
        return numbers
    if (cells % 1 > 0).any():
        raise CohortError(f"'{feature.name}' holds a fraction where a position was expected.")
    if feature.kind is Kind.FLAG:
        return numbers.cast(pa.bool_())
    return pa.array(feature.levels, pa.string()).take(numbers.cast(pa.int32()))


def _check(cells: Floats, lower: float, upper: float, name: str, expected: str) -> None:
    """Refuse what `read_table` would refuse, in float32 as it does."""
    allowed = np.isnan(cells) | (
        np.isfinite(cells) & (cells >= np.float32(lower)) & (cells <= np.float32(upper))
    )
    if not allowed.all():
        raise CohortError(f"'{name}' holds a value that its contract forbids; {expected}.")


def _numbers(cells: Floats) -> pa.Array:
    """Arrow numbers, null where NaN."""
    return pa.array(cells, pa.float32(), mask=np.isnan(cells))
