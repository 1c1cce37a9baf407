"""However many students of a cohort are refused, others never wait for many of them at once."""

import json
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pytest

from records.errors import Fault
from records.tables.formats import TableFormat
from scoring.steps import STEP_STUDENTS
from scoring.students import columns, intake
from scoring.students.faults import explain
from service.bulk import responder as bulk
from service.bulk.pending import BulkRequest
from service.responder import Responder
from tests.service.bulk_responders import bulk_of

STUDENTS = 2000


def in_columns(name: str) -> bytes:
    whole = {"id": [name] * STUDENTS, "lengths": [1] * STUDENTS, "features": {}}
    return json.dumps(whole | {"period": [99] * STUDENTS}).encode()


@pytest.mark.parametrize(
    ("kind", "body"),
    [(None, in_columns("a")), (None, in_columns(""))],
    ids=["columns", "columns read tolerantly"],
)
def test_a_step_explains_few_students(
    responder: Responder,
    monkeypatch: pytest.MonkeyPatch,
    kind: TableFormat | None,
    body: bytes,
) -> None:
    explained = 0

    def counted(*args: Any, **more: Any) -> list[Fault]:
        nonlocal explained
        explained += 1
        return explain(*args, **more)

    monkeypatch.setattr(columns, "explain", counted)
    monkeypatch.setattr(intake, "explain", counted)
    monkeypatch.setattr(bulk, "TURN_SECONDS", 0.0)  # one step after the other
    chunks = bulk_of(responder).chunks(pa.BufferReader(body), BulkRequest(kind, None, whole=True))
    steps = [0, *(explained for _ in chunks)]

    assert explained == STUDENTS
    assert max(b - a for a, b in pairwise(steps)) <= STEP_STUDENTS
