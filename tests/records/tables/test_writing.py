"""Writing: complete and readable again, or not at all."""

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from records.cohort import Cohort
from records.errors import CohortError
from records.sources import simulated
from records.tables.read_write import read_table, write_table
from tests.records.small_table import CONTRACT, GOOD, table


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


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(CohortError, match="no such folder"):
        write_table(simulated.simulate_cohort(3), tmp_path / "no" / "out.csv")
