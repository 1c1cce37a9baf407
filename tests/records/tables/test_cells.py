"""Cells: read in the ways that people and their tools write them."""

from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from records.tables.read_write import read_table
from tests.records.small_table import CONTRACT, seen, table


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


@pytest.mark.parametrize(
    ("column", "array", "expected"),
    [
        ("attendance", pa.array([80, 75], pa.int8()), [80, 75]),
        ("attendance", pa.array(["80.5", None], pa.string_view()), [80.5, np.nan]),
        ("attendance", pa.array([Decimal("80.25"), None]), [80.25, np.nan]),
        ("attendance", pa.nulls(2), [np.nan, np.nan]),
        ("rating", pa.array(["good", "poor"]).dictionary_encode(), [1, 0]),
        ("rating", pa.array(["very good", ""], pa.large_string()), [2, np.nan]),
        ("module", pa.array([2, 1], pa.int64()), [1, 0]),
        ("module", pa.array([2.0, np.nan]), [1, np.nan]),
        ("tutoring", pa.array([True, None]), [1, np.nan]),
        ("tutoring", pa.array([0.0, 1.0], pa.float32()), [0, 1]),
    ],
)
def test_parquet_types_are_read_for_what_they_say(
    tmp_path: Path, column: str, array: pa.Array, expected: list[float]
) -> None:
    cohort = read_table(parquet(tmp_path, column, array), CONTRACT)
    position = CONTRACT.feature_names.index(column)
    np.testing.assert_array_equal(cohort.values[0, :2, position], expected)


@pytest.mark.parametrize(
    ("column", "array", "code"),
    [
        ("attendance", pa.array([np.inf, 1.0]), "not_finite"),
        ("tutoring", pa.array([2, 1]), "wrong_type"),
        ("rating", pa.array([1, None]), "unknown_level"),
        ("period", pa.array(["1st", "2"]), "wrong_type"),
        ("id", pa.array([None, "s1"]), "out_of_range"),
    ],
)
def test_parquet_types_that_say_something_else_are_refused(
    tmp_path: Path, column: str, array: pa.Array, code: str
) -> None:
    assert seen(parquet(tmp_path, column, array)) == [(1, column, code)]


@pytest.mark.parametrize(
    "array", [pa.array([True, None]), pa.array([0, None], pa.timestamp("s")), pa.array([[1], None])]
)
def test_columns_of_other_types_are_refused_as_a_whole(tmp_path: Path, array: pa.Array) -> None:
    assert seen(parquet(tmp_path, "attendance", array)) == [(None, "attendance", "wrong_type")]


def parquet(folder: Path, name: str, array: pa.Array) -> Path:
    columns = {"id": pa.array(["s1", "s1"]), "period": pa.array([1, 2])}
    columns |= {feature: pa.nulls(2, pa.float64()) for feature in CONTRACT.feature_names}
    columns[name] = array
    pq.write_table(pa.table(columns), folder / "marks.parquet")
    return folder / "marks.parquet"
