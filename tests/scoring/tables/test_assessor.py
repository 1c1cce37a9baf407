"""Tables of students give what the same students give one by one, in every format."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from records.errors import TableError
from records.load import load_cohort
from records.tables.codecs.base import without_misfits
from records.tables.formats import WRITABLE, TableFormat, open_writer, read_batches
from scoring.assessment.assessor import Assessment, Assessor
from scoring.bundle.reader import read_bundle
from scoring.runtime.scorer import Scorer
from scoring.steps import finish
from scoring.students.intake import Intake, StudentBatch
from scoring.students.writing import students_of
from scoring.tables.assessor import TableAssessor, Wanted
from tests.scoring.arrow_tables import as_table

ALL = Wanted()
BAD = {"id": "bad", "periods": [{"period": 1, "quiz": 130.0}, {"period": 1}]}


@pytest.fixture(scope="module")
def tables(bundle_dir: Path) -> TableAssessor:
    """With tiers so low that a hardly trained network reaches them all."""
    bundle = read_bundle(bundle_dir)
    low = [tier.model_copy(update={"from_": tier.from_ / 10}) for tier in bundle.policy.tiers]
    policy = bundle.policy.model_copy(update={"tiers": tuple(low)})
    return TableAssessor(Assessor(Scorer(bundle, provider="cpu", threads=1), policy))


@pytest.fixture(scope="module")
def students() -> list[dict[str, Any]]:
    """Thirty students, the eleventh of them with faults."""
    drawn = students_of(load_cohort("simulated", students=30, seed=11).at(5))
    return [*drawn[:10], BAD, *drawn[10:]]


def written(table: pa.Table, kind: TableFormat) -> bytes:
    """The table as a sender would write it."""
    sink = io.BytesIO()
    if kind is TableFormat.ARROW:
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table, max_chunksize=7)
    else:
        pa_csv.write_csv(table, sink)
    return sink.getvalue()


def answer(
    tables: TableAssessor, body: bytes, kind: TableFormat, wanted: Wanted = ALL, size: int = 8
) -> list[pa.RecordBatch]:
    intake = tables.intake
    batches = without_misfits(read_batches(io.BytesIO(body), kind, intake.select))
    first, found = 0, []
    for part in tables.slices(batches, size):
        one = tables.assess(part, first, wanted)
        first += one.assessed + one.refused
        found.append(one.batch)
    return found


def expected(tables: TableAssessor, students: Sequence[Any], wanted: Wanted) -> list[Any]:
    """The rows that a table of assessments should hold, from the assessments themselves."""
    admission = Intake(tables.intake.contract).read(students)
    said = tables.assessor.assess(
        admission.values,
        admission.lengths,
        recommendations=wanted.recommendations,
        forecast=wanted.forecast,
    )
    rows = {row: as_row(one) for row, one in zip(admission.rows.tolist(), said, strict=True)}
    return [
        {
            "id": student["id"],
            "row": row,
            **rows.get(row, dict.fromkeys(NUMBERS) | NOTHING | {"status": "refused"}),
            "errors": [
                {"field": fault.field, "code": fault.code, "message": fault.message}
                for fault in admission.faults
                if fault.row == row
            ],
        }
        for row, student in enumerate(students)
    ]


NUMBERS = (
    *("period", "risk", "tier", "since", "forecast_score", "low_score", "high_score"),
    *("observed_periods", "observed_share", "reference"),
)
NOTHING: dict[str, list[Any]] = {"trajectory": [], "outliers": [], "recommendations": []}


def as_row(said: Assessment) -> dict[str, Any]:
    points = {point.period: point.risk for point in said.trajectory}
    periods = range(1, said.period + 1) if said.status == "assessed" else ()
    return {
        "status": said.status,
        "period": said.period,
        "risk": said.risk,
        "tier": said.tier,
        "since": said.since,
        "forecast_score": said.forecast[0].value if said.forecast else None,
        "low_score": said.forecast[0].low if said.forecast else None,
        "high_score": said.forecast[0].high if said.forecast else None,
        "trajectory": [points.get(period) for period in periods],
        "observed_periods": said.observed.periods,
        "observed_share": said.observed.share,
        "reference": said.reference,
        "outliers": [{"period": one.period, "feature": one.feature} for one in said.outliers],
        "recommendations": [
            {
                "rule": one.rule,
                "measured": one.evidence.measured,
                "level": None,
                "expected": one.evidence.expected,
                "standard_deviations": one.evidence.standard_deviations,
                "first_period": one.evidence.first_period,
                "last_period": one.evidence.last_period,
            }
            for one in said.recommendations
        ],
    }


def rows_of(batches: Sequence[pa.RecordBatch]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pa.Table.from_batches(batches).to_pylist()
    return found


@pytest.mark.parametrize("kind", [TableFormat.ARROW, TableFormat.CSV])
@pytest.mark.parametrize("wanted", [ALL, Wanted(recommendations=False, forecast=False)])
def test_every_format_gives_the_assessments_of_the_same_students(
    tables: TableAssessor, students: list[dict[str, Any]], kind: TableFormat, wanted: Wanted
) -> None:
    table = as_table(tables.intake.contract, students)
    found = rows_of(answer(tables, written(table, kind), kind, wanted))

    wished = expected(tables, students, wanted)
    assert found[10]["status"] == "refused"
    assert len(found[10]["errors"]) == 2
    assert any(row["recommendations"] for row in wished) == wanted.recommendations
    # Executions with other rows differ in the last bits.
    for name, near in (("risk", 1e-5), ("forecast_score", 1e-3), ("trajectory", 1e-5)):
        numbers, others = (
            np.array([number_of(row.pop(name)) for row in rows], np.float64)
            for rows in (found, wished)
        )
        np.testing.assert_allclose(numbers, others, atol=near)
    assert found == wished


def number_of(cell: Any) -> list[Any]:
    """A cell's numbers, as many for every row."""
    return ([*cell, *[None] * 8] if isinstance(cell, list) else [cell] * 8)[:8]


def test_what_is_written_can_be_read_again_in_every_format(
    tables: TableAssessor, students: list[dict[str, Any]]
) -> None:
    body = written(as_table(tables.intake.contract, students), TableFormat.ARROW)
    batches = answer(tables, body, TableFormat.ARROW)
    bytes_of = {}
    for kind in WRITABLE:
        writer = open_writer(kind, tables.answers.schema)
        bytes_of[kind] = b"".join([*map(writer.write, batches), writer.finish()])
    rows = rows_of(batches)

    assert pa.ipc.open_stream(bytes_of[TableFormat.ARROW]).read_all().to_pylist() == rows
    assert pq.read_table(io.BytesIO(bytes_of[TableFormat.PARQUET])).to_pylist() == rows
    lines = bytes_of[TableFormat.JSON_LINES].splitlines()
    assert [msgspec.json.decode(line) for line in lines] == rows
    cells = list(csv.DictReader(io.StringIO(bytes_of[TableFormat.CSV].decode())))
    assert [row["id"] for row in cells] == [row["id"] for row in rows]
    assert [json.loads(row["errors"] or "[]") for row in cells] == [row["errors"] for row in rows]
    assert [row["risk"] for row in cells] == [
        "" if row["risk"] is None else repr(row["risk"]) for row in rows
    ]


@pytest.mark.parametrize("kind", [TableFormat.ARROW, TableFormat.CSV])
def test_bytes_that_are_no_table_are_refused_without_quoting_them(
    tables: TableAssessor, kind: TableFormat
) -> None:
    for body in (b"", b"secret\xff\x00,", b"ARROW1\x00\x00" + b"\x01" * 64):
        with pytest.raises(TableError) as caught:
            answer(tables, body, kind)
        assert "secret" not in str(caught.value)


def test_a_ragged_line_is_named(tables: TableAssessor) -> None:
    with pytest.raises(TableError, match="row 3: has 1 cells where the header has 3"):
        answer(tables, b"id,period,quiz\na,1,2\nb\n", TableFormat.CSV)


def test_a_damaged_stream_is_refused(tables: TableAssessor, students: list[dict[str, Any]]) -> None:
    body = written(as_table(tables.intake.contract, students), TableFormat.ARROW)
    with pytest.raises(TableError, match="damaged"):
        answer(tables, body[: len(body) // 2], TableFormat.ARROW)


def test_a_batch_that_would_fill_the_memory_is_refused(tables: TableAssessor) -> None:
    many = 600_000
    table = pa.table({"id": pa.array(["a" * 32] * many), "period": pa.array([1] * many)})
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    with pytest.raises(TableError, match="write batches of at most"):
        answer(tables, sink.getvalue(), TableFormat.ARROW)


def test_steps_of_executions_give_what_one_call_gives(tables: TableAssessor) -> None:
    cohort = load_cohort("simulated", students=700, seed=5)
    lengths = np.random.default_rng(5).integers(0, 9, len(cohort.values)).astype(np.int32)
    cohorts = [
        StudentBatch(np.arange(end - start), ["s"] * (end - start), values, some, [])
        for start, end in ((0, 100), (100, 100), (100, 700))
        for values, some in [(cohort.values[start:end], lengths[start:end])]
    ]

    said = finish(tables.tabulate(cohorts, ALL))

    assert said is not None
    assert sum(said.executions) == np.count_nonzero(lengths)
    whole = tables.assessor.scorer.score(cohort.values, lengths)
    expected = tables.assessor.tabulate(cohort.values, lengths, whole)
    np.testing.assert_allclose(said.table.trajectory, expected.trajectory, atol=2e-6)
    np.testing.assert_allclose(said.table.forecast, expected.forecast, atol=2e-3)


def test_rows_of_a_table_are_what_is_said_of_these_students(tables: TableAssessor) -> None:
    cohort = load_cohort("simulated", students=60, seed=6)
    cohort.values[::7, 3, :] = 1e6  # outliers
    said = finish(
        tables.tabulate(
            [StudentBatch(np.arange(60), ["s"] * 60, cohort.values, cohort.lengths, [])], ALL
        )
    )
    assert said is not None
    assert len(said.table.advice)
    assert len(said.table.outliers.row)
    for start, end in ((0, 60), (0, 7), (7, 7), (7, 45), (45, 60)):
        one = said.table.part(start, end)
        alone = tables.assessor.tabulate(
            cohort.values[start:end],
            cohort.lengths[start:end],
            tables.assessor.scorer.score(cohort.values[start:end], cohort.lengths[start:end]),
        )
        for field in fields(alone):
            here, there = getattr(one, field.name), getattr(alone, field.name)
            if is_dataclass(there):
                for column in fields(there):
                    np.testing.assert_allclose(
                        getattr(here, column.name), getattr(there, column.name), atol=2e-3
                    )
            elif there is not None:
                np.testing.assert_allclose(here, there, atol=2e-3)
