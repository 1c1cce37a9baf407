"""Cells: read in the ways that people and their tools write them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from records.tables import read_table
from tests.records.small_table import CONTRACT, table


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
