"""Files: damaged, foreign or misnamed ones are refused with the reason, row by row if they can."""

import gzip
from pathlib import Path

import pandas as pd
import pytest

from records.errors import BellwetherError, CohortError, TableError
from records.sources import simulated
from records.tables.read_write import read_table, write_table
from tests.records.small_table import CONTRACT, GOOD, HEADER, faults, seen, table


def test_a_byte_order_mark_and_windows_lines_are_read(tmp_path: Path) -> None:
    path = tmp_path / "excel.csv"
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join([HEADER, *GOOD, ""]).encode())
    assert len(read_table(path, CONTRACT)) == 2


def test_a_foreign_byte_is_named_by_its_line(tmp_path: Path) -> None:
    path = tmp_path / "marks.csv"
    lines = [HEADER, GOOD[0], "s3\xe9,1,80,,,,", "s4é,1,80,,,,"]
    encoded = [line.encode("latin-1" if "s3" in line else "utf-8") for line in lines]
    path.write_bytes(b"\n".join(encoded))
    assert seen(path) == [(3, None, "bad_encoding")]


def test_a_foreign_byte_in_the_header_is_named(tmp_path: Path) -> None:
    path = tmp_path / "marks.csv"
    path.write_bytes(f"{HEADER},größe\n".encode("latin-1"))
    assert seen(path) == [(1, None, "bad_encoding")]


def test_a_row_with_too_few_or_too_many_cells_is_named(tmp_path: Path) -> None:
    path = table(tmp_path, GOOD[0], "s2,1,80", "s3,1,80,,,,,,x")
    assert seen(path) == [(3, None, "ragged_row"), (4, None, "ragged_row")]


def test_a_quote_that_is_never_closed_is_named_by_its_line(tmp_path: Path) -> None:
    path = table(tmp_path, GOOD[0], '"s2,1,80,,,,', "s3,1,80,,,,")
    assert seen(path) == [(3, None, "broken_quotes")]


def test_a_header_whose_quote_is_never_closed_is_named(tmp_path: Path) -> None:
    path = table(tmp_path, *["x" * 1000] * 200, header=f'"{HEADER}')
    assert seen(path) == [(1, None, "broken_quotes")]


def test_blank_lines_and_line_breaks_in_cells_do_not_shift_the_rows(tmp_path: Path) -> None:
    path = table(tmp_path, '"s\n1",1,80,,,,', "", "s2,1,x,,,,")
    assert seen(path) == [(5, "attendance", "wrong_type")]


def test_rows_of_a_parquet_file_are_counted_from_one(tmp_path: Path) -> None:
    frame = pd.read_csv(table(tmp_path, *GOOD), dtype=str)
    frame.loc[2, "attendance"] = "much"
    frame.to_parquet(tmp_path / "marks.parquet")
    (fault,) = faults(tmp_path / "marks.parquet")
    assert fault.located("marks.parquet").startswith(
        "marks.parquet, row 3, column 'attendance': Attendance must be a number"
    )


def test_lists_in_parquet_are_refused_by_column(tmp_path: Path) -> None:
    frame = pd.read_csv(table(tmp_path, *GOOD), dtype=str)
    frame["clicks"] = [[1], [2], [3]]
    frame.to_parquet(tmp_path / "marks.parquet")
    (fault,) = faults(tmp_path / "marks.parquet")
    assert fault.located("marks.parquet").startswith("marks.parquet, column 'clicks': ")


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_other_separators_are_found_in_the_header(tmp_path: Path, separator: str) -> None:
    expected = read_table(table(tmp_path, *GOOD), CONTRACT)
    path = table(tmp_path, *GOOD, name="other.csv")
    path.write_text(path.read_text().replace(",", separator))
    assert read_table(path, CONTRACT).fingerprint() == expected.fingerprint()


def test_a_missing_header_is_recognised_without_naming_a_student(tmp_path: Path) -> None:
    path = table(tmp_path, *GOOD[1:], header="s77,1,4711,3,good,1,true")
    with pytest.raises(TableError, match="is the header missing") as caught:
        read_table(path, CONTRACT)
    assert "4711" not in str(caught.value)
    assert "s77" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("marks.csv", b"", "is empty"),
        # Without the time of day: tests have the same names in every process.
        ("marks.csv.gz", gzip.compress(b"", mtime=0), "is empty"),
        ("marks.csv", HEADER.encode(), "no rows"),
        ("marks.csv", f"{HEADER}\n\n\n".encode(), "no rows"),
        ("marks.csv", HEADER.encode("utf-16"), "no rows"),
        ("marks.csv.gz", HEADER.encode(), "no rows"),
        ("marks.csv.gz", gzip.compress(HEADER.encode(), mtime=0)[:-9], "damaged"),
        ("marks.parquet", b"PAR1 and no more", "as Parquet"),
        ("marks.parquet", b"", "as Parquet"),
        ("marks.xlsx", b"PK", "workbook cannot be read"),
        ("marks.doc", b"PK", r"\.csv, \.csv\.gz"),
    ],
)
def test_a_file_that_is_no_table_is_refused_with_the_reason(
    tmp_path: Path, name: str, content: bytes, reason: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BellwetherError, match=reason):
        read_table(tmp_path / name, CONTRACT)


def test_a_parquet_file_damaged_inside_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "marks.parquet"
    write_table(simulated.simulate_cohort(500), path)
    content = bytearray(path.read_bytes())
    content[100:4000] = bytes(3900)
    path.write_bytes(content)
    with pytest.raises(TableError, match="damaged"):
        read_table(path, simulated.simulate_cohort(1).contract)


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CohortError, match="no such file"):
        read_table(tmp_path / "marks.csv", CONTRACT)


def test_a_folder_is_called_a_folder(tmp_path: Path) -> None:
    with pytest.raises(CohortError, match="is a folder"):
        read_table(tmp_path, CONTRACT)


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".parquet"])
def test_progress_comes_in_percent_and_ends_with_all(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"marks{suffix}"
    write_table(simulated.simulate_cohort(5000), path)
    told: list[tuple[str, int, int]] = []
    read_table(path, simulated.CONTRACT, progress=lambda *step: told.append(step))
    percents = [percent for _, percent, _ in told]
    assert percents == sorted(percents)
    assert 0 < percents[0] < 100
    assert told[-1] == (f"Reading {path.name}", 100, 100)
