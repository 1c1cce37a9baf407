"""What answering a cohort takes, by the size and the format of its body.

The same students are half of the bytes in Arrow that they are in CSV, so what a byte takes is
measured for each format when the model is loaded, and corrected by what bodies really took.
"""

import io
import math
from collections.abc import Iterator, Mapping
from time import perf_counter
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.csv as pa_csv

from records.contract import Contract
from records.tables.formats import TableFormat
from scoring.bundle.reader import Bundle
from service.bulk.pending import BulkRequest
from service.bulk.responder import BulkResponder
from service.http.sample import sample_students

# What was measured over this many seconds of work counts for two thirds of the correction.
_MEMORY_SECONDS = 0.5
_SAMPLE_STUDENTS = 256
_REPEATS = 3
_LEAST_SECONDS = 1e-10

Key = tuple[TableFormat | None, bool, bool]


class BulkCosts:
    """Reckons what bodies take, and learns from what they took.

    Args:
        byte: Seconds a byte of a body, by format; None is columnar JSON.
        slice_seconds: What a slice takes at most.

    Attributes:
        slice_seconds: As given.
    """

    def __init__(
        self, byte: Mapping[TableFormat | None, float], slice_seconds: float = 0.0
    ) -> None:
        self._byte = byte
        self._learnt: dict[Key, float] = {}
        self.slice_seconds = slice_seconds

    def of(self, request: BulkRequest, size: int) -> float:
        """Return the seconds that a body of `size` bytes is likely to take."""
        return self._learnt.get(_key(request), self._byte[request.sent]) * size

    def learn(self, request: BulkRequest, size: int, seconds: float) -> None:
        """Correct the costs by what a body of `size` bytes took, in seconds of work."""
        key = _key(request)
        known = self._learnt.get(key, self._byte[request.sent])
        share = 1.0 - math.exp(-seconds / _MEMORY_SECONDS)
        self._learnt[key] = known + share * (seconds / max(size, 1) - known)


def measure_bulk_costs(responder: BulkResponder, bundle: Bundle) -> BulkCosts:
    """Measure what cohorts take on this machine, in a fraction of a second."""
    students = sample_students(bundle.contract, bundle.reference, _SAMPLE_STUDENTS)
    byte: dict[TableFormat | None, float] = {}
    longest = 0.0
    for kind, body in sample_bodies(bundle.contract, students):
        request = BulkRequest(kind, kind, whole=True)
        taken = []
        for _ in range(_REPEATS):
            started = perf_counter()
            for _piece in responder.answer(pa.BufferReader(body), request):
                pass
            taken.append(perf_counter() - started)
        byte[kind] = max(min(taken) / len(body), _LEAST_SECONDS)
        longest = max(longest, min(taken))
    return BulkCosts(byte, longest)


def sample_bodies(
    contract: Contract, students: list[dict[str, Any]]
) -> Iterator[tuple[TableFormat | None, bytes]]:
    """Write students as the body of a request in every format."""
    rows = [{"id": one["id"], **period} for one in students for period in one["periods"]]
    cells = {
        name: [row.get(name) for row in rows] for name in ("id", "period", *contract.feature_names)
    }
    table = pa.table(cells)
    columns = {
        "id": [one["id"] for one in students],
        "lengths": [len(one["periods"]) for one in students],
        "period": cells["period"],
        "features": {name: cells[name] for name in contract.feature_names},
    }
    yield None, msgspec.json.encode(columns)
    with io.BytesIO() as sink:
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        yield TableFormat.ARROW, sink.getvalue()
    with io.BytesIO() as sink:
        pa_csv.write_csv(table, sink)
        yield TableFormat.CSV, sink.getvalue()


def _key(request: BulkRequest) -> Key:
    return request.sent, request.wanted.recommendations, request.wanted.forecast
