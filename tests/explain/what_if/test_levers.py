"""Levers: what can be changed, within which range, and to which better levels."""

import numpy as np
import pytest

from explain.what_if.levers import Lever, find_levers, moves_of
from records.contract import Better, Feature, Kind
from tests.explain.small_course import COURSE, NAMES, NAN, STRUGGLING, comparisons


def levers(hidden: tuple[str, ...] = (), periods: tuple[int, ...] = (2, 3)) -> list[Lever]:
    chosen = comparisons()
    standing = chosen.standing(STRUGGLING)
    return find_levers(COURSE, chosen.usual_for(STRUGGLING, 4), standing, periods, hidden)


def lever(now: float, typical: float, low: float, high: float, **of_feature: object) -> Lever:
    known = {"name": "marks", "label": "Marks", "better": Better.HIGHER, "actionable": True}
    feature = Feature.model_validate(known | of_feature)
    return Lever(0, feature, "Marks", now, typical, low, high)


def test_actionable_features_with_a_direction_can_be_changed_within_the_reference() -> None:
    found = {one.feature.name: one for one in levers()}
    assert set(found) == {"marks", "missing", "overdue", "rating"}
    marks = found["marks"]
    assert (marks.now, marks.typical, marks.low, marks.high) == (40, 60, 40, 90)
    assert found["missing"].now == 2  # lasts: not the mean of 1 and 2
    assert found["missing"].group == found["overdue"].group == "Submissions"


def test_the_range_is_that_of_the_first_period_in_which_typical_students_have_a_value() -> None:
    assert next(one for one in levers(periods=(3,))).feature.name == "marks"
    assert np.isnan(levers(periods=(3,))[0].typical)
    assert levers(periods=(2, 3))[0].typical == 60


def test_hidden_features_are_not_offered_and_without_a_reference_none_is() -> None:
    assert "marks" not in {one.feature.name for one in levers(hidden=("marks",))}
    assert find_levers(COURSE, None, np.zeros(len(NAMES), np.float32), (2,), ()) == []


@pytest.mark.parametrize(
    ("now", "typical", "expected"),
    [
        (40, 60, [60, 75, 90]),
        (70, 60, [80, 90]),  # better than typical: half-way from now, then the best
        (90, 60, []),
        (95, 60, []),
        (NAN, 60, [60, 75, 90]),
        (40, NAN, [65, 90]),
        (NAN, NAN, [90]),
    ],
)
def test_up_to_three_better_levels_lead_to_the_better_end(
    now: float, typical: float, expected: list[float]
) -> None:
    assert lever(now, typical, 40, 90).better_levels() == expected


def test_lower_is_better_where_the_contract_says_so() -> None:
    found = lever(3, 1, 0, 4, better=Better.LOWER)
    assert found.better_levels() == [1, 0.5, 0]
    assert found.best == 0


def test_levels_are_round_numbers_and_whole_levels() -> None:
    assert lever(0, 33.3333, 0, 90).better_levels() == [33, 62, 90]
    graded = lever(0, 1, 0, 2, kind=Kind.ORDINAL, levels=["poor", "fair", "good"])
    assert graded.better_levels() == [1, 2]
    assert graded.step == 1


def test_distances_are_widths_of_the_range() -> None:
    assert lever(40, 60, 40, 90).distance(65) == pytest.approx(0.5)
    assert lever(NAN, 60, 40, 90).distance(65) == 1


def test_features_of_a_group_move_together_to_their_levels() -> None:
    moves = {group[0].group: group for group in moves_of(levers(), ())}
    assert set(moves) == {"Marks", "Submissions", "Rating"}
    submissions = [
        {NAMES[column]: value for column, value in move.values.items()}
        for move in moves["Submissions"]
    ]
    assert submissions == [{"missing": 0, "overdue": 0}]
    assert [move.values[0] for move in moves["Marks"]] == [60, 75, 90]
    distances = [move.distance for move in moves["Marks"]]
    assert distances == sorted(distances)
    assert "Submissions" not in {g[0].group for g in moves_of(levers(), ("Submissions",))}
