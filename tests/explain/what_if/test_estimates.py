"""Estimates beside recommendations: the feature at the policy's target, against going on as before."""

import numpy as np
import pytest

from explain.questions import answer_in_steps
from explain.what_if.estimates import RecommendationEstimate, estimate_recommendations
from explain.what_if.futures import Futures
from records.arrays import Floats
from scoring.policy.model import Policy
from scoring.steps import finish
from tests.explain.small_course import COURSE, NAN, STRUGGLING, TYPICAL, predict, relatives, risk_of

_RULE = {
    "recommendation": "Talk.",
    "message": "Let us talk.",
    "owner": "tutor",
    "due_days": 7,
    "effort_minutes": 20,
}
POLICY = Policy.model_validate(
    {
        "name": "small",
        "version": 1,
        "contract": COURSE.name,
        "owners": {"tutor": {"label": "Tutor"}},
        "rules": [
            {"id": "marks-low", "feature": "marks", "measure": "level", "worse_than": 55, **_RULE},
            {"id": "missing", "feature": "missing", "measure": "level", "worse_than": 1, **_RULE},
            {
                "id": "rating",
                "feature": "rating",
                "measure": "level",
                "worse_than": "fair",
                **_RULE,
            },
            {"id": "marks-gap", "feature": "marks", "measure": "gap", "at_least": 2, **_RULE},
            {"id": "older", "feature": "age", "measure": "level", "worse_than": 30, **_RULE},
        ],
    }
)


def estimated(
    *recommended: tuple[int, float], history: Floats = STRUGGLING, hidden: tuple[str, ...] = ()
) -> dict[str, RecommendationEstimate]:
    futures = Futures(COURSE, TYPICAL, relatives())
    question = estimate_recommendations(futures, POLICY, history, recommended, hidden)
    return {one.rule: one for one in finish(answer_in_steps(predict, question))}


def test_each_recommendation_is_estimated_at_its_own_target() -> None:
    found = estimated((0, 55.0), (1, 1.0), (2, NAN), (3, NAN))
    assert {rule: one.to for rule, one in found.items()} == {
        "marks-low": 55,
        "missing": 1,
        "rating": "fair",
        "marks-gap": 60,  # a rule without a target of its own: as a typical student
    }
    unchanged = risk_of(missing=2, overdue=10.5, rating=0)  # no marks are given in week 4
    better = risk_of(missing=1, overdue=10.5, rating=0)
    assert found["missing"].risk == pytest.approx(better, abs=1e-5)
    assert found["missing"].change == pytest.approx(better - unchanged, abs=2e-6)
    assert found["missing"].periods == 2


def test_the_largest_reduction_comes_first() -> None:
    found = list(estimated((0, 55.0), (1, 1.0), (2, NAN)).values())
    assert [one.rule for one in found] == ["rating", "missing", "marks-low"]
    assert [one.change for one in found] == sorted(one.change for one in found)


def test_what_cannot_be_changed_or_is_at_its_target_has_no_estimate() -> None:
    assert estimated((4, 30.0)) == {}
    assert estimated((1, 1.0), hidden=("missing",)) == {}
    assert estimated((0, 35.0)) == {}  # marks are 40 already
    assert estimated() == {}
    whole = np.tile(STRUGGLING[-1:], (COURSE.periods.maximum, 1))
    assert estimated((1, 1.0), history=whole) == {}
