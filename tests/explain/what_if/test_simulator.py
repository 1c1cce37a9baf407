"""What the model would estimate: futures, ranges, relative features anew, recourse in words."""

from dataclasses import replace

import numpy as np
import pytest

from explain.bundles import simulator_of
from explain.what_if.futures import FutureRequest
from explain.what_if.simulator import Hidden, Simulator, WhatIfRequest
from explain.what_if.types import FutureEstimate, WhatIf
from records.learnt.relative import Moments
from scoring.runtime.scorer import Scorer
from scoring.steps import finish
from tests.explain.conftest import Students
from tests.explain.small_course import (
    MARKS,
    MISSING,
    NAN,
    RATING,
    STANDING,
    STRUGGLING,
    history,
    predict,
    relatives,
    risk_of,
    simulator,
)

RISK = float(predict(STRUGGLING[None], np.array([2], np.int32))[0, -1])
ASKED = WhatIfRequest(STRUGGLING, RISK)


def answered(request: WhatIfRequest = ASKED, by: Simulator | None = None) -> WhatIf:
    return finish((by or simulator()).simulate_in_steps(request))


def future(found: WhatIf, name: str) -> FutureEstimate:
    [one] = [one for one in found.futures if one.name == name]
    return one


def own(**changes: float) -> WhatIfRequest:
    columns = {"marks": MARKS, "missing": MISSING, "rating": RATING}
    values = {columns[name]: value for name, value in changes.items()}
    return replace(ASKED, futures=[FutureRequest("plan", changes=values)])


def test_going_on_as_before_gives_the_estimate_of_the_last_three_periods_values() -> None:
    found = future(answered(), "as_last_three")
    expected = risk_of(marks=40, missing=2, overdue=10.5, standing=-2, rating=0)
    assert found.trajectory[0].risk == pytest.approx(expected, abs=1e-5)
    assert [point.period for point in found.trajectory] == [3, 4]
    assert found.changes == {}
    assert found.label == "As in the last three weeks"
    assert found.text == f"The model would then estimate {found.risk:.2f}."


def test_a_typical_future_takes_the_medians_for_actionable_features_alone() -> None:
    found = future(answered(), "typical")
    assert found.trajectory[0].risk == pytest.approx(risk_of(), abs=1e-5)
    assert found.changes == {"marks": 60, "missing": 0, "overdue": 0, "rating": "fair"}
    assert found.change == pytest.approx(found.risk - RISK, abs=1e-5)
    assert (found.tier, found.outside) == ("low", ())


def test_handing_in_what_is_due_clears_what_the_contract_names() -> None:
    found = future(answered(), "hand_in")
    assert found.changes == {"missing": 0, "overdue": 0}
    expected = risk_of(marks=40, standing=-2, rating=0)
    assert found.trajectory[0].risk == pytest.approx(expected, abs=1e-5)


def test_nothing_can_be_handed_in_where_nothing_is_due() -> None:
    done = WhatIfRequest(history([40, 0, 0, 25, -2, 0]), 0.7)
    assert [one.name for one in answered(done).futures] == ["as_last_three", "typical"]


def test_relative_features_are_computed_anew_by_the_one_formula() -> None:
    found = future(answered(own(marks=70)), "plan")
    # (70 - 60) / 10 above the others
    expected = risk_of(marks=70, missing=2, overdue=10.5, standing=1, rating=0)
    assert found.trajectory[0].risk == pytest.approx(expected, abs=1e-5)
    kept = relatives().default
    assert kept is not None
    moments = Moments(kept.layout, kept.count, kept.mean + 10, kept.spread)
    sent = future(answered(replace(own(marks=70), moments=moments)), "plan")
    expected = risk_of(marks=70, missing=2, overdue=10.5, standing=0, rating=0)
    assert sent.trajectory[0].risk == pytest.approx(expected, abs=1e-5)


def test_where_nothing_says_what_to_compare_with_the_standing_stays() -> None:
    bare = simulator(is_relative=False)
    found = future(answered(own(marks=70), by=bare), "plan")
    expected = risk_of(marks=70, missing=2, overdue=10.5, standing=-2, rating=0)
    assert found.trajectory[0].risk == pytest.approx(expected, abs=1e-5)


def test_a_change_shows_only_in_periods_in_which_typical_students_have_a_value() -> None:
    rows = simulator().futures.histories(
        (outlook := simulator().futures.outlook(STRUGGLING, 2)), [outlook.changed({MARKS: 70})]
    )
    np.testing.assert_array_equal(rows[0, 2:, MARKS], [70, NAN])
    np.testing.assert_array_equal(rows[0, :2], STRUGGLING)
    np.testing.assert_array_equal(rows[0, 2:, STANDING], [1, NAN])


def test_values_outside_the_reference_are_answered_and_named() -> None:
    found = future(answered(own(marks=95, rating=2)), "plan")
    [outside] = found.outside
    assert (outside.feature, outside.period, outside.low, outside.high) == ("marks", 3, 40, 90)
    assert found.text.endswith("Few students of the reference had such values: Marks.")


def test_levers_show_where_the_student_stands_within_the_range() -> None:
    found = answered()
    marks = found.levers[0]
    assert (marks.feature, marks.now, marks.typical) == ("marks", 40, 60)
    assert (marks.low, marks.high, marks.step, marks.better) == (40, 90, 1, "higher")
    rating = found.levers[-1]
    assert (rating.now, rating.typical, rating.high) == ("poor", "fair", "good")
    assert found.ranges_from is not None
    assert (found.ranges_from.intake, found.ranges_from.records) == ("2025", 46)


def test_recourse_names_the_smallest_change_below_the_present_tier() -> None:
    found = answered()
    assert found.tier == "high"
    recourse = found.recourse
    assert recourse is not None
    assert (recourse.below, recourse.found, recourse.periods) == (0.7, True, 2)
    assert recourse.risk < 0.7
    [change] = recourse.changes
    assert change.group == "Submissions"
    assert [(one.feature, one.to) for one in change.features] == [("missing", 0), ("overdue", 0)]
    assert recourse.text == (
        "The smallest change that would bring the estimate below 0.7, for the next 2 weeks: "
        "Work not handed in 0; Longest overdue 0 days."
    )


def test_recourse_goes_by_the_bound_that_is_asked_for() -> None:
    lower = answered(replace(ASKED, below=0.2)).recourse
    assert lower is not None
    assert lower.found
    assert len(lower.changes) > 1
    none = answered(replace(ASKED, below=0.001)).recourse
    assert none is not None
    assert (none.found, none.changes) == (False, ())
    assert none.text.startswith("None within reach")
    already = answered(replace(ASKED, below=0.99)).recourse
    assert already is not None
    assert already.text.startswith("Nothing has to change")


def test_the_lowest_tier_needs_no_recourse_and_it_can_be_left_out() -> None:
    assert answered(replace(ASKED, risk=0.2)).recourse is None
    assert answered(replace(ASKED, has_recourse=False)).recourse is None


def test_what_is_hidden_is_neither_offered_nor_moved() -> None:
    hidden = Hidden(features=("marks",), groups=("Submissions",))
    found = answered(replace(ASKED, below=0.2), by=simulator(hidden))
    assert found.hidden == ("marks",)
    assert "marks" not in {lever.feature for lever in found.levers}
    assert found.recourse is not None
    assert {change.group for change in found.recourse.changes} <= {"Rating"}


def test_no_more_periods_are_appended_than_the_contract_has() -> None:
    found = answered(WhatIfRequest(np.tile(STRUGGLING[-1:], (3, 1)), RISK, periods=4))
    assert found.periods == 1
    assert [point.period for point in found.futures[0].trajectory] == [4]
    assert found.recourse is not None
    assert "for the next week:" in found.recourse.text or not found.recourse.found


def test_the_graph_of_a_bundle_is_asked_about_the_appended_periods(
    scorer: Scorer, students: Students
) -> None:
    by = simulator_of(scorer, Hidden())
    row = 5  # six periods
    past = students.values[row, :6]
    risk = float(students.trajectories[row, 5])
    found = answered(
        WhatIfRequest(past, risk, futures=[FutureRequest("plan", changes={0: 90.0, 1: 80.0})]), by
    )
    rows = by.futures.histories(
        (outlook := by.futures.outlook(past, 2)), [outlook.changed({0: 90.0, 1: 80.0})]
    )
    assert (rows[0, 6:, 0] == 90).all()
    expected = scorer.score(rows, np.array([8], np.int32), forecast=False).risk[0]
    [plan] = found.futures
    assert [point.risk for point in plan.trajectory] == pytest.approx(
        expected[6:].tolist(), abs=1e-5
    )
    assert found.risk == pytest.approx(float(expected[5]), abs=1e-5)
