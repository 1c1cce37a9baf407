"""Leaving rows out: what that changes is printed, and refused where it is notable."""

from pathlib import Path

import pytest

from records.errors import CohortError, TableError
from records.tables.options import ReadOptions
from records.tables.read_write import read_table
from tests.records.small_table import CONTRACT, HEADER, table


def _marks(folder: Path, wrong_risk: int) -> Path:
    lines = [f"s{at},1,80,3,good,1,true,{at % 2}" for at in range(20)]
    lines += [f"w{at},1,800,3,good,1,true,{wrong_risk}" for at in range(5)]
    lines += [f"v{at},1,800,3,good,1,true,{1 - wrong_risk}" for at in range(wrong_risk, 1)]
    return table(folder, *lines, header=f"{HEADER},risk")


def test_a_share_at_risk_that_changes_notably_is_refused_unless_one_insists(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = _marks(tmp_path, 1)
    with pytest.raises(CohortError, match=r"share at risk 60\.0% before, 50\.0% after"):
        read_table(path, CONTRACT, on_error="reject-rows")
    assert "missing cells 0.0% before, 0.0% after" in caplog.text
    assert len(read_table(path, CONTRACT, on_error="reject-rows", insist=True)) == 20


def test_markers_of_missing_values_are_counted_by_column(tmp_path: Path) -> None:
    path = table(tmp_path, *[f"s{at},1,-,3,N/A,1,true" for at in range(1235)])
    with pytest.raises(TableError) as caught:
        read_table(path, CONTRACT)
    assert [fault.message[:50] for fault in caught.value.faults] == [
        "'-' in 1,235 cell(s) of `attendance`: is that miss",
        "'N/A' in 1,235 cell(s) of `rating`: is that missin",
    ]
    named = CONTRACT.model_copy(update={"missing": ("-",)})
    assert named.fingerprint == CONTRACT.fingerprint
    assert len(read_table(path, named, options=ReadOptions(missing=("N/A",)))) == 1235
