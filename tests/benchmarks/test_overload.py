"""More than the capacity is offered to the real service, and what comes of it is told apart."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmarks.cores import Cores
from benchmarks.overload import Capacity, Point, measure
from benchmarks.server import RunningServer, ServerError, bellwether, running
from benchmarks.storm import PROBES, Seen, Storm, raise_storm
from benchmarks.students import StudentSource
from scoring.bundle import read_bundle

ANYWHERE = Cores(None, None)
needs_wrk = pytest.mark.skipif(shutil.which("wrk") is None, reason="needs wrk")


@needs_wrk
@pytest.mark.slow
def test_a_storm_on_the_real_service_leaves_answers_in_time_and_no_fault(
    bundle_dir: Path, tmp_path: Path
) -> None:
    bodies = StudentSource(read_bundle(bundle_dir).contract).bodies(30, 4)
    with running(bellwether(bundle_dir), log=tmp_path / "log") as server:
        [point] = measure(
            server, bodies, [3.0], rounds=1, seconds=2.0, deadline=1.0, cores=ANYWHERE
        )
    seen = point.seen
    # How much, and how fast, is the benchmark's to say: here the machine may be busy.
    assert seen.faults == 0
    assert point.offered > point.goodput > 0
    assert point.goodput_per_cpu > 0
    assert seen.accepted > 10
    assert 0 < seen.p50 <= seen.p99
    assert 0 < seen.refusal_p50 <= seen.refusal_p99
    assert list(seen.probe_p99) == list(PROBES)
    assert np.isfinite(list(seen.probe_p99.values())).all()
    assert 0 < seen.cpu < 2


@needs_wrk
@pytest.mark.parametrize(("status", "faulty"), [(500, True), (200, False), (429, False)])
def test_an_answer_that_is_neither_an_answer_nor_a_refusal_is_a_fault(
    listening: Callable[[Callable[[int], int]], int], status: int, faulty: bool
) -> None:
    port = listening(lambda _: status)
    with subprocess.Popen(["sleep", "60"]) as sleeping:
        server = RunningServer(port, sleeping)
        seen = raise_storm(server, [b"{}"], Storm(2, 0.1, 1.0), deadline=1.0, cores=ANYWHERE)
        sleeping.kill()
    # Dozens are sent; of a busy machine a connection or two may break.
    assert (seen.faults > 5) is faulty
    assert (seen.accepted > 0) is (status == 200)


def test_without_wrk_there_is_no_storm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with subprocess.Popen(["/bin/sleep", "60"]) as sleeping:
        server = RunningServer(1, sleeping)
        with pytest.raises(ServerError, match="needs wrk"):
            raise_storm(server, [b"{}"], Storm(2, 0.1, 1.0), deadline=1.0, cores=ANYWHERE)
        sleeping.kill()


def test_shares_are_of_the_capacity_and_only_of_what_came_in_time() -> None:
    seen = Seen(
        offered=300.0,
        answered=90.0,
        in_time=0.5,
        cpu=0.9,
        p50=1.0,
        p99=1.0,
        refusal_p50=1.0,
        refusal_p99=1.0,
        probe_p99={},
        accepted=1,
        faults=0,
        lag_p99=0.0,
    )
    point = Point(3.0, Capacity(rate=100.0, per_cpu=100.0), seen)
    assert point.offered == pytest.approx(3.0)
    assert point.goodput == pytest.approx(0.45)
    assert point.goodput_per_cpu == pytest.approx(0.5)
