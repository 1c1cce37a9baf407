"""One worker beside two, on the real service."""

from pathlib import Path

import pytest

from benchmarks.workers import SCENARIOS, Course, measure
from scoring.bundle.reader import read_bundle

pytestmark = pytest.mark.slow


def test_one_worker_and_two_answer_every_scenario(
    bundle_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path / "bentoml"))
    course = Course(bundle_dir, read_bundle(bundle_dir).contract, 1.0, tmp_path)
    seen, splits, held = measure(course, workers=2, rounds=1)
    assert set(seen) == {(scenario, count) for scenario in SCENARIOS for count in (1, 2)}
    for rounds in seen.values():
        assert len(rounds) == 1
        # A busy machine refuses some.
        assert rounds[0].goodput > rounds[0].other
    for (_, in_parallel), [split] in splits.items():
        assert sum(split) == in_parallel
        assert min(split) >= in_parallel // 4
    assert set(splits) == set(SCENARIOS)
    assert held > 50
