"""Rejects: rows at fault are set aside, where somebody can mend them."""

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from records.errors import CohortError
from records.tables.read_write import read_table
from tests.records.small_table import CONTRACT, GOOD, HEADER, table


def test_rejected_rows_are_set_aside_with_their_reasons(tmp_path: Path) -> None:
    path = table(tmp_path, *GOOD, "s2,1,1,,,,", 's2,3,"7,5",,,,', "s3,1,800,3,awful,1,true")
    cohort = read_table(path, CONTRACT, on_error="reject-rows")
    assert cohort.ids.tolist() == ["s1", "s2"]
    assert cohort.lengths.tolist() == [2, 1]
    assert cohort.values[0, 1, 0] == 75.5
    with (tmp_path / "marks.rejected.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["row", "reason", *HEADER.split(",")]
    assert [row[0] for row in rows] == ["5", "6", "7"]
    assert rows[2][2:] == ["s3", "1", "800", "3", "awful", "1", "true"]
    assert rows[2][1].startswith("attendance: Attendance must be a number from 0 to 100")
    assert "rating: Rating must be one of 'poor'" in rows[2][1]
    assert "twice" in rows[0][1]
    assert rows[1][2:5] == ["s2", "3", "7,5"]
    assert "--decimal ," in rows[1][1]


def test_rows_without_faults_are_read_as_if_the_others_were_not_there(tmp_path: Path) -> None:
    path = table(tmp_path, "s1,3,x,,,,", "s1,1,80,,,,", "s1,3,70,,,,")
    cohort = read_table(path, CONTRACT, on_error="reject-rows")
    np.testing.assert_array_equal(cohort.values[0, :, 0], [80, np.nan, 70, np.nan])


def test_foreign_bytes_and_ragged_rows_are_rejected_alone(tmp_path: Path) -> None:
    path = tmp_path / "marks.csv"
    path.write_bytes(f"{HEADER}\ns1,1,80,,,,\ns\xe9,1,80,,,,\ns3,1\n".encode("latin-1"))
    cohort = read_table(path, CONTRACT, on_error="reject-rows", rejects=tmp_path / "bad.csv")
    assert cohort.ids.tolist() == ["s1"]
    lines = (tmp_path / "bad.csv").read_text(encoding="utf-8").splitlines()
    assert [line.split(",")[0] for line in lines] == ["row", "3", "4"]
    assert "s\ufffd" in lines[1]


def test_rejected_rows_of_parquet_are_set_aside_too(tmp_path: Path) -> None:
    frame = pd.read_csv(table(tmp_path, *GOOD), dtype=str)
    frame.loc[0, "attendance"] = "much"
    frame.to_parquet(tmp_path / "marks.parquet")
    read_table(tmp_path / "marks.parquet", CONTRACT, on_error="reject-rows")
    rejected = pd.read_csv(tmp_path / "marks.rejected.csv")
    assert rejected[["row", "id", "attendance"]].to_numpy().tolist() == [[1, "s1", "much"]]


def test_a_clean_table_leaves_no_rejects_not_even_old_ones(tmp_path: Path) -> None:
    (tmp_path / "marks.rejected.csv").write_text("row,reason,id\n")
    read_table(table(tmp_path, *GOOD), CONTRACT, on_error="reject-rows")
    assert not (tmp_path / "marks.rejected.csv").exists()


def test_a_table_of_which_nothing_is_left_is_refused(tmp_path: Path) -> None:
    path = table(tmp_path, "s1,9,80,,,,")
    with pytest.raises(CohortError, match="no row is left"):
        read_table(path, CONTRACT, on_error="reject-rows")
    assert (tmp_path / "marks.rejected.csv").exists()


def test_how_many_rows_were_set_aside_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = table(tmp_path, *GOOD, "s3,9,1,,,,", "s4,9,1000,,,,")
    read_table(path, CONTRACT, on_error="reject-rows")
    (line,) = caplog.messages
    assert line.startswith("marks.csv: 2 rejected row(s) are in ")


def test_rejects_need_a_folder_that_exists(tmp_path: Path) -> None:
    path = table(tmp_path, *GOOD)
    with pytest.raises(CohortError, match="no such folder"):
        read_table(path, CONTRACT, on_error="reject-rows", rejects=tmp_path / "no" / "bad.csv")


def test_a_table_never_becomes_its_own_rejects(tmp_path: Path) -> None:
    path = table(tmp_path, *GOOD)
    with pytest.raises(CohortError, match="its own"):
        read_table(path, CONTRACT, on_error="reject-rows", rejects=path)
    assert path.exists()


def test_a_folder_cannot_take_rejected_rows(tmp_path: Path) -> None:
    with pytest.raises(CohortError, match="is a folder"):
        read_table(table(tmp_path, *GOOD), CONTRACT, on_error="reject-rows", rejects=tmp_path)


def test_a_file_of_something_else_is_never_replaced_by_rejected_rows(tmp_path: Path) -> None:
    path, target = table(tmp_path, *GOOD, "s3,9,1,,,,"), tmp_path / "mine.toml"
    target.write_text("mine")
    with pytest.raises(CohortError, match="something else"):
        read_table(path, CONTRACT, on_error="reject-rows", rejects=target)
    assert target.read_text() == "mine"
    target.unlink()
    for _ in range(2):
        read_table(path, CONTRACT, on_error="reject-rows", rejects=target)
        assert len(target.read_text().splitlines()) == 2
