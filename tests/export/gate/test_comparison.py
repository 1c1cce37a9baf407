import numpy as np
import pytest

from export.errors import GateError
from export.gate.comparison import Subject, compare, summary, tiers_apart
from export.specification import RISK, SCORE
from records.arrays import Floats
from records.contract import load_contract
from scoring.policy.model import Policy
from scoring.policy.tiers import Tiers

CONTRACT = load_contract("simulated")
TIERS = Tiers(Policy(name="plain", version=1, contract="simulated"))
RISK_SUBJECT = Subject(RISK, CONTRACT, TIERS, "CPUExecutionProvider", "session")
SCORE_SUBJECT = Subject(SCORE, CONTRACT, TIERS, "CPUExecutionProvider", "scorer")
RECORDS = np.array([4, 9, 17], np.int32)


def probabilities() -> Floats:
    return np.random.default_rng(0).uniform(0.41, 0.69, (3, 8)).astype(np.float32)


def check(actual: Floats, expected: Floats, due: np.ndarray | None = None) -> object:
    everywhere = np.ones((3, 8), bool)
    return compare(
        RISK_SUBJECT,
        expected,
        actual,
        due=everywhere if due is None else due,
        records=RECORDS,
        case="3 records at once",
    )


def test_noise_below_the_tolerance_passes_and_is_measured() -> None:
    expected = probabilities()
    actual = expected.copy()
    actual[1, 2] += 4e-6
    difference = compare(
        RISK_SUBJECT, expected, actual, due=np.ones((3, 8), bool), records=RECORDS, case=""
    )
    assert difference.largest == pytest.approx(4e-6, rel=0.05)
    assert (difference.values, difference.decisions, difference.at_threshold) == (24, 24, 0)


def test_a_difference_names_graph_record_step_distance_and_provider() -> None:
    expected = probabilities()
    actual = expected.copy()
    actual[2, 4] += 0.01
    actual[1, 6] += 0.001
    with pytest.raises(GateError) as caught:
        check(actual, expected)
    error = caught.value
    assert (error.graph, error.record, error.step) == ("risk", 17, 5)
    assert error.distance == pytest.approx(0.01, rel=1e-3)
    message = str(error)
    assert message.startswith("risk: held-out record 17, evaluation period 5: 0.01 away from Keras")
    assert "2 of 24 values" in message
    assert "3 records at once; CPUExecutionProvider, session" in message


def test_a_missing_number_is_infinitely_far() -> None:
    expected = probabilities()
    actual = expected.copy()
    actual[0, 0] = np.nan
    with pytest.raises(GateError) as caught:
        check(actual, expected)
    assert (caught.value.record, caught.value.step) == (4, 1)
    assert caught.value.distance == np.inf


def test_a_number_that_keras_itself_does_not_give_is_refused() -> None:
    expected = probabilities()
    expected[0, 0] = np.nan
    with pytest.raises(GateError, match="record 4, evaluation period 1"):
        check(expected.copy(), expected)


def test_only_due_answers_count_and_no_others_may_be_given() -> None:
    expected = probabilities()
    due = np.arange(8) < np.array([[8], [3], [0]])
    actual = np.where(due, expected, np.float32(np.nan))
    difference = compare(RISK_SUBJECT, expected, actual, due=due, records=RECORDS, case="")
    assert (difference.values, difference.decisions) == (11, 11)
    actual[2, 0] = 0.5
    with pytest.raises(GateError, match="beyond the end of a history"):
        check(actual, expected, due)


def test_another_shape_is_refused() -> None:
    expected = probabilities()
    with pytest.raises(GateError, match=r"shape \(3, 7\) instead of \(3, 8\)"):
        check(expected[:, :7], expected)


def test_a_score_is_measured_against_its_range_and_has_no_tiers() -> None:
    expected = np.full((3, 8, 1), 60, np.float32)
    due = np.ones((3, 8), bool)
    difference = compare(
        SCORE_SUBJECT, expected, expected + np.float32(5e-4), due=due, records=RECORDS, case=""
    )
    assert (difference.values, difference.decisions) == (24, 0)
    with pytest.raises(GateError, match="score: held-out record 4"):
        compare(
            SCORE_SUBJECT, expected, expected + np.float32(2e-3), due=due, records=RECORDS, case=""
        )


@pytest.mark.parametrize("threshold", [0.4, 0.7])
def test_noise_across_a_threshold_is_counted_and_not_refused(threshold: float) -> None:
    expected, actual = probabilities(), probabilities()
    expected[1, 1], actual[1, 1] = threshold - 3e-6, threshold + 3e-6
    difference = compare(
        RISK_SUBJECT, expected, actual, due=np.ones((3, 8), bool), records=RECORDS, case=""
    )
    assert difference.at_threshold == 1


def test_a_probability_exactly_at_a_threshold_belongs_to_the_upper_tier_for_both() -> None:
    expected = np.full((3, 8), 0.7, np.float32)
    difference = compare(
        RISK_SUBJECT,
        expected,
        np.nextafter(expected, np.float32(0)),
        due=np.ones((3, 8), bool),
        records=RECORDS,
        case="",
    )
    assert difference.at_threshold == 0


def test_only_the_same_threshold_nearby_excuses_another_tier() -> None:
    expected = np.array([[0.4 - 5e-6, 0.5, 0.4 - 5e-6, 0.4 - 1e-4]], np.float32)
    actual = np.array([[0.4 + 5e-6, 0.5, 0.7 + 5e-6, 0.4 + 1e-6]], np.float32)
    other, excusable = tiers_apart(TIERS, expected, actual, 1e-5)
    assert other.tolist() == [[True, False, True, True]]
    assert excusable.tolist() == [[True, False, False, False]]


def test_a_tier_that_differs_without_a_threshold_nearby_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = iter((0, 1))
    monkeypatch.setattr(
        Tiers, "decide", lambda _, values: np.full(values.shape, next(calls), np.int8)
    )
    expected = probabilities()
    with pytest.raises(GateError, match="another tier than Keras"):
        check(expected, expected)


def test_a_summary_adds_up_and_keeps_the_largest() -> None:
    expected = probabilities()
    due = np.ones((3, 8), bool)
    parts = [
        compare(
            RISK_SUBJECT,
            expected,
            expected + np.float32(shift),
            due=due,
            records=RECORDS,
            case="",
        )
        for shift in (0, 5e-6)
    ]
    parity = summary(RISK_SUBJECT, parts)
    assert (parity.cases, parity.values, parity.decisions) == (2, 48, 48)
    assert parity.largest_difference == pytest.approx(5e-6, rel=0.05)
    assert (parity.graph, parity.provider, parity.path) == (
        "risk",
        "CPUExecutionProvider",
        "session",
    )
