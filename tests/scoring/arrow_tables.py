"""Students as tables, for tests: what JSON carries, laid out as an Arrow table."""

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from records.contract import Contract, Kind


def as_table(
    contract: Contract, students: Sequence[dict[str, Any]], *, dictionary: bool = False
) -> pa.Table:
    """Lay students out, one row a period, every feature a column."""
    words = pa.dictionary(pa.int16(), pa.string()) if dictionary else pa.string()
    kinds = {
        Kind.NUMERIC: pa.float64(),
        Kind.FLAG: pa.bool_(),
        Kind.CATEGORICAL: words,
        Kind.ORDINAL: words,
    }
    rows = [(one["id"], period) for one in students for period in one["periods"]]
    columns = {
        "id": pa.array([name for name, _ in rows], words),
        "period": pa.array([period["period"] for _, period in rows], pa.int64()),
    }
    for feature in contract.features:
        cells = [period.get(feature.name) for _, period in rows]
        columns[feature.name] = pa.array(cells, kinds[feature.kind])
    return pa.table(columns)


def cut(table: pa.Table, sizes: Sequence[int]) -> Iterator[pa.RecordBatch]:
    """Cut a table into batches of these sizes, and what is left."""
    start = 0
    for size in sizes:
        yield from table.slice(start, size).to_batches()
        start += size
    yield from table.slice(start).to_batches()
