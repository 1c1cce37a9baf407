"""Naive rows need no training records; curves tell what the figures sum up."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.curves import lift_curve, reliability_curve
from evaluation.known import known_risk, known_score
from evaluation.naive import learn_naive, naive_risk, naive_score
from evaluation.weighted import Judged, expected_calibration_error, ones
from records.cohort import Cohort
from tests.training.small_cohort import small_cohort
from training.baselines.naive import risk_base_rate, score_last, score_mean, score_mean_so_far
from training.data.parts import Parts

CASES = st.lists(st.tuples(st.booleans(), st.integers(0, 10)), min_size=1, max_size=60)


def test_the_facts_give_the_rows_that_training_gives(cohort: Cohort) -> None:
    parts = Parts(cohort, small_cohort(40, seed=1), small_cohort(60, seed=2))
    facts = type(learn_naive(cohort)).model_validate_json(learn_naive(cohort).model_dump_json())
    assert facts.carried["last_score"] == {"maths": "mark", "reading": "mark"}
    counts = known_risk(parts.test)
    np.testing.assert_allclose(
        naive_risk(facts, parts.test)["base_rate"][counts],
        risk_base_rate(parts, 0).predict(parts.test)[counts],
    )
    rows, steps = naive_score(facts, parts.test), known_score(parts.test)
    for name, fit in {
        "mean": score_mean,
        "last_score": score_last,
        "mean_so_far": score_mean_so_far,
    }.items():
        fitted = fit(parts, 0)
        assert fitted is not None
        expected = fitted.predict(parts.test)[steps]
        np.testing.assert_allclose(rows[name][steps], expected, rtol=1e-6)


@given(CASES)
def test_reliability_sums_up_to_the_calibration_error(cases: list[tuple[bool, int]]) -> None:
    truth, tenths = zip(*cases, strict=True)
    judged = Judged(np.array(truth, float), np.array(tenths) / 10)
    points = reliability_curve(judged)
    distance = sum(point.records * abs(point.probability - point.at_risk) for point in points)
    expected = expected_calibration_error(judged, ones(judged))[0]
    assert distance / len(cases) == pytest.approx(expected, abs=1e-12)
    assert sum(point.records for point in points) == len(cases)


@given(CASES)
def test_seeing_more_never_finds_fewer(cases: list[tuple[bool, int]]) -> None:
    truth, tenths = zip(*cases, strict=True)
    points = lift_curve(Judged(np.array(truth, float), np.array(tenths) / 10))
    recalls = [point.recall for point in points if point.recall is not None]
    assert recalls == pytest.approx(sorted(recalls))
    assert points[-1].precision == pytest.approx(np.mean(truth))


def test_nobody_gives_no_curve() -> None:
    empty = Judged(np.array([]), np.array([]))
    assert reliability_curve(empty) == []
    assert lift_curve(empty) == []
