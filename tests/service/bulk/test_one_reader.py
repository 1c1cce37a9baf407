"""One reader: `check`, `train`, `score` and bulk scoring agree on every way to write a table."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from batch.local import ScoreJob, _slices
from records.cohort import Cohort
from records.contract import load_contract
from records.errors import BellwetherError, TableError
from records.load import load_cohort
from records.tables.codecs.base import without_misfits
from records.tables.formats import TableFormat, open_table
from records.tables.options import PLAIN, ReadOptions
from records.tables.read_write import read_table
from scoring.students.intake import StudentBatch
from scoring.tables.intake import TableIntake
from service.bulk.pending import BulkRequest
from service.http.problems import RequestError
from service.responder import Responder
from tests.service.bulk.ways_to_write import CSV, TYPES, Way, typed
from tests.service.bulk_responders import bulk_of

CONTRACT = load_contract("simulated")
Reasons = set[tuple[str, str]]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    path = tmp_path_factory.mktemp("plain") / "table.csv"
    path.write_bytes(CSV["plain"].body)
    return read_table(path, CONTRACT)


def by_check(path: Path, options: ReadOptions) -> Cohort | Reasons:
    try:
        return read_table(path, CONTRACT, options=options)
    except BellwetherError as error:
        return reasons(error)


def by_train(path: Path, options: ReadOptions) -> Cohort | Reasons:
    try:
        return load_cohort(str(path), contract="simulated", options=options)
    except BellwetherError as error:
        return reasons(error)


def by_score(path: Path, options: ReadOptions) -> list[StudentBatch] | Reasons:
    """Read as `batch.local.score_file` does."""
    intake = TableIntake(CONTRACT, options)
    job = ScoreJob(path, path, path, TableFormat.CSV, options=options)
    try:
        batches = without_misfits(open_table(path, intake.select, options).batches)
        found = [intake.admit(rows) for rows in _slices(job, batches, intake)]
    except TableError as error:
        return reasons(error)
    refused = {(it.code, it.message) for batch in found for it in batch.faults}
    return refused or found


def by_bulk(responder: Responder, body: bytes, kind: TableFormat) -> list[str] | Reasons:
    request = BulkRequest(kind, TableFormat.ARROW, whole=True)
    try:
        answer = b"".join(bulk_of(responder).answer(pa.BufferReader(body), request))
    except RequestError as error:
        return {(it.code, it.message) for it in error.details.errors}
    rows: list[dict[str, Any]] = pa.ipc.open_stream(answer).read_all().to_pylist()
    refused = {(it["code"], it["message"]) for row in rows for it in row["errors"]}
    return refused or [row["id"] for row in rows]


def reasons(error: BellwetherError) -> Reasons:
    """Codes and messages, without the number of cells that `check` counts markers by."""
    if not isinstance(error, TableError):
        return {("cohort", str(error))}
    return {(it.code, it.message.replace(" 1 cell(s) of", "")) for it in error.faults}


def agree(path: Path, options: ReadOptions, same: bool | None, plain: Cohort) -> Cohort | Reasons:
    """Assert that the three readers of files agree; return what they read."""
    checked, trained, scored = (read(path, options) for read in (by_check, by_train, by_score))
    if same is False:
        assert isinstance(checked, set)
        assert trained == checked
        # A table of no rows is refused by other words, and JSON knows no whole row.
        assert isinstance(scored, set) or not scored or checked <= {("cohort", "")}
        if isinstance(scored, set):
            # Scoring takes tables without some of the features.
            assert scored == {it for it in checked if "cells may be empty" not in it[1]}
            return scored
        return checked
    assert isinstance(checked, Cohort), checked
    assert isinstance(trained, Cohort)
    assert isinstance(scored, list), scored
    assert trained.fingerprint() == checked.fingerprint()
    np.testing.assert_array_equal(np.concatenate([it.values for it in scored]), checked.values)
    np.testing.assert_array_equal(np.concatenate([it.lengths for it in scored]), checked.lengths)
    assert [name for it in scored for name in it.ids] == checked.ids.tolist()
    np.testing.assert_array_equal(checked.values, plain.values)
    assert same is None or checked.fingerprint() == plain.fingerprint()
    return checked


@pytest.mark.parametrize("name", CSV)
def test_every_way_to_write_a_csv_file_is_read_alike(
    responder: Responder, tmp_path: Path, plain: Cohort, name: str
) -> None:
    way: Way = CSV[name]
    path = tmp_path / way.name
    path.write_bytes(way.body)
    found = agree(path, way.options, way.same, plain)
    if way.options == PLAIN and not way.body.startswith(b"PK"):
        answered = by_bulk(responder, way.body, TableFormat.CSV)
        if isinstance(found, Cohort):
            assert answered == found.ids.tolist()
        elif found and next(iter(found))[0] != "cohort":
            assert answered == found


@pytest.mark.parametrize("name", TYPES)
def test_every_type_of_column_is_read_alike(
    responder: Responder, tmp_path: Path, plain: Cohort, name: str
) -> None:
    column, values, same = TYPES[name]
    table = typed(column, values)
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    arrow, parquet = tmp_path / "table.arrow", tmp_path / "table.parquet"
    arrow.write_bytes(sink.getvalue())
    found = agree(arrow, PLAIN, same, plain)
    answered = by_bulk(responder, sink.getvalue(), TableFormat.ARROW)
    assert answered == (found.ids.tolist() if isinstance(found, Cohort) else found)
    pq.write_table(table, parquet)
    checked = by_check(parquet, PLAIN)
    if isinstance(found, Cohort):
        assert isinstance(checked, Cohort)
        assert checked.fingerprint() == found.fingerprint()
    else:
        assert isinstance(checked, set)
        assert {code for code, _ in checked} == {code for code, _ in found}
