"""Whether memory grows is judged after the warm-up, and a spike is no growth."""

import time

import numpy as np
import psutil
import pytest

from benchmarks.micro.memory import MemoryCourse, watched

AT = np.arange(0.0, 601.0, 6.0)


def course(held: np.ndarray) -> MemoryCourse:
    return MemoryCourse(AT.tolist(), held.tolist())


def test_what_fills_up_at_first_and_then_stays_is_flat() -> None:
    noise = np.random.default_rng(0).normal(0, 1, len(AT))
    seen = course(250 + 30 * (1 - np.exp(-AT / 40)) + noise)

    assert seen.is_flat
    assert abs(seen.growth) < 1


def test_a_leak_is_seen_through_noise_and_told_in_mib_a_second() -> None:
    noise = np.random.default_rng(0).normal(0, 1, len(AT))
    seen = course(250 + 0.02 * AT + noise)

    assert not seen.is_flat
    assert seen.slope == pytest.approx(0.02, rel=0.1)
    assert seen.growth == pytest.approx(8, rel=0.1)


def test_large_requests_under_way_are_no_growth() -> None:
    held = np.full(len(AT), 250.0)
    held[-10::2] += 40

    assert course(held).is_flat


def test_what_shrinks_is_flat() -> None:
    assert course(300 - 0.05 * AT).is_flat


def test_start_every_minute_and_end_are_marked() -> None:
    marks = course(AT).marks(60.0)
    assert [at for at, _ in marks] == [60.0 * minute for minute in range(11)]
    assert [held for _, held in marks] == [at for at, _ in marks]


def test_the_memory_of_a_process_is_watched_from_start_to_end() -> None:
    own = psutil.Process()
    kept = []
    with watched(lambda: own.memory_full_info().uss / 2**20, seconds=1.0) as seen:
        time.sleep(0.6)
        kept.append(np.ones(40 * 2**17))
        time.sleep(0.6)
    assert len(seen.at) >= 4
    assert seen.at == sorted(seen.at)
    assert seen.held[-1] - seen.held[0] == pytest.approx(40, abs=5)
