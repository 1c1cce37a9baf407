"""The cost of a model in another process is measured on real processes."""

from pathlib import Path

import psutil
import pytest

from benchmarks.micro.model_process import FEEDERS, lines, main, measure


def test_calls_here_and_there_and_several_feeders_are_measured(bundle_dir: Path) -> None:
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    costs, joined = measure(bundle_dir, sizes=(1, 30), seconds=0.1)
    assert [at.rows for at in costs] == [1, 30]
    for at in costs:
        assert 0 < at.own < at.shared  # both processes count, and one of them does the same work
    assert [at.feeders for at in joined] == list(FEEDERS)
    assert joined[0].rows == 1
    assert joined[-1].rows > 1  # what waits at the same time is joined
    assert len(lines(costs, joined)) == 2 + len(costs) + 1 + 2 + len(joined)
    assert {child.pid for child in psutil.Process().children(recursive=True)} == before


def test_a_folder_that_is_no_bundle_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path)]) == 1
    assert "manifest" in capsys.readouterr().err
