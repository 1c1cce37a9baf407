"""What an execution is reckoned to cost is tried out, and left as it was."""

from pathlib import Path

import pytest

from benchmarks.micro.run_cost import measure_run_costs
from scoring.runtime import scorer
from scoring.runtime.scorer import batches


def test_every_cost_is_measured_and_the_usual_one_is_left(
    bundle_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: set[int] = set()

    def noted(*arguments: object) -> object:
        tried.add(scorer.RUN_COST)
        return batches(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(scorer, "batches", noted)
    usual = scorer.RUN_COST
    found = measure_run_costs(bundle_dir, rows=5, costs=(8, 500), seconds=0.1)
    assert tried == {8, 500}
    assert usual == scorer.RUN_COST
    assert (found.periods, found.rows) == (8, 5)
    assert min(found.microseconds.values()) > 0
