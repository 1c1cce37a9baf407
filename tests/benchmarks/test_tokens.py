"""The cost of tokens is measured on servers that really check them."""

from pathlib import Path

from benchmarks.tokens import measure, time_check


def test_both_servers_answer_and_a_check_costs_little(bundle_dir: Path, tmp_path: Path) -> None:
    ((without, with_tokens),) = measure(bundle_dir, rounds=1, seconds=1, out=tmp_path)
    for seen in (without, with_tokens):
        assert seen.rate > 0
        assert seen.cpu > 0
    assert 0 < time_check() < 100
