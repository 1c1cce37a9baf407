"""`bellwether score`: a whole file in, a whole file out, whatever happens in between."""

import csv
import gzip
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from pyarrow import feather

from records.contract import load_contract
from records.load import load_cohort
from records.tables.read_write import write_table
from scoring.assessment.assessor import Assessor
from scoring.bundle.reader import read_bundle
from scoring.runtime.scorer import Scorer
from scoring.students.writing import students_of
from tests.conftest import REPOSITORY
from tests.scoring.arrow_tables import as_table

STUDENTS = 700


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-c", "from cli.main import run; run()", "score", *map(str, arguments)]


def score(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"COLUMNS": "200", "NO_COLOR": "1"}
    return subprocess.run(
        command(*arguments),
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def table() -> pa.Table:
    """Seven hundred students with histories of all lengths; the tenth has a fault."""
    students = students_of(load_cohort("simulated", students=STUDENTS, seed=5))
    students[9]["periods"][0]["quiz"] = 130
    for at, student in enumerate(students):
        del student["periods"][1 + at % 8 :]
    return as_table(load_contract("simulated"), students)


@pytest.fixture(scope="module")
def expected(table: pa.Table, bundle_dir: Path) -> list[float]:
    """Everybody's risk, by the scorer itself; NaN for who has none."""
    assessor = Assessor(Scorer(read_bundle(bundle_dir), provider="cpu", threads=1))
    ids = table["id"].to_pylist()
    names = list(dict.fromkeys(ids))
    values = np.full((len(names), 8, 5), np.nan, np.float32)
    lengths = np.zeros(len(names), np.int32)
    for row in table.to_pylist():
        at = names.index(row["id"])
        cells = [row[name] for name in assessor.scorer.bundle.contract.feature_names]
        values[at, row["period"] - 1] = np.array(cells, np.float32)
        lengths[at] = row["period"]
    said = assessor.assess(values, lengths)
    risks = [np.nan if one.risk is None else one.risk for one in said]
    risks[9] = np.nan
    return risks


def write(table: pa.Table, path: Path) -> Path:
    if path.name.endswith(".csv"):
        pa_csv.write_csv(table, path)
    elif path.name.endswith(".csv.gz"):
        with gzip.open(path, "wb") as sink:
            pa_csv.write_csv(table, sink)
    elif path.suffix == ".parquet":
        pq.write_table(table, path, row_group_size=1000)
    elif path.suffix == ".feather":
        feather.write_feather(table, path, compression="uncompressed")
    else:
        with pa.ipc.new_stream(path, table.schema) as writer:
            writer.write_table(table, max_chunksize=333)
    return path


def read(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".parquet":
        rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
        return rows
    if path.suffix == ".arrow":
        with pa.ipc.open_stream(path) as reader:
            found: list[dict[str, Any]] = reader.read_all().to_pylist()
            return found
    with path.open(newline="") as file:
        return [
            {**row, "row": int(row["row"]), "risk": float(row["risk"]) if row["risk"] else None}
            for row in csv.DictReader(file)
        ]


def assert_complete(rows: Sequence[dict[str, Any]], expected: Sequence[float]) -> None:
    assert [row["row"] for row in rows] == list(range(len(expected)))
    assert len({row["id"] for row in rows}) == len(expected)
    risks = [np.nan if row["risk"] is None else row["risk"] for row in rows]
    np.testing.assert_allclose(risks, expected, atol=2e-6)


@pytest.mark.parametrize(
    ("source", "out"),
    [
        ("a.csv", "b.csv"),
        ("a.csv.gz", "b.parquet"),
        ("a.parquet", "b.arrow"),
        ("a.feather", "b.parquet"),
        ("a.arrow", "b.parquet"),
    ],
)
def test_every_student_is_scored_and_every_fault_listed(
    table: pa.Table,
    expected: list[float],
    bundle_dir: Path,
    tmp_path: Path,
    *,
    source: str,
    out: str,
) -> None:
    path = write(table, tmp_path / source)
    options = ("--bundle", bundle_dir, "--part", "256", "--workers", "1")
    done = score(path, "--out", tmp_path / out, *options)

    assert done.returncode == 3, done.stderr
    assert_complete(read(tmp_path / out), expected)
    with (tmp_path / f"{out}.rejected.csv").open(newline="") as file:
        (fault,) = csv.DictReader(file)
    assert (fault["row"], fault["field"]) == ("9", "periods[0].quiz")
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(
        [source, out, f"{out}.rejected.csv"]
    )


@pytest.mark.slow
def test_a_run_that_is_killed_is_continued(
    table: pa.Table, expected: list[float], bundle_dir: Path, tmp_path: Path
) -> None:
    path, out = write(table, tmp_path / "a.parquet"), tmp_path / "b.parquet"
    options = ("--out", out, "--bundle", bundle_dir, "--part", "5", "--workers", "2")
    with subprocess.Popen(
        command(path, *options), cwd=REPOSITORY, start_new_session=True, stderr=subprocess.DEVNULL
    ) as process:
        deadline = time.monotonic() + 60
        while len(list(tmp_path.glob("b.parquet.partial/*.arrow"))) < 3:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.002)
        os.killpg(process.pid, signal.SIGKILL)
    left = {
        file.name: file.stat().st_mtime_ns for file in tmp_path.glob("b.parquet.partial/*.arrow")
    }
    assert 3 <= len(left) < STUDENTS // 5
    assert not out.exists()

    done = score(path, *options)
    assert done.returncode == 3, done.stderr
    assert f"{len(left)} of {STUDENTS // 5}" in done.stdout
    assert_complete(read(out), expected)
    assert not out.with_name("b.parquet.partial").exists()


def test_parts_of_another_table_are_not_used(
    table: pa.Table, bundle_dir: Path, tmp_path: Path
) -> None:
    path, out = write(table, tmp_path / "a.parquet"), tmp_path / "b.parquet"
    folder = tmp_path / "b.parquet.partial"
    folder.mkdir()
    (folder / "job.json").write_text('{"table": "another"}')
    (folder / "00000001.arrow").write_bytes(b"of another table")
    done = score(path, "--out", out, "--bundle", bundle_dir, "--workers", "1")
    assert done.returncode == 3, done.stderr
    assert "resumed" not in done.stdout
    assert len(read(out)) == STUDENTS


def test_the_tables_that_check_reads_can_be_scored(bundle_dir: Path, tmp_path: Path) -> None:
    write_table(load_cohort("simulated", students=50, seed=2), tmp_path / "a.csv")
    done = score(
        *(tmp_path / "a.csv", "--out", tmp_path / "b.jsonl", "--bundle", bundle_dir),
        *("--no-recommendations", "--no-forecast", "--workers", "1"),
    )
    assert done.returncode == 0, done.stderr
    assert len((tmp_path / "b.jsonl").read_text().splitlines()) == 50


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "id,period\na,1\nb,1\na,2\n", "Sort the table by `id`, then `period`"),
        ("a.csv", "id,period,quizz\na,1,2\n", "did you mean `quiz`?"),
        ("a.csv", "id,period\na,1\nb\n", "a.csv:3: has 1 cells"),
        ("a.csv", "id,period\n", "holds no row"),
        ("a.parquet", "no parquet", "cannot be read as Parquet"),
        ("a.xlsx", "", "workbook cannot be read"),
        ("a.doc", "", "must end with"),
    ],
)
def test_a_table_that_cannot_be_scored_leaves_nothing_behind(
    bundle_dir: Path, tmp_path: Path, *, name: str, text: str, message: str
) -> None:
    (tmp_path / name).write_text(text)
    done = score(tmp_path / name, "--out", tmp_path / "b.csv", "--bundle", bundle_dir)
    assert done.returncode == 1
    assert message in done.stderr
    assert [file.name for file in tmp_path.iterdir()] == [name]


def test_workers_end_with_their_parent_even_when_it_is_killed(
    table: pa.Table, bundle_dir: Path, tmp_path: Path
) -> None:
    path, out = write(table, tmp_path / "a.parquet"), tmp_path / "b.parquet"
    options = ("--out", out, "--bundle", bundle_dir, "--part", "2", "--workers", "2")
    with subprocess.Popen(
        command(path, *options), cwd=REPOSITORY, stderr=subprocess.DEVNULL
    ) as process:
        deadline = time.monotonic() + 90
        while not list(tmp_path.glob("b.parquet.partial/*.arrow")):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        children = psutil.Process(process.pid).children(recursive=True)
        process.kill()
    assert children
    _, alive = psutil.wait_procs(children, timeout=30)
    assert not alive


@pytest.mark.parametrize("name", ["b.csv", "b.csv.rejected.csv"])
def test_the_table_itself_is_never_written_over(
    bundle_dir: Path, tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    path.write_text("id,period\na,1\n")
    done = score(path, "--out", tmp_path / "b.csv", "--bundle", bundle_dir)
    assert done.returncode == 1
    assert "written over" in done.stderr
    assert path.read_text() == "id,period\na,1\n"


def test_files_of_others_are_left_alone(bundle_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,period\na,1\n")
    partial = tmp_path / "b.csv.partial"
    partial.mkdir()
    (partial / "thesis.txt").write_text("mine")
    done = score(tmp_path / "a.csv", "--out", tmp_path / "b.csv", "--bundle", bundle_dir)
    assert (done.returncode, (partial / "thesis.txt").read_text()) == (1, "mine")
    assert "something else" in done.stderr


def test_ids_are_no_formulas_and_other_scales_are_named(bundle_dir: Path, tmp_path: Path) -> None:
    names = ["attendance", "assignments", "internal_marks", "quiz", "engagement"]
    lines = [f"{'=' if at == 0 else ''}s{at},1,0.9,0.7,0.6,0.78,0.05" for at in range(30)]
    (tmp_path / "a.csv").write_text("\n".join([",".join(["id", "period", *names]), *lines]))
    options = ("--bundle", bundle_dir, "--workers", "1", "--no-forecast", "--no-recommendations")
    done = score(tmp_path / "a.csv", "--out", tmp_path / "b.csv", *options)
    assert done.returncode == 0, done.stderr
    with (tmp_path / "b.csv").open(newline="") as file:
        assert next(csv.DictReader(file))["id"] == "'=s0"
    assert "`quiz`: 30 of 30 values lie outside" in done.stderr
