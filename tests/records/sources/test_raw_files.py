import gzip
from pathlib import Path

import pytest

from records.errors import CohortError
from records.sources.raw_files import (
    Column,
    code,
    number,
    read_columns,
    stream_columns,
    text,
    whole,
)

COLUMNS = {"student": whole(), "mark": number(low=0, high=100), "word": text()}
GOOD = "word,student,other,mark\nx,1,é,50\n?,2,,NA\n"
PRIVATE = "4711"


def put(folder: Path, content: bytes, name: str = "marks.csv") -> Path:
    (folder / name).write_bytes(content)
    return folder


def stream(folder: Path, columns: dict[str, Column]) -> int:
    return sum(batch.num_rows for batch in stream_columns(folder, "marks", columns))


def test_columns_are_found_by_name_and_others_ignored(tmp_path: Path) -> None:
    frame = read_columns(put(tmp_path, GOOD.encode()), "marks", COLUMNS)
    assert frame["student"].tolist() == [1, 2]
    assert frame["mark"].isna().tolist() == [False, True]
    assert frame["word"].isna().tolist() == [False, True]
    assert "other" not in frame


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + GOOD.encode(),
        GOOD.replace("\n", "\r\n").encode(),
        GOOD.replace("x", '"x"').replace("student", '"student"').encode(),
        # Text that is not read may be in any encoding.
        GOOD.encode("latin-1"),
    ],
)
def test_the_usual_ways_to_write_csv_read_the_same(tmp_path: Path, content: bytes) -> None:
    expected = read_columns(put(tmp_path, GOOD.encode()), "marks", COLUMNS)
    assert read_columns(put(tmp_path, content), "marks", COLUMNS).equals(expected)


def test_the_plain_file_is_preferred_to_the_gzipped_one(tmp_path: Path) -> None:
    put(tmp_path, gzip.compress(b"student\n1\n"), "marks.csv.gz")
    assert read_columns(tmp_path, "marks", {"student": whole()})["student"].tolist() == [1]
    put(tmp_path, b"student\n2\n")
    assert read_columns(tmp_path, "marks", {"student": whole()})["student"].tolist() == [2]


def test_a_header_alone_is_a_table_without_rows(tmp_path: Path) -> None:
    put(tmp_path, b"student,mark,word\n")
    assert len(read_columns(tmp_path, "marks", COLUMNS)) == 0
    assert stream(tmp_path, COLUMNS) == 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"marks\.csv lacks the column\(s\) student, mark, word"),
        (b"student,mark\n1,2\n", r"marks\.csv lacks the column\(s\) word"),
        (GOOD.encode("utf-16"), r"marks\.csv is not UTF-8"),
        (b"student,mark,word\n1,2,ok\n2,3,caf\xe9\n", r"row 3, column 'word': expected .* UTF-8"),
        (b"student,mark,word\n4711x,2,a\n", r"row 2, column 'student': expected a whole number"),
        (b"student,mark,word\n4711.0,2,a\n", r"row 2, column 'student': expected a whole number"),
        (b"student,mark,word\n1,4711x,a\n", r"row 2, column 'mark': expected a number;"),
        (b"student,mark,word\n1,2,a\n3,4711\n", r"row 3 has 2 cells where the header has 3"),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_a_broken_file_is_refused_by_row_and_column_without_the_value(
    tmp_path: Path, content: bytes, message: str, streamed: bool
) -> None:
    put(tmp_path, content)
    with pytest.raises(CohortError, match=message) as caught:
        stream(tmp_path, COLUMNS) if streamed else read_columns(tmp_path, "marks", COLUMNS)
    assert PRIVATE not in str(caught.value)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ("?,1,a", r"row 3, column 'student': a value is needed"),
        ("1,4711,a", r"row 3, column 'mark': expected a number from 0 to 100"),
        ("1,inf,a", r"row 3, column 'mark': expected a finite number"),
        ("1,1,4711", r"row 3, column 'word': expected one of a, b"),
    ],
)
def test_a_value_that_is_not_allowed_is_refused_without_naming_it(
    tmp_path: Path, cells: str, message: str
) -> None:
    put(tmp_path, f"student,mark,word\n1,1,a\n{cells}\n1,1,b\n".encode())
    with pytest.raises(CohortError, match=message) as caught:
        read_columns(tmp_path, "marks", {**COLUMNS, "word": text("a", "b")})
    assert PRIVATE not in str(caught.value)


def test_an_empty_cell_in_a_needed_column_stops_the_stream(tmp_path: Path) -> None:
    put(tmp_path, b"word,student\na,1\n,2\n")
    with pytest.raises(CohortError, match=r"column 'word' has empty cells"):
        stream(tmp_path, {"word": code()})


@pytest.mark.parametrize("keep", [0, 15, 400])
def test_a_damaged_archive_is_refused(tmp_path: Path, keep: int) -> None:
    rows = "".join(f"{number},{number % 7},a\n" for number in range(2000))
    packed = gzip.compress(b"student,mark,word\n" + rows.encode())
    put(tmp_path, packed[:keep] or b"student,mark,word\n", "marks.csv.gz")
    with pytest.raises(CohortError, match=r"marks\.csv\.gz is damaged or cut short"):
        read_columns(tmp_path, "marks", COLUMNS)
    with pytest.raises(CohortError, match=r"marks\.csv\.gz is damaged or cut short"):
        stream(tmp_path, COLUMNS)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CohortError, match=r"neither marks\.csv nor marks\.csv\.gz"):
        read_columns(tmp_path, "marks", COLUMNS)
