"""Every provider that loads is timed beside the CPU's, and who does not load is named."""

from pathlib import Path

import onnxruntime
import pytest

from benchmarks.micro.providers import GRAPHS, lines, main, measure_providers
from scoring.bundle.reader import read_bundle
from scoring.runtime.providers import RUNTIME_NAMES, Provider, loadable_providers


def test_every_provider_that_loads_is_timed_and_the_others_are_named(bundle_dir: Path) -> None:
    bundle = read_bundle(bundle_dir)
    measured, missing = measure_providers(bundle, sizes=(1, 30), rounds=20)
    offered = {
        p for p, name in RUNTIME_NAMES.items() if name in onnxruntime.get_available_providers()
    }
    for graph in GRAPHS:
        loaded = set(loadable_providers([bundle.graph(graph)]))
        rows = [one for one in measured if one.graph == graph]
        assert {one.provider for one in rows} == loaded
        assert {name for name in missing if name.startswith(graph)} == {
            f"{graph} {provider}" for provider in offered - loaded
        }
        [cpu] = [one for one in rows if one.provider is Provider.CPU]
        assert cpu.difference == 0
        assert cpu.ratios == {1: 1, 30: 1}
        # Thirty students cost more than one, and far less than thirty times as much.
        assert 1 < cpu.micros[30] / cpu.micros[1] < 30
    assert len(lines(measured)) == 2 + len(measured)


def test_the_command_prints_the_table(
    bundle_dir: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main([str(bundle_dir), "--rounds", "2"]) == 0
    printed = capsys.readouterr().out
    assert "| graph | provider | 1 µs | 30 µs | 256 µs |" in printed
    assert "| score | cpu |" in printed
    assert main([str(tmp_path)]) == 1
