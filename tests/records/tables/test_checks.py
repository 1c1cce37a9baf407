"""Checks: every fault of a header and of a cell is named by file, row and column."""

from pathlib import Path

import pytest

from records.contract import Feature
from records.errors import TableError
from records.tables.read_write import read_table, write_table
from tests.records.small_table import CONTRACT, GOOD, HEADER, faults, seen, table


def test_an_unknown_column_comes_with_a_suggestion(tmp_path: Path) -> None:
    path = table(tmp_path, header=HEADER.replace("attendance", "Attendence"))
    found = faults(path)
    assert [(p.row, p.field, p.code) for p in found] == [
        (None, "Attendence", "unknown_field"),
        (None, "attendance", "missing_field"),
    ]
    assert "did you mean `attendance`?" in found[0].message


def test_names_in_capitals_are_recognised_and_each_is_told_its_right_name(tmp_path: Path) -> None:
    found = faults(table(tmp_path, *GOOD, header=HEADER.upper()))
    unknown = [problem for problem in found if problem.code == "unknown_field"]
    for name, problem in zip(HEADER.split(","), unknown, strict=True):
        assert (problem.field, f"did you mean `{name}`?" in problem.message) == (
            name.upper(),
            True,
        )


@pytest.mark.parametrize("name", ["id", "period", "clicks"])
def test_a_missing_column_is_named(tmp_path: Path, name: str) -> None:
    header = ",".join(column for column in HEADER.split(",") if column != name)
    assert (None, name, "missing_field") in seen(table(tmp_path, header=header))


def test_a_duplicate_column_is_named(tmp_path: Path) -> None:
    path = table(tmp_path, header=f"{HEADER},clicks")
    assert seen(path) == [(None, "clicks", "duplicate_field")]


def test_the_index_that_pandas_writes_is_explained(tmp_path: Path) -> None:
    assert "index=False" in faults(table(tmp_path, header=f",{HEADER}"))[0].message


BAD_CELLS = [
    ("s1,1,eighty,,,,", "attendance", "wrong_type"),
    ("s1,1,'80',,,,", "attendance", "wrong_type"),
    ("s1,1,1_0,,,,", "attendance", "wrong_type"),
    ("s1,1,True,,,,", "attendance", "wrong_type"),
    ("s1,1,100.01,,,,", "attendance", "out_of_range"),
    ("s1,1,-0.01,,,,", "attendance", "out_of_range"),
    ("s1,1,,-1,,,", "clicks", "out_of_range"),
    ("s1,1,,inf,,,", "clicks", "not_finite"),
    ("s1,1,,1e39,,,", "clicks", "out_of_range"),
    ("s1,1,,,bad,,", "rating", "unknown_level"),
    ("s1,1,,,Good,,", "rating", "unknown_level"),
    ("s1,1,,,,3,", "module", "unknown_level"),
    ("s1,1,,,,,maybe", "tutoring", "wrong_type"),
    (",1,80,,,,", "id", "out_of_range"),
    ("s1,,80,,,,", "period", "out_of_range"),
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
    assert faults(path)[0].located(path.name).startswith(f"marks.csv:4, column '{column}': ")


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


def test_a_message_never_holds_a_value(tmp_path: Path) -> None:
    secrets = ["s77,1,4711.5,,,,", "s77,1,,,Zebra,,", "s77,1,,,,,Quokka"]
    path = table(tmp_path, *secrets)
    with pytest.raises(TableError) as caught:
        read_table(path, CONTRACT)
    for secret in ("4711", "Zebra", "Quokka", "s77"):
        assert secret not in str(caught.value)


def test_a_file_wrong_in_every_row_is_refused_without_a_message_for_each(tmp_path: Path) -> None:
    path = table(tmp_path, *[f"s{i},1,x,-1,,," for i in range(12_000)])
    with pytest.raises(TableError, match="24000 problem") as caught:
        read_table(path, CONTRACT)
    assert len(caught.value.faults) == 10_000


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_bound_is_in_range_though_float32_cannot_hold_it_exactly(
    tmp_path: Path, suffix: str
) -> None:
    share = Feature(name="attendance", label="Share", minimum=-0.1, maximum=0.1)
    contract = CONTRACT.model_copy(update={"features": (share, *CONTRACT.features[1:])})
    cohort = read_table(table(tmp_path, "s1,1,0.1,,,,", "s1,2,-0.1,,,,"), contract)
    write_table(cohort, tmp_path / f"again{suffix}")
    again = read_table(tmp_path / f"again{suffix}", contract)
    assert again.fingerprint() == cohort.fingerprint()
