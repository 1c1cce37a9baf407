"""Pseudonyms by the command line: what leaves holds no name, and only the key leads back."""

from pathlib import Path

import pyarrow.csv as pc
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from cli.main import app
from records.identity.pseudonyms import pseudonyms

RUNNER = CliRunner()


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "marks.csv"
    rows = [
        f"{4_100_000 + at // 2},{'Ada Okafor' if at % 4 < 2 else 'Per Lee'},a{at}@example.edu,"
        f"{1 + at % 2},{60 + at}"
        for at in range(40)
    ]
    path.write_text("\n".join(["id,Last Name,contact,period,attendance", *rows]), "utf-8")
    return path


def _run(*arguments: object) -> tuple[int, str]:
    done = RUNNER.invoke(app, ["pseudonymize", *map(str, arguments)])
    return done.exit_code, done.output + (str(done.exception) if done.exception else "")


def test_what_names_persons_is_refused_by_column_and_kind(table: Path, tmp_path: Path) -> None:
    out, key = tmp_path / "out" / "p.csv", tmp_path / "key"
    out.parent.mkdir()
    code, said = _run(table, "--out", out, "--key", key, "--new-key")
    assert code == 1
    assert "Last Name: looks like names" in said
    assert "contact: looks like e-mail addresses" in said
    assert "Okafor" not in said
    assert not out.exists()


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_ids_are_replaced_and_all_else_stays(table: Path, tmp_path: Path, suffix: str) -> None:
    out, key = tmp_path / "out" / f"p.{suffix}", tmp_path / "key"
    out.parent.mkdir()
    code, said = _run(table, "--out", out, "--key", key, "--new-key", "--drop")
    assert code == 0, said
    written = pc.read_csv(out) if suffix == "csv" else pq.read_table(out)
    assert written.column_names == ["id", "period", "attendance"]
    ids = [str(4_100_000 + at // 2) for at in range(40)]
    expected = pseudonyms(ids, bytes.fromhex(key.read_text().strip()))
    assert written["id"].to_pylist() == expected
    assert [int(cell) for cell in written["attendance"].to_pylist()] == list(range(60, 100))
    # Again with the same key: the same pseudonyms, so that tables can be joined.
    again = out.with_name(f"again.{suffix}")
    assert _run(table, "--out", again, "--key", key, "--drop")[0] == 0
    assert again.read_bytes() == out.read_bytes()


def test_the_key_lies_apart_and_nothing_is_overwritten(table: Path, tmp_path: Path) -> None:
    key = tmp_path / "key"
    code, said = _run(table, "--out", tmp_path / "p.csv", "--key", key, "--new-key", "--drop")
    assert code == 1
    assert "keep the key apart" in said
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "p.csv").write_text("mine")
    code, said = _run(table, "--out", tmp_path / "out" / "p.csv", "--key", key, "--drop")
    assert code == 1
    assert "exists" in said
    assert (tmp_path / "out" / "p.csv").read_text() == "mine"


def test_columns_may_be_kept_by_name(table: Path, tmp_path: Path) -> None:
    out, key = tmp_path / "out" / "p.csv", tmp_path / "key"
    out.parent.mkdir()
    code, said = _run(
        *(table, "--out", out, "--key", key, "--new-key", "--drop", "--keep", "Last Name")
    )
    assert code == 0, said
    assert "Last Name" in pc.read_csv(out).column_names


def test_a_check_warns_of_ids_that_are_student_numbers(tmp_path: Path) -> None:
    plain = tmp_path / "plain.csv"
    rows = [f"{4_100_000 + at},1,60,,,," for at in range(40)]
    header = "id,period,attendance,assignments,internal_marks,quiz,engagement"
    plain.write_text("\n".join([header, *rows]), "utf-8")
    done = RUNNER.invoke(app, ["check", str(plain)])
    assert "'id' looks like student numbers" in done.output.replace("\n", " ")
