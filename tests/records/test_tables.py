"""Tables: what is written can be read again exactly, and what is wrong is said precisely."""

import csv
import gzip
import tempfile
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from records.cohort import Cohort
from records.contract import (
    Audit,
    Contract,
    Feature,
    Kind,
    Periods,
    RiskTarget,
    ScoreTarget,
    Targets,
)
from records.errors import CohortError, Problem, RecordError
from records.sources import simulated
from records.tables import read_table, write_table
from tests.records.strategies import cohorts

CONTRACT = Contract(
    name="small",
    version=1,
    title="Small",
    periods=Periods(name="week", maximum=4),
    features=(
        Feature(name="attendance", label="Attendance", minimum=0, maximum=100),
        Feature(name="clicks", label="Clicks", minimum=0),
        Feature(
            name="rating", label="Rating", kind=Kind.ORDINAL, levels=("poor", "good", "very good")
        ),
        Feature(name="module", label="Module", kind=Kind.CATEGORICAL, levels=("1", "2")),
        Feature(name="tutoring", label="Tutoring", kind=Kind.FLAG),
    ),
    targets=Targets(
        risk=RiskTarget(label="Fails"),
        score=ScoreTarget(label="Score", minimum=0, maximum=100, subjects=("maths", "physics")),
    ),
    audit=(Audit(name="gender", label="Gender"),),
)
HEADER = "id,period,attendance,clicks,rating,module,tutoring"
GOOD = ["s1,1,80,3,good,1,true", "s1,2,75.5,0,poor,1,false", "s2,1,,,,,"]


def table(folder: Path, *lines: str, header: str = HEADER, name: str = "marks.csv") -> Path:
    path = folder / name
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


def problems(path: Path, contract: Contract = CONTRACT) -> list[Problem]:
    with pytest.raises(RecordError) as caught:
        read_table(path, contract)
    return caught.value.problems


def seen(path: Path, contract: Contract = CONTRACT) -> list[tuple[int, str | None, str]]:
    return [(problem.row, problem.column, problem.code) for problem in problems(path, contract)]


# Round trips


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".csv.gz"])
@given(cohort=cohorts())
@settings(max_examples=30, deadline=None)
def test_a_round_trip_is_exact(suffix: str, cohort: Cohort) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"table{suffix}"
        write_table(cohort, path)
        assert read_table(path, cohort.contract).fingerprint() == cohort.fingerprint()


@given(cohort=cohorts(max_records=6), cut=st.integers(1, 5))
@settings(max_examples=20, deadline=None)
def test_writing_in_parts_is_writing_the_whole(cohort: Cohort, cut: int) -> None:
    parts = [
        cohort.take(np.arange(start, min(start + cut, len(cohort))))
        for start in range(0, len(cohort), cut)
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "parts.parquet"
        write_table(iter(parts), path)
        assert read_table(path, cohort.contract).fingerprint() == cohort.fingerprint()


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_a_table_of_many_batches_is_read_exactly(tmp_path: Path, suffix: str) -> None:
    cohort = simulated.simulate_cohort(5000, seed=3)  # 38,000 rows, three batches
    path = tmp_path / f"table{suffix}"
    write_table(simulated.simulate(5000, seed=3, chunk=700), path)
    assert read_table(path, cohort.contract).fingerprint() == cohort.fingerprint()


def test_rows_sorted_by_period_across_batches_are_the_same_cohort(tmp_path: Path) -> None:
    cohort = simulated.simulate_cohort(5000, seed=3)
    write_table(cohort, tmp_path / "table.parquet")
    by_period = pd.read_parquet(tmp_path / "table.parquet").sort_values("period", kind="stable")
    by_period.to_parquet(tmp_path / "sorted.parquet", index=False)
    again = read_table(tmp_path / "sorted.parquet", cohort.contract)
    assert again.fingerprint() == cohort.fingerprint()


def test_a_file_from_pandas_with_its_own_types_is_read(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "id": [17, 17, 18],
            "period": [1.0, 2.0, 1.0],
            "attendance": [80, 75, 60],
            "clicks": ["3", "0", None],
            "rating": pd.Categorical(["good", "poor", None]),
            "module": [1.0, 2.0, np.nan],
            "tutoring": [1.0, 0.0, np.nan],
        }
    )
    frame.to_parquet(tmp_path / "marks.parquet")
    cohort = read_table(tmp_path / "marks.parquet", CONTRACT)
    assert cohort.ids.tolist() == ["17", "18"]
    np.testing.assert_array_equal(cohort.values[0, :2], [[80, 3, 1, 0, 1], [75, 0, 0, 1, 0]])
    np.testing.assert_array_equal(cohort.values[1, 0], [60, np.nan, np.nan, np.nan, np.nan])


def test_a_million_students_would_be_written_in_bounded_memory(tmp_path: Path) -> None:
    def peak(students: int) -> int:
        write_table(simulated.simulate(students, chunk=2048), tmp_path / "table.parquet")
        return tracemalloc.get_traced_memory()[1]

    tracemalloc.start()
    few = peak(6_000)
    tracemalloc.reset_peak()
    assert peak(36_000) < 1.3 * few
    tracemalloc.stop()


# What a table may leave out


def test_the_optional_columns_have_defaults(tmp_path: Path) -> None:
    cohort = read_table(table(tmp_path, *GOOD), CONTRACT)
    assert cohort.ids.tolist() == cohort.students.tolist() == ["s1", "s2"]
    assert cohort.cohorts.tolist() == ["", ""]
    assert cohort.audit["gender"].tolist() == ["", ""]
    assert cohort.lengths.tolist() == [2, 1]
    np.testing.assert_array_equal(cohort.eligible, cohort.observed)
    assert np.isnan(cohort.risk).all()
    assert np.isnan(cohort.score).all()


def test_the_optional_columns_are_read(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "a,1,1,,,,,p,2024B,true,0,50,,f",
        "a,2,1,,,,,p,2024B,no,1,,60,f",
        header=f"{HEADER},student,cohort,eligible,risk,score_maths,score_physics,gender",
    )
    cohort = read_table(path, CONTRACT)
    assert cohort.students.tolist() == ["p"]
    assert cohort.cohorts.tolist() == ["2024B"]
    assert cohort.audit["gender"].tolist() == ["f"]
    assert cohort.eligible.tolist() == [[True, False, False, False]]
    np.testing.assert_array_equal(cohort.risk, [[0, 1, np.nan, np.nan]])
    np.testing.assert_array_equal(cohort.score[0, :2], [[50, np.nan], [np.nan, 60]])


def test_a_gap_between_periods_is_a_missing_period(tmp_path: Path) -> None:
    cohort = read_table(table(tmp_path, "s1,1,80,,,,", "s1,4,70,,,,"), CONTRACT)
    assert cohort.lengths.tolist() == [4]
    np.testing.assert_array_equal(cohort.values[0, :, 0], [80, np.nan, np.nan, 70])


@pytest.mark.parametrize("outcomes", [("1", "1", "1"), ("1", "", ""), ("", "", "1")])
def test_one_outcome_a_record_counts_for_all_its_periods(
    tmp_path: Path, outcomes: tuple[str, ...]
) -> None:
    lines = [f"s1,{period},80,,,,,{risk}" for period, risk in enumerate(outcomes, start=1)]
    cohort = read_table(table(tmp_path, *lines, header=f"{HEADER},risk"), CONTRACT)
    np.testing.assert_array_equal(cohort.risk, [[1, 1, 1, np.nan]])


def test_with_eligibility_every_outcome_stands_for_its_own_period(tmp_path: Path) -> None:
    lines = ["s1,1,80,,,,,true,", "s1,2,80,,,,,true,1"]
    cohort = read_table(table(tmp_path, *lines, header=f"{HEADER},eligible,risk"), CONTRACT)
    np.testing.assert_array_equal(cohort.risk, [[np.nan, 1, np.nan, np.nan]])


@pytest.mark.parametrize(
    ("text", "flag"),
    [("true", 1), ("FALSE", 0), ("1", 1), ("0", 0), ("Y", 1), ("n", 0), ("Yes", 1), ("1.0", 1)],
)
def test_flags_are_read_in_the_ways_people_write_them(tmp_path: Path, text: str, flag: int) -> None:
    cohort = read_table(table(tmp_path, f"s1,1,80,3,good,1,{text}"), CONTRACT)
    assert cohort.values[0, 0, 4] == flag


@pytest.mark.parametrize("text", ["", "NA", "NaN", " "])
def test_missing_is_an_empty_cell_or_what_r_and_pandas_write(tmp_path: Path, text: str) -> None:
    cohort = read_table(table(tmp_path, ",".join(["s1,1", *[text] * 5])), CONTRACT)
    assert np.isnan(cohort.values[0, 0]).all()


def test_a_byte_order_mark_and_windows_lines_are_read(tmp_path: Path) -> None:
    path = tmp_path / "excel.csv"
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join([HEADER, *GOOD, ""]).encode())
    assert len(read_table(path, CONTRACT)) == 2


# What is wrong with rows

BAD_CELLS = [
    ("s1,1,eighty,,,,", "attendance", "wrong_type"),
    ("s1,1,'80',,,,", "attendance", "wrong_type"),
    ("s1,1,1_0,,,,", "attendance", "wrong_type"),
    ("s1,1,True,,,,", "attendance", "wrong_type"),
    ("s1,1,100.01,,,,", "attendance", "out_of_range"),
    ("s1,1,-0.01,,,,", "attendance", "out_of_range"),
    ("s1,1,,-1,,,", "clicks", "out_of_range"),
    ("s1,1,,inf,,,", "clicks", "not_finite"),
    ("s1,1,,1e39,,,", "clicks", "not_finite"),
    ("s1,1,,,bad,,", "rating", "unknown_level"),
    ("s1,1,,,Good,,", "rating", "unknown_level"),
    ("s1,1,,,,3,", "module", "unknown_level"),
    ("s1,1,,,,,maybe", "tutoring", "wrong_type"),
    (",1,80,,,,", "id", "missing_value"),
    ("s1,,80,,,,", "period", "missing_value"),
    ("s1,first,80,,,,", "period", "wrong_type"),
    ("s1,1.5,80,,,,", "period", "out_of_range"),
    ("s1,0,80,,,,", "period", "out_of_range"),
    ("s1,5,80,,,,", "period", "out_of_range"),
    ("s1,inf,80,,,,", "period", "out_of_range"),
]


@pytest.mark.parametrize(("line", "column", "code"), BAD_CELLS)
def test_a_bad_cell_is_named_by_file_row_and_column(
    tmp_path: Path, line: str, column: str, code: str
) -> None:
    path = table(tmp_path, *GOOD[:2], line.replace("s1", "s9"))
    assert seen(path) == [(4, column, code)]
    assert str(problems(path)[0]).startswith(f"marks.csv:4, column '{column}': ")


@pytest.mark.parametrize(
    ("column", "cell", "code"),
    [
        ("eligible", "perhaps", "wrong_type"),
        ("observed", "2", "wrong_type"),
        ("risk", "0.5", "wrong_type"),
        ("score_maths", "101", "out_of_range"),
        ("score_maths", "A", "wrong_type"),
    ],
)
def test_targets_and_eligibility_are_checked_too(
    tmp_path: Path, column: str, cell: str, code: str
) -> None:
    path = table(tmp_path, f"s1,1,80,,,,,{cell}", header=f"{HEADER},{column}")
    assert seen(path) == [(2, column, code)]


@pytest.mark.parametrize("flag", ["", ",true"])
def test_a_period_that_was_not_observed_holds_nothing(tmp_path: Path, flag: str) -> None:
    header = f"{HEADER},observed" + (",eligible" if flag else "")
    value = "" if flag else "80"
    path = table(tmp_path, f"s1,1,{value},,,,,false{flag}", header=header)
    assert seen(path) == [(2, None, "not_observed")]


def test_every_fault_is_found_in_the_order_of_the_file(tmp_path: Path) -> None:
    path = table(tmp_path, "s1,1,x,-1,bad,,", "s1,2,80,,,,", "s1,9,180,,,,")
    assert seen(path) == [
        (2, "attendance", "wrong_type"),
        (2, "clicks", "out_of_range"),
        (2, "rating", "unknown_level"),
        (4, "period", "out_of_range"),
        (4, "attendance", "out_of_range"),
    ]


def test_a_duplicate_period_is_found(tmp_path: Path) -> None:
    path = table(tmp_path, "s1,1,1,,,,", "s2,1,2,,,,", "s1,1,3,,,,")
    assert seen(path) == [(4, "period", "duplicate_period")]


def test_periods_out_of_order_are_found(tmp_path: Path) -> None:
    path = table(tmp_path, "s1,3,1,,,,", "s2,1,2,,,,", "s1,2,3,,,,", "s1,4,3,,,,")
    assert seen(path) == [(4, "period", "unordered_periods")]


@pytest.mark.parametrize("column", ["student", "cohort", "gender"])
def test_what_belongs_to_the_record_must_not_change(tmp_path: Path, column: str) -> None:
    lines = ["s1,1,1,,,,,x", "s2,1,1,,,,,y", "s1,2,1,,,,,y", "s1,3,1,,,,,x"]
    path = table(tmp_path, *lines, header=f"{HEADER},{column}")
    assert seen(path) == [(4, column, "inconsistent")]


def test_faults_between_rows_are_found_across_batches(tmp_path: Path) -> None:
    rows = [f"s{i},2,50,,,,,a" for i in range(20_000)]
    rows += ["s0,2,50,,,,,a", "s1,1,50,,,,,a", "s2,3,50,,,,,b"]
    path = table(tmp_path, *rows, header=f"{HEADER},gender")
    assert seen(path) == [
        (20_002, "period", "duplicate_period"),
        (20_003, "period", "unordered_periods"),
        (20_004, "gender", "inconsistent"),
    ]


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
    path = table(tmp_path, GOOD[0], "s2,1,80", "s3,1,80,,,,,,")
    assert seen(path) == [(3, None, "ragged_row"), (4, None, "ragged_row")]


def test_a_quote_that_is_never_closed_is_named_by_its_line(tmp_path: Path) -> None:
    path = table(tmp_path, GOOD[0], '"s2,1,80,,,,', "s3,1,80,,,,")
    assert seen(path) == [(3, None, "broken_quotes")]


def test_blank_lines_and_line_breaks_in_cells_do_not_shift_the_rows(tmp_path: Path) -> None:
    path = table(tmp_path, '"s\n1",1,80,,,,', "", "s2,1,x,,,,")
    assert seen(path) == [(5, "attendance", "wrong_type")]


def test_rows_of_a_parquet_file_are_counted_from_one(tmp_path: Path) -> None:
    frame = pd.read_csv(table(tmp_path, *GOOD), dtype=str)
    frame.loc[2, "attendance"] = "much"
    frame.to_parquet(tmp_path / "marks.parquet")
    (problem,) = problems(tmp_path / "marks.parquet")
    assert str(problem).startswith("marks.parquet, row 3, column 'attendance': expected a number")


def test_a_message_never_holds_a_value(tmp_path: Path) -> None:
    secrets = ["s77,1,4711.5,,,,", "s77,1,,,Zebra,,", "s77,1,,,,,Quokka"]
    path = table(tmp_path, *secrets)
    with pytest.raises(RecordError) as caught:
        read_table(path, CONTRACT)
    for secret in ("4711", "Zebra", "Quokka", "s77"):
        assert secret not in str(caught.value)


def test_a_file_wrong_in_every_row_is_refused_without_a_message_for_each(tmp_path: Path) -> None:
    path = table(tmp_path, *[f"s{i},1,x,-1,,," for i in range(12_000)])
    with pytest.raises(RecordError, match="24000 problem") as caught:
        read_table(path, CONTRACT)
    assert len(caught.value.problems) == 10_000


# What is wrong with columns


def test_an_unknown_column_comes_with_a_suggestion(tmp_path: Path) -> None:
    path = table(tmp_path, header=HEADER.replace("attendance", "Attendence"))
    found = problems(path)
    assert [(p.row, p.column, p.code) for p in found] == [
        (1, "Attendence", "unknown_column"),
        (1, "attendance", "missing_column"),
    ]
    assert "did you mean 'attendance'?" in found[0].message


@pytest.mark.parametrize("name", ["id", "period", "clicks"])
def test_a_missing_column_is_named(tmp_path: Path, name: str) -> None:
    header = ",".join(column for column in HEADER.split(",") if column != name)
    assert (1, name, "missing_column") in seen(table(tmp_path, header=header))


def test_a_duplicate_column_is_named(tmp_path: Path) -> None:
    path = table(tmp_path, header=f"{HEADER},clicks")
    assert seen(path) == [(1, "clicks", "duplicate_column")]


def test_the_index_that_pandas_writes_is_explained(tmp_path: Path) -> None:
    assert "index=False" in problems(table(tmp_path, header=f",{HEADER}"))[0].message


def test_lists_in_parquet_are_refused_by_column(tmp_path: Path) -> None:
    frame = pd.read_csv(table(tmp_path, *GOOD), dtype=str)
    frame["clicks"] = [[1], [2], [3]]
    frame.to_parquet(tmp_path / "marks.parquet")
    (problem,) = problems(tmp_path / "marks.parquet")
    assert str(problem).startswith("marks.parquet, column 'clicks': ")


# What is wrong with files


@pytest.mark.parametrize(("separator", "word"), [(";", "semicolons"), ("\t", "tabs")])
def test_other_separators_are_recognised(tmp_path: Path, separator: str, word: str) -> None:
    path = table(tmp_path, *[g.replace(",", separator) for g in GOOD])
    path.write_text(path.read_text().replace(",", separator))
    with pytest.raises(CohortError, match=rf"marks\.csv:1.*{word}"):
        read_table(path, CONTRACT)


def test_a_missing_header_is_recognised_without_naming_a_student(tmp_path: Path) -> None:
    path = table(tmp_path, *GOOD[1:], header="s77,1,4711,3,good,1,true")
    with pytest.raises(CohortError, match="is the header missing") as caught:
        read_table(path, CONTRACT)
    assert "4711" not in str(caught.value)
    assert "s77" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("marks.csv", b"", "is empty"),
        ("marks.csv.gz", gzip.compress(b""), "is empty"),
        ("marks.csv", HEADER.encode(), "no rows"),
        ("marks.csv", f"{HEADER}\n\n\n".encode(), "no rows"),
        ("marks.csv", HEADER.encode("utf-16"), "UTF-16"),
        ("marks.csv.gz", HEADER.encode(), "no gzip"),
        ("marks.csv.gz", gzip.compress(HEADER.encode())[:-9], "damaged"),
        ("marks.parquet", b"PAR1 and no more", "no Parquet"),
        ("marks.parquet", b"", "no Parquet"),
        ("marks.xlsx", b"PK", r"\.csv, \.csv\.gz, \.parquet"),
    ],
)
def test_a_file_that_is_no_table_is_refused_with_the_reason(
    tmp_path: Path, name: str, content: bytes, reason: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CohortError, match=reason):
        read_table(tmp_path / name, CONTRACT)


def test_a_parquet_file_damaged_inside_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "marks.parquet"
    write_table(simulated.simulate_cohort(500), path)
    content = bytearray(path.read_bytes())
    content[100:4000] = bytes(3900)
    path.write_bytes(content)
    with pytest.raises(CohortError, match="damaged"):
        read_table(path, simulated.simulate_cohort(1).contract)


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CohortError, match="no such file"):
        read_table(tmp_path / "marks.csv", CONTRACT)


# Rejecting rows


def test_rejected_rows_are_set_aside_with_their_reasons(tmp_path: Path) -> None:
    path = table(tmp_path, *GOOD, "s3,1,800,3,awful,1,true", "s1,2,1,,,,", 's1,3,"7,5",,,,')
    cohort = read_table(path, CONTRACT, on_error="reject-rows")
    assert cohort.ids.tolist() == ["s1", "s2"]
    assert cohort.lengths.tolist() == [2, 1]
    assert cohort.values[0, 1, 0] == 75.5
    with (tmp_path / "marks.rejected.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["row", "reason", *HEADER.split(",")]
    assert [row[0] for row in rows] == ["5", "6", "7"]
    assert rows[0][2:] == ["s3", "1", "800", "3", "awful", "1", "true"]
    assert rows[0][1].startswith("attendance: expected a number from 0 to 100")
    assert "rating: expected one of 'poor'" in rows[0][1]
    assert "already" in rows[1][1]
    assert rows[2][2:5] == ["s1", "3", "7,5"]


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
    (tmp_path / "marks.rejected.csv").write_text("old")
    read_table(table(tmp_path, *GOOD), CONTRACT, on_error="reject-rows")
    assert not (tmp_path / "marks.rejected.csv").exists()


def test_a_table_of_which_nothing_is_left_is_refused(tmp_path: Path) -> None:
    path = table(tmp_path, "s1,9,80,,,,")
    with pytest.raises(CohortError, match="no row is left"):
        read_table(path, CONTRACT, on_error="reject-rows")
    assert (tmp_path / "marks.rejected.csv").exists()


def test_a_table_never_becomes_its_own_rejects(tmp_path: Path) -> None:
    path = table(tmp_path, *GOOD)
    with pytest.raises(CohortError, match="its own"):
        read_table(path, CONTRACT, on_error="reject-rows", rejects=path)
    assert path.exists()


# Writing


def test_a_written_table_speaks_in_names(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    write_table(read_table(table(tmp_path, *GOOD), CONTRACT), path)
    rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    assert [rows[0][name] for name in ("rating", "module", "tutoring")] == ["good", "1", "true"]
    assert rows[2]["attendance"] == rows[2]["rating"] == rows[2]["tutoring"] == ""


@pytest.mark.parametrize(
    ("feature", "value"), [(0, 101), (1, np.inf), (2, 3), (2, 0.5), (3, -1), (4, 2)]
)
def test_what_could_not_be_read_again_is_not_written(
    tmp_path: Path, feature: int, value: float
) -> None:
    cohort = read_table(table(tmp_path, *GOOD), CONTRACT)
    cohort.values[0, 0, feature] = value
    with pytest.raises(CohortError, match=f"'{CONTRACT.feature_names[feature]}' holds"):
        write_table(cohort, tmp_path / "out.parquet")
    assert [path.name for path in tmp_path.iterdir()] == ["marks.csv"]


def test_an_interrupted_writing_leaves_the_old_table(tmp_path: Path) -> None:
    def broken() -> Iterator[Cohort]:
        yield simulated.simulate_cohort(10)
        raise KeyboardInterrupt

    path = tmp_path / "out.parquet"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt):
        write_table(broken(), path)
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("out.parquet", "old")]


def test_nothing_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(CohortError, match="nothing to write"):
        write_table([], tmp_path / "out.csv")
    with pytest.raises(CohortError, match="nothing to write"):
        write_table(simulated.simulate_cohort(3).take([]), tmp_path / "out.csv")


def test_parts_of_different_contracts_are_not_written(tmp_path: Path) -> None:
    small = read_table(table(tmp_path, *GOOD), CONTRACT)
    with pytest.raises(CohortError, match="different contracts"):
        write_table([small, simulated.simulate_cohort(3)], tmp_path / "out.csv")
