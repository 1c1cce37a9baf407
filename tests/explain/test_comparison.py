"""What students are compared with: the nearest typical trajectory that is long enough."""

import numpy as np
import pytest

from explain.comparison import Comparisons
from records.arrays import Floats
from records.contract import Contract, Feature, Kind
from records.learnt.typical import Trajectory, Typical
from tests.records.small_table import CONTRACT

NAN = float("nan")
# Marks last, clicks are counted anew each week; both between 0 and 100.
FEATURES = (
    Feature(name="marks", label="Marks", minimum=0, maximum=100),
    Feature(name="clicks", label="Clicks", minimum=0, maximum=100),
    Feature(name="module", label="Module", kind=Kind.CATEGORICAL, levels=("a", "b")),
)
SMALL = Contract(**(dict(CONTRACT) | {"features": FEATURES}))


def trajectory(group: str | None, intake: str | None, rows: list[list[float | None]]) -> Trajectory:
    median = tuple(tuple(row) for row in rows)
    return Trajectory(
        group=group,
        intake=intake,
        records=tuple(range(60, 60 - len(rows), -1)),
        median=median,
        low=median,
        high=median,
    )


def comparisons(*found: Trajectory) -> Comparisons:
    typical = Typical(
        within="module",
        features=SMALL.feature_names,
        lasting=("marks",),
        trajectories=found or (COHORT,),
    )
    return Comparisons(SMALL, typical)


COHORT = trajectory(None, None, [[50, 10, 0], [52, 20, 0], [54, 10, 0], [None, 30, 0]])
OF_A = trajectory("a", "2025", [[40, 5, 0], [42, 5, 0]])


def history(*rows: list[float]) -> Floats:
    return np.array(rows, np.float32)


def test_a_student_is_compared_with_the_group_that_he_was_last_seen_in() -> None:
    found = comparisons(OF_A, COHORT).typical(history([60, 5, 1], [60, 5, 0]))
    assert (found.kind, found.usual and found.usual.group) == ("typical", "a")
    np.testing.assert_array_equal(found.values, history([40, 5, 0], [42, 5, 0]))


def test_a_longer_history_than_the_groups_is_compared_with_the_whole_cohort() -> None:
    found = comparisons(OF_A, COHORT).typical(history(*[[60.0, 5, 0]] * 3))
    assert found.usual is not None
    assert (found.usual.group, found.usual.records[2]) == (None, 58)


def test_a_student_of_another_group_or_of_none_is_compared_with_the_whole_cohort() -> None:
    for module in (1, NAN):
        found = comparisons(OF_A, COHORT).typical(history([60, 5, module]))
        assert found.usual is not None
        assert found.usual.group is None


def test_where_no_trajectory_is_long_enough_nothing_is_compared_with() -> None:
    found = comparisons(OF_A).typical(history(*[[60.0, 5, 0]] * 3))
    assert (found.kind, found.usual) == ("nothing", None)
    assert np.isnan(found.values).all()
    assert Comparisons(SMALL, None).typical(history([60, 5, 0])).kind == "nothing"


def test_what_lasts_keeps_its_last_distance_and_what_is_measured_anew_its_mean_distance() -> None:
    # Clicks lie 20, 40 and 0 above the median: 20 on average. Marks lie 8 above it at last.
    own = history([90, 30, 1], [60, 60, 1], [62, 10, 1])
    chosen = comparisons()
    usual = chosen.usual_for(own, 3)
    found = chosen.continued(own[:2], usual, 1)
    np.testing.assert_array_equal(found, history([62, 40, 1]))
    # In week 4 the typical student has no mark any more.
    found = chosen.continued(own, usual, 1)
    np.testing.assert_array_equal(found, history([NAN, 50, 1]))


def test_a_continued_number_stays_within_the_contracts_limits() -> None:
    chosen, own = comparisons(), history([99, 95, 0])
    found = chosen.continued(own, chosen.usual_for(own, 2), 1)
    np.testing.assert_array_equal(found, history([100, 100, 0]))


def test_what_was_never_observed_is_as_in_the_typical_trajectory() -> None:
    chosen = comparisons()
    own = history([NAN, 30, NAN])
    np.testing.assert_array_equal(
        chosen.continued(own, chosen.usual_for(own, 2), 1), history([52, 40, 0])
    )
    np.testing.assert_array_equal(chosen.continued(own, None, 2), history(*[[NAN, 30, NAN]] * 2))


def test_a_value_that_typical_students_never_have_stays() -> None:
    sparse = comparisons(trajectory(None, None, [[None, 10, 0], [None, 20, 0]]))
    own = history([70, 10, 0])
    found = sparse.continued(own, sparse.usual_for(own, 2), 1)
    np.testing.assert_array_equal(found, history([70, 20, 0]))


def test_the_own_course_is_the_history_up_to_a_period_and_continued_from_there() -> None:
    own = history([60, 30, 1], [10, 0, 1], [5, 0, 1])
    found = comparisons().own_course(own, 1)
    assert (found.kind, found.since) == ("own_course", 1)
    np.testing.assert_array_equal(found.values, history([60, 30, 1], [62, 40, 1], [64, 30, 1]))


@pytest.mark.parametrize("periods", [1, 3])
def test_without_a_trajectory_values_stay_where_they_were(periods: int) -> None:
    own = history([60, 10, 1], [62, 20, 1])
    found = Comparisons(SMALL, None).continued(own, None, periods)
    # Without a cohort nothing says that marks last: their mean stands for both.
    np.testing.assert_array_equal(found, history(*[[61.0, 15, 1]] * periods))
