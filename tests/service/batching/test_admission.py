"""What waits is reckoned in seconds of work, and the reckoning follows what work really takes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.batching.admission import AdmissionController, CostModel, measure_costs
from service.responder import Responder

COSTS = CostModel(run=0.001, request=0.001, byte=1e-6)


def workload(limit: float = 0.1) -> AdmissionController:
    return AdmissionController(COSTS, limit=limit, turn=256, slice_bytes=10_000)


def fill(load: AdmissionController, size: int, *, long: bool) -> int:
    number = 0
    while load.admit(size, long=long) is not None:
        number += 1
    return number


def test_an_idle_service_takes_anything() -> None:
    assert workload(0.001).admit(10**9, long=True) is not None
    assert workload(0.001).admit(10, long=False) is not None


def test_the_queue_holds_as_much_work_as_the_limit_says() -> None:
    assert fill(workload(0.1), 1000, long=False) == 50
    assert fill(workload(0.2), 1000, long=False) == 100
    assert fill(workload(0.1), 4000, long=False) == 20


def test_short_requests_pass_long_ones() -> None:
    load = workload()
    assert fill(load, 50_000, long=True) < 10
    assert load.admit(1000, long=False) is not None


def test_a_short_request_alone_is_not_refused_for_a_guest_whose_step_took_long() -> None:
    load = workload()
    guest = load.admit_background(0.01)
    assert guest is not None
    for _ in range(20):
        load.learn_background(1.0)
    assert load.wait(long=False) > 0.1
    short = load.admit(1000, long=False)
    assert short is not None
    assert load.admit(1000, long=False) is None  # a second one would wait for the first, too
    load.leave(short, long=False)
    load.leave_background(guest)
    assert load.wait(long=False) == 0


def test_long_requests_wait_for_short_ones() -> None:
    load = workload()
    fill(load, 1000, long=False)
    assert load.admit(10_000, long=True) is not None
    fill(load, 10_000, long=True)
    assert load.admit(10_000, long=True) is None


def test_a_long_request_waits_for_no_more_of_a_longer_one_than_it_has_itself() -> None:
    """They go round, a slice each: an office is not refused because of a cohort beside it."""
    load = workload()
    assert load.admit(10**7, long=True) is not None
    assert load.wait(long=True) > 9
    assert load.admit(40_000, long=True) is not None
    assert fill(load, 40_000, long=True) < 10


def test_beside_a_guest_it_waits_for_a_step_at_least() -> None:
    load = workload()
    assert load.admit_background(10.0) is not None
    for _ in range(20):
        load.learn_background(0.5)
    assert load.admit(40_000, long=True) is None


@given(st.lists(st.tuples(st.integers(1, 10**6), st.booleans()), max_size=200))
def test_what_leaves_leaves_nothing_behind(requests: list[tuple[int, bool]]) -> None:
    load = workload()
    taken = [(load.admit(size, long=long), long) for size, long in requests]
    for work, long in taken:
        if work is not None:
            load.leave(work, long=long)

    assert load.wait(long=False) == 0
    assert load.wait(long=True) == 0


@pytest.mark.parametrize("truth", [0.5, 3.0])
def test_the_reckoning_follows_what_work_takes(truth: float) -> None:
    load = workload()
    at_first = fill(load, 1000, long=False)
    for _ in range(at_first):
        load.leave(COSTS.of(1000), long=False)
    for _ in range(200):
        load.learn(COSTS.of(1000) * 10, truth * (COSTS.of(1000) * 10 + COSTS.run))

    assert fill(load, 1000, long=False) == pytest.approx(at_first / truth, rel=0.05)


def test_one_measurement_that_went_wrong_changes_little() -> None:
    load = workload()
    load.learn(0.001, 0.05)

    assert fill(load, 1000, long=False) >= 15


def test_retry_after_grows_with_what_waits() -> None:
    load = workload(limit=10.0)
    assert load.retry_after == 1
    fill(load, 1000, long=False)
    assert load.admit(10**8, long=True) is not None

    assert load.retry_after >= 100


def test_costs_are_measured_on_the_real_model(responder: Responder) -> None:
    costs = measure_costs(responder)

    assert 0 < costs.run < 1
    assert 0 < costs.request < 0.1
    assert 0 < costs.byte < 1e-3


@given(
    st.lists(st.tuples(st.integers(1, 10**6), st.booleans()), max_size=100),
    st.integers(1, 10**6),
    st.booleans(),
)
def test_what_has_room_is_taken_in_and_nothing_else(
    before: list[tuple[int, bool]], size: int, long: bool
) -> None:
    load = workload()
    for one, is_long in before:
        load.admit(one, long=is_long)

    room = load.has_room(size, long=long)
    assert room is load.has_room(size, long=long)
    assert room is (load.admit(size, long=long) is not None)
