"""Closed loops count what was answered, whichever client makes the load."""

import itertools
import shutil
from collections.abc import Callable

import pytest

from benchmarks.load import closed_loop
from benchmarks.server import ServerError, free_port

BODIES = [b'{"students":[1]}', b"any\n\x00bytes\n"]


@pytest.fixture(params=["wrk", "own"])
def client(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Choose the client: wrk, or our own as where wrk is absent."""
    if request.param == "own":
        monkeypatch.setenv("PATH", "/nowhere")
    elif shutil.which("wrk") is None:
        pytest.skip("needs wrk")
    return str(request.param)


def drive(port: int) -> closed_loop.Closed:
    return closed_loop.drive(port, "/score", BODIES, in_parallel=2, seconds=1, core=None)


def test_answers_and_others_are_counted_apart(
    client: str, listening: Callable[[Callable[[int], int]], int]
) -> None:
    assert (closed_loop.client_name() == "wrk") is (client == "wrk")
    counted = itertools.count(1)
    last = 0

    def answer(number: int) -> int:
        nonlocal last
        last = next(counted)
        return 429 if number % 4 == 0 else 200

    seen = drive(listening(answer))
    # Rates are per second and the run took about one; its last requests may go uncounted.
    assert seen.goodput + seen.other == pytest.approx(last, rel=0.15)
    assert seen.other / (seen.goodput + seen.other) == pytest.approx(0.25, abs=0.02)
    assert 0 < seen.p50 <= seen.p99 < 1000


@pytest.mark.usefixtures("client")
def test_a_server_that_is_gone_is_an_error_and_no_figure() -> None:
    with pytest.raises(ServerError):
        drive(free_port())
