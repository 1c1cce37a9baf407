"""Tables: what is written can be read again exactly, and what is optional may be left out."""

import tempfile
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from records.cohort import Cohort
from records.errors import TableError
from records.sources import simulated
from records.tables.read_write import read_table, write_table
from tests.records.small_table import CONTRACT, GOOD, HEADER, table
from tests.records.strategies import cohorts


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".csv.gz"])
@given(cohort=cohorts())
@settings(max_examples=15, deadline=None)
def test_a_round_trip_is_exact(suffix: str, cohort: Cohort) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"table{suffix}"
        write_table(cohort, path)
        assert read_table(path, cohort.contract).fingerprint() == cohort.fingerprint()


@given(cohort=cohorts(max_records=6), cut=st.integers(1, 5))
@settings(max_examples=10, deadline=None)
def test_writing_in_parts_is_writing_the_whole(cohort: Cohort, cut: int) -> None:
    parts = [
        cohort.take(np.arange(start, min(start + cut, len(cohort))))
        for start in range(0, len(cohort), cut)
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "parts.csv"
        write_table(iter(parts), path)
        assert read_table(path, cohort.contract).fingerprint() == cohort.fingerprint()


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_a_table_of_many_batches_is_read_exactly(tmp_path: Path, suffix: str) -> None:
    cohort = simulated.simulate_cohort(5000, seed=3)  # 38,000 rows, three batches
    path = tmp_path / f"table{suffix}"
    write_table(simulated.simulate(5000, seed=3, chunk=700), path)
    assert read_table(path, cohort.contract).fingerprint() == cohort.fingerprint()


def test_rows_sorted_by_period_are_refused_with_the_remedy(tmp_path: Path) -> None:
    cohort = simulated.simulate_cohort(50, seed=3)
    write_table(cohort, tmp_path / "table.parquet")
    by_period = pd.read_parquet(tmp_path / "table.parquet").sort_values("period", kind="stable")
    by_period.to_parquet(tmp_path / "sorted.parquet", index=False)
    with pytest.raises(TableError, match="Sort the table by `id`, then `period`"):
        read_table(tmp_path / "sorted.parquet", cohort.contract)


def test_a_million_students_would_be_written_in_bounded_memory(tmp_path: Path) -> None:
    def peak(students: int) -> int:
        write_table(simulated.simulate(students, chunk=2048), tmp_path / "table.parquet")
        return tracemalloc.get_traced_memory()[1]

    tracemalloc.start()
    few = peak(6_000)
    tracemalloc.reset_peak()
    assert peak(36_000) < 1.3 * few
    tracemalloc.stop()


def test_the_optional_columns_have_defaults(tmp_path: Path) -> None:
    cohort = read_table(table(tmp_path, *GOOD), CONTRACT)
    assert cohort.ids.tolist() == cohort.students.tolist() == ["s1", "s2"]
    assert cohort.cohorts.tolist() == ["", ""]
    assert cohort.audit["gender"].tolist() == ["", ""]
    assert cohort.lengths.tolist() == [2, 1]
    np.testing.assert_array_equal(cohort.eligible, cohort.observed)
    assert np.isnan(cohort.risk).all()
    assert np.isnan(cohort.score).all()


def test_a_student_without_a_name_is_called_as_the_record(tmp_path: Path) -> None:
    path = table(tmp_path, "s1,1,80,,,,,", "s2,1,80,,,,,p", header=f"{HEADER},student")
    assert read_table(path, CONTRACT).students.tolist() == ["s1", "p"]


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
