"""Sweep and Locust against the real server, for a few seconds."""

import csv
import math
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.cores import Cores
from benchmarks.load.load_test import run_profile
from benchmarks.load.outcomes import Summary
from benchmarks.load.profiles import Profile
from benchmarks.load.sweep import Point, plot, sweep, write_csv
from benchmarks.server import RunningServer, bellwether, running
from benchmarks.students import StudentSource
from scoring.bundle.reader import read_bundle

pytestmark = pytest.mark.slow
ANYWHERE = Cores(None, None)


@pytest.fixture(scope="module")
def server(bundle_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """The real service, with a model store of its own."""
    folder = tmp_path_factory.mktemp("server")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENTOML_HOME", str(folder / "bentoml"))
        with running(bellwether(bundle_dir), log=folder / "log.txt") as started:
            yield started


def test_a_sweep_offers_what_it_says_and_is_answered(
    server: RunningServer, bundle_dir: Path, tmp_path: Path
) -> None:
    bodies = StudentSource(read_bundle(bundle_dir).contract).bodies(1, 8)
    points = sweep(
        server,
        bodies,
        capacity=40.0,
        loads=(0.5, 1.0),
        seconds=2.0,
        deadline=2.0,
        poisson=False,
        cores=ANYWHERE,
    )
    assert [point.rate for point in points] == [20.0, 40.0]
    for point in points:
        assert point.summary.offered == pytest.approx(point.rate)
        assert point.summary.failed == point.summary.unanswered == 0
        assert point.summary.goodput > 0.9 * point.rate
        assert 0 < point.summary.p50 <= point.summary.p99 <= point.summary.p999
    write_csv(points, tmp_path / "sweep.csv")
    with (tmp_path / "sweep.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["rate"]) for row in rows] == [20.0, 40.0]
    assert float(rows[1]["p99"]) == points[1].summary.p99


def test_a_plot_shows_loads_at_which_nobody_was_answered(tmp_path: Path) -> None:
    answered = Summary(10, 10, 10, 0, 0, 0, 1.0, 2.0, 3.0, 4.0, 0.1)
    nan = math.nan
    nobody = Summary(90, 0, 0, 1.0, 0, 0, nan, nan, nan, nan, 0.1)
    plot([Point(0.1, 10, answered), Point(0.9, 90, nobody)], tmp_path / "sweep.svg")
    drawn = (tmp_path / "sweep.svg").read_text(encoding="utf-8")
    assert drawn.startswith("<svg")
    assert all(word in drawn for word in ("offered", "refused", "p99", "latency, ms"))


def test_a_soak_mixes_single_students_classes_and_cohorts(
    server: RunningServer, tmp_path: Path
) -> None:
    patient = ("--p99", "20000", "--cohort-p99", "20000", "--deadline", "20")
    done = run_profile(
        server, Profile.SOAK, seconds=15, peak=40, out=tmp_path, cores=ANYWHERE, limits=patient
    )
    # Memory is still growing in the first seconds.
    assert not [line for line in done.not_met if "memory grew" not in line]
    figures = done.figures
    assert set(figures["accepted"]) == {
        *("1 student", "30 students", "256 students"),
        *("4,096 students, columnar JSON", "4,096 students, Arrow"),
    }
    assert figures["requests"] == sum(kind["requests"] for kind in figures["accepted"].values())
    assert figures["goodput_share"] == 1.0
    assert figures["refused"] == figures["failed"] == 0
    assert "<html" in (tmp_path / "soak.html").read_text(encoding="utf-8")
    assert done.memory.at[-1] > 4
    assert min(done.memory.held) > 50


def test_locust_says_what_was_not_met(server: RunningServer, tmp_path: Path) -> None:
    strict = ("--p99", "0.001", "--deadline", "0.000001")
    done = run_profile(
        server, Profile.SPIKE, seconds=3, peak=10, out=tmp_path, cores=ANYWHERE, limits=strict
    )
    assert not done.met
    assert not any("4,096" in name for name in done.figures["accepted"])
    assert any("p99 of '1 student'" in line for line in done.not_met)
    assert any("goodput is 0.0%" in line for line in done.not_met)
