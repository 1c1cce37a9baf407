"""When the estimate moved: steps that sum to the whole way, and the period of the turn."""

import numpy as np
import pytest

from explain.logits import logit
from explain.reasons.when import LASTING, describe_course, find_turn

NAN = float("nan")


def test_steps_sum_to_the_way_from_the_start_to_the_last_estimate() -> None:
    course = describe_course(np.array([0.3, 0.35, 0.6, 0.74]), 0.25)
    assert [step.period for step in course.steps] == [1, 2, 3, 4]
    assert [step.risk for step in course.steps] == [0.3, 0.35, 0.6, 0.74]
    total = sum(step.effect for step in course.steps)
    assert total == pytest.approx(float(logit(0.74) - logit(0.25)), abs=1e-5)


def test_periods_without_an_estimate_are_left_out_and_their_step_goes_to_the_next() -> None:
    course = describe_course(np.array([NAN, 0.3, NAN, 0.74]), 0.25)
    assert [step.period for step in course.steps] == [2, 4]
    assert course.steps[1].effect == pytest.approx(float(logit(0.74) - logit(0.3)), abs=1e-5)


@pytest.mark.parametrize(
    ("trajectory", "period", "direction", "before"),
    [
        ([0.3, 0.3, 0.5, 0.74], 3, "up", 0.3),  # the latest of equally low estimates
        ([0.7, 0.3, 0.5, 0.74], 3, "up", 0.3),  # not the earlier fall
        ([0.2, 0.7, 0.6, 0.5], 2, "up", 0.2),  # farther from the beginning than from the peak
        ([0.5, 0.9, 0.3], 3, "down", 0.9),
        ([NAN, 0.3, NAN, 0.74], 4, "up", 0.3),
    ],
)
def test_the_turn_is_where_the_farthest_move_to_now_began(
    trajectory: list[float], period: int, direction: str, before: float
) -> None:
    turn = find_turn(np.array(trajectory))
    assert turn is not None
    found = turn.period, turn.direction, turn.before, turn.now
    assert found == (period, direction, before, trajectory[-1])


@pytest.mark.parametrize("trajectory", [[0.5], [0.5, 0.5 + LASTING / 8], [NAN, 0.4], [NAN]])
def test_a_steady_estimate_has_no_turn(trajectory: list[float]) -> None:
    assert find_turn(np.array(trajectory)) is None
