"""Graphs put together or cut short say what the bundle's own say, and are timed beside them."""

from pathlib import Path

from benchmarks.micro.graph_variants import measure_variants


def test_variants_are_checked_and_timed(bundle_dir: Path) -> None:
    measured = measure_variants(bundle_dir, rows=(1, 7), seconds=0.1)
    assert [at.rows for at in measured] == [1, 7]
    for at in measured:
        assert at.last is not None
        assert min(at.risk, at.score, at.both, at.merged, at.last) > 0
