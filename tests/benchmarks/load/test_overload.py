"""More than the capacity is offered to the real service, and outcomes are counted apart."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmarks.cores import Cores
from benchmarks.load.overload import Capacity, Point, measure
from benchmarks.load.storm import PROBES, Seen, Storm, raise_storm
from benchmarks.server import RunningServer, ServerError, bellwether, running
from benchmarks.students import StudentSource
from scoring.bundle.reader import read_bundle

ANYWHERE = Cores(None, None)
LOAD = 3.0
# Seconds; on a busy machine all are late for one that a service should keep.
DEADLINE = 30.0
needs_wrk = pytest.mark.skipif(shutil.which("wrk") is None, reason="needs wrk")


@needs_wrk
@pytest.mark.slow
def test_a_storm_on_the_real_service_leaves_answers_in_time_and_no_fault(
    bundle_dir: Path, tmp_path: Path
) -> None:
    bodies = StudentSource(read_bundle(bundle_dir).contract).bodies(30, 4)
    with running(bellwether(bundle_dir), log=tmp_path / "log") as server:
        [point] = measure(
            server, bodies, [LOAD], rounds=1, seconds=2.0, deadline=DEADLINE, cores=ANYWHERE
        )
    seen = point.seen
    assert seen.faults == 0
    assert seen.in_time == 1
    assert seen.answered < seen.offered
    assert point.offered > point.goodput > 0
    # Of processor time: what others take of a busy machine is in neither.
    assert 0.2 < point.goodput_per_cpu < 1.5
    assert seen.accepted > 10
    # Little's law: without refusals every answer would take what the storm asks for in that time,
    # less the pause, on any machine.
    unrefused = (LOAD * 0.6 - 0.45) * 1e3
    assert 0 < seen.p50 < unrefused + seen.lag_p99
    assert 0 < seen.refusal_p50 < unrefused + seen.lag_p99
    assert seen.p50 <= seen.p99
    assert seen.refusal_p50 <= seen.refusal_p99
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
    # Dozens are sent, a few by wrk alone.
    assert (seen.faults > 5) is faulty
    assert seen.faults == 0 or faulty
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
