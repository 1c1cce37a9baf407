"""Weighted figures: a weight of three is the same step three times, and scikit-learn agrees."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sklearn import metrics

from evaluation.weighted import (
    RISK_FIGURES,
    SCORE_FIGURES,
    Judged,
    expected_calibration_error,
    ones,
    precision_at,
    recall_at,
)

STEPS = st.lists(
    st.tuples(st.booleans(), st.integers(0, 8), st.integers(0, 3)), min_size=1, max_size=40
)


def _judged(steps: list[tuple[bool, int, int]]) -> tuple[Judged, np.ndarray]:
    outcome, eighths, weight = (np.array(column, float) for column in zip(*steps, strict=True))
    return Judged(outcome, eighths / 8), weight[None]


# Equal scores but for one that the resample does not hold: rounding is no variation.
@example([(False, 0, 0)] * 4 + [(False, 0, 2), (False, 0, 3), (True, 0, 0)])
@given(STEPS)
def test_a_weight_counts_like_repetition(steps: list[tuple[bool, int, int]]) -> None:
    judged, weight = _judged(steps)
    times = weight[0].astype(int)
    repeated = Judged(np.repeat(judged.actual, times), np.repeat(judged.predicted, times))
    for name, figure in {**RISK_FIGURES, **SCORE_FIGURES}.items():
        if name != "expected_calibration_error":  # its bins are those of the sample
            expected = figure(repeated, ones(repeated))
            np.testing.assert_allclose(figure(judged, weight), expected, atol=1e-9, err_msg=name)


@given(STEPS)
def test_scikit_learn_gives_the_same(steps: list[tuple[bool, int, int]]) -> None:
    judged, weight = _judged(steps)
    truth, warned = judged.actual > 0.5, judged.predicted >= 0.5
    if 0 < (weight[0] * truth).sum() < weight.sum():
        for name, theirs in {
            "auc": metrics.roc_auc_score(truth, judged.predicted, sample_weight=weight[0]),
            "pr_auc": metrics.average_precision_score(
                truth, judged.predicted, sample_weight=weight[0]
            ),
            "brier": metrics.brier_score_loss(truth, judged.predicted, sample_weight=weight[0]),
            "recall": metrics.recall_score(truth, warned, sample_weight=weight[0]),
            "f1": metrics.f1_score(truth, warned, sample_weight=weight[0]),
        }.items():
            assert RISK_FIGURES[name](judged, weight)[0] == pytest.approx(theirs), name
        theirs = metrics.r2_score(judged.actual, judged.predicted, sample_weight=weight[0])
        assert SCORE_FIGURES["r2"](judged, weight)[0] == pytest.approx(theirs)


@given(STEPS, st.randoms())
def test_the_order_of_the_steps_means_nothing(
    steps: list[tuple[bool, int, int]], random: object
) -> None:
    judged, weight = _judged(steps)
    shuffled = steps.copy()
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    other, other_weight = _judged(shuffled)
    for figure in RISK_FIGURES.values():
        np.testing.assert_allclose(figure(judged, weight), figure(other, other_weight), atol=1e-9)


def test_calibration_by_hand() -> None:
    # Ten bins of two: the lower nine say what happens, the last says 1 of a half.
    predicted = np.repeat([0.0, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 1.0], 2)
    actual = np.zeros(20)
    actual[-1] = 1
    judged = Judged(actual, predicted)
    expected = (sum(range(9)) / 100 + 0.5) / 10
    assert expected_calibration_error(judged, ones(judged))[0] == pytest.approx(expected)


def test_everybody_at_one_probability_shares_a_bin() -> None:
    judged = Judged(np.array([1.0, 0, 0, 0]), np.full(4, 0.25))
    assert expected_calibration_error(judged, ones(judged))[0] == pytest.approx(0)


def test_capacity_by_hand_and_lots_are_drawn_among_equals() -> None:
    actual = np.array([1.0, 0, 1, 0, 0, 0, 0, 1, 0, 0])
    judged = Judged(actual, np.array([0.9, 0.8, 0.7, 0.7, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1]))
    assert precision_at(0.1)(judged, ones(judged))[0] == 1
    assert precision_at(0.2)(judged, ones(judged))[0] == 0.5
    # The third place goes to one of two, one of whom is at risk.
    assert recall_at(0.3)(judged, ones(judged))[0] == pytest.approx(1.5 / 3)
    flat = Judged(actual, np.full(10, 0.3))
    assert precision_at(0.2)(flat, ones(flat))[0] == pytest.approx(0.3)
