"""Assembly: rows become records, and rows that do not fit are found."""

from pathlib import Path

import numpy as np
import pytest

from records.errors import TableError
from records.tables.read_write import read_table
from tests.records.small_table import CONTRACT, HEADER, seen, table


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


def test_an_outcome_of_periods_is_not_spread_to_the_period_that_it_tells_of(tmp_path: Path) -> None:
    # s2 fails in period 2, which period 1 is judged by; to spread it would let period 2 see it.
    lines = ["s1,1,80,,,,,0", "s1,2,80,,,,,0", "s1,3,80,,,,,", "s2,1,80,,,,,1", "s2,2,10,,,,,"]
    cohort = read_table(table(tmp_path, *lines, header=f"{HEADER},risk"), CONTRACT)
    np.testing.assert_array_equal(cohort.risk, [[0, 0] + 2 * [np.nan], [1] + 3 * [np.nan]])


def test_with_eligibility_every_outcome_stands_for_its_own_period(tmp_path: Path) -> None:
    lines = ["s1,1,80,,,,,true,", "s1,2,80,,,,,true,1"]
    cohort = read_table(table(tmp_path, *lines, header=f"{HEADER},eligible,risk"), CONTRACT)
    np.testing.assert_array_equal(cohort.risk, [[np.nan, 1, np.nan, np.nan]])


def test_a_duplicate_period_is_found(tmp_path: Path) -> None:
    path = table(tmp_path, "s2,1,2,,,,", "s1,1,1,,,,", "s1,1,3,,,,")
    assert seen(path) == [(4, "period", "duplicate_period")]


def test_periods_out_of_order_are_found(tmp_path: Path) -> None:
    path = table(tmp_path, "s2,1,2,,,,", "s1,3,1,,,,", "s1,2,3,,,,", "s1,4,3,,,,")
    assert seen(path) == [(4, "period", "unordered_periods")]


@pytest.mark.parametrize("column", ["student", "cohort", "gender"])
def test_what_belongs_to_the_record_must_not_change(tmp_path: Path, column: str) -> None:
    lines = ["s2,1,1,,,,,y", "s1,1,1,,,,,x", "s1,2,1,,,,,y", "s1,3,1,,,,,x"]
    path = table(tmp_path, *lines, header=f"{HEADER},{column}")
    assert seen(path) == [(4, column, "inconsistent")]


def test_rows_of_a_record_that_lie_apart_are_refused_with_the_remedy(tmp_path: Path) -> None:
    path = table(tmp_path, "s1,1,1,,,,", "s2,1,2,,,,", "s1,2,3,,,,")
    with pytest.raises(TableError, match="Sort the table by `id`, then `period`"):
        read_table(path, CONTRACT)


def test_faults_between_rows_are_found_across_batches(tmp_path: Path) -> None:
    rows = [f"s{i // 4},{i % 4 + 1},50,,,,,a" for i in range(16_383)]
    rows += ["s4095,3,50,,,,,a", "s4095,2,50,,,,,a", "s4095,4,50,,,,,b"]
    path = table(tmp_path, *rows, header=f"{HEADER},gender")
    assert seen(path) == [
        (16_385, "period", "duplicate_period"),
        (16_386, "period", "duplicate_period"),
        (16_387, "gender", "inconsistent"),
    ]


def test_ids_that_no_reader_can_tell_apart_are_one_record(tmp_path: Path) -> None:
    path = table(tmp_path, "s1,1,80,,,,", '"s1 ",2,70,,,,', "s\u200b1,3,60,,,,")
    cohort = read_table(path, CONTRACT)
    assert cohort.ids.tolist() == ["s1"]
    assert cohort.lengths.tolist() == [3]
