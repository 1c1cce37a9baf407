"""What reasons and what-if cost: every view is timed, and is bounded in its steps."""

from pathlib import Path

from benchmarks.micro.explanations import measure_explanations


def test_every_view_is_timed_at_two_lengths(bundle_dir: Path) -> None:
    found = measure_explanations(bundle_dir, students=3)
    views = ["assessment", "reasons, level", "reasons, change", "what-if"]
    assert [(view.name, view.periods) for view in found] == [
        (name, periods) for periods in (4, 7) for name in views
    ]
    for view in found:
        assert 0 < view.median <= view.slowest
    # 32 coalitions of 8 periods and two histories beside them: one execution.
    assert {view.steps for view in found if view.name.startswith("reasons")} == {1}
