"""Rules over arrays: measures by hand, and the laws that hold for any students."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from records.arrays import Floats, Ints
from scoring.policy.model import Policy
from tests.scoring.evaluated import Evaluation, Rules
from tests.scoring.school import CONTRACT, FEATURES, PERIODS, REFERENCE

# A busy machine is no fault of the code.
unhurried = settings(deadline=None)
NAN = float("nan")


def compiled(*rules: dict[str, object]) -> Rules:
    words = {"recommendation": "Talk.", "message": "Hello.", "owner": "tutor"}
    policy = Policy.model_validate(
        {
            "name": "school",
            "version": 1,
            "contract": "school",
            "owners": {"tutor": {"label": "Tutor"}},
            "rules": [
                {"id": f"r{i}", "due_days": 7, "effort_minutes": 5, **words, **rule}
                for i, rule in enumerate(rules)
            ],
        }
    )
    return Rules(policy, CONTRACT, REFERENCE)


def student(**columns: list[float]) -> tuple[Floats, Ints]:
    """One student's values and length from the observed part of some features."""
    length = max(len(column) for column in columns.values())
    values = np.full((1, PERIODS, len(FEATURES)), np.nan, np.float32)
    for name, column in columns.items():
        values[0, : len(column), FEATURES.index(name)] = column
    return values, np.array([length], np.int32)


def found(rule: dict[str, object], **columns: list[float]) -> Evaluation:
    return compiled(rule).evaluate(*student(**columns))


def level(feature: str, **condition: object) -> dict[str, object]:
    return {"feature": feature, "measure": "level", **condition}


def trend(feature: str, **condition: object) -> dict[str, object]:
    return {"feature": feature, "measure": "trend", **condition}


def gap(feature: str, **condition: object) -> dict[str, object]:
    return {"feature": feature, "measure": "gap", **condition}


def test_a_level_is_the_mean_of_the_last_observed_values() -> None:
    seen = found(level("mark", window=2, worse_than=50), mark=[10, 40, NAN, 50, NAN])
    assert seen.measured[0, 0] == 45
    assert seen.expected[0, 0] == 50
    assert (seen.first[0, 0], seen.last[0, 0]) == (2, 4)
    assert seen.hits[0, 0]


def test_a_level_uses_as_many_values_as_there_are() -> None:
    seen = found(level("mark", window=5, worse_than=50), mark=[NAN, 40, 50])
    assert seen.measured[0, 0] == 45


def test_a_level_of_nothing_observed_says_nothing() -> None:
    seen = found(level("mark", worse_than=50), mark=[NAN, NAN])
    assert not seen.hits[0, 0]
    assert np.isnan(seen.measured[0, 0])
    assert (seen.first[0, 0], seen.last[0, 0]) == (0, 0)


@pytest.mark.parametrize(("mark", "hit"), [(49.999, True), (50, False), (50.001, False)])
def test_worse_than_excludes_the_target_itself(mark: float, hit: bool) -> None:
    assert found(level("mark", worse_than=50), mark=[mark]).hits[0, 0] == hit


def test_a_target_is_not_missed_by_the_rounding_of_float32() -> None:
    assert float(np.float32(0.7)) < 0.7
    assert not found(level("mark", worse_than=0.7), mark=[0.7]).hits[0, 0]
    assert found(level("mark", worse_than=0.7), mark=[0.6998]).hits[0, 0]


def test_where_lower_is_better_a_higher_value_is_worse() -> None:
    assert found(level("late", worse_than=3), late=[4]).hits[0, 0]
    assert not found(level("late", worse_than=3), late=[2]).hits[0, 0]


def test_an_ordinal_level_is_worse_by_its_position() -> None:
    rule = level("rating", worse_than="fair")
    assert found(rule, rating=[2, 0]).hits[0, 0]
    assert not found(rule, rating=[0, 1]).hits[0, 0]
    assert found(rule, rating=[0]).expected[0, 0] == 1


@pytest.mark.parametrize(("code", "hit"), [(0, False), (1, True), (2, False), (3, True)])
def test_a_categorical_level_hits_where_it_is_listed(code: int, hit: bool) -> None:
    seen = found(level("group", is_any=["b", "d"]), group=[1, code, NAN])
    assert seen.hits[0, 0] == hit
    assert seen.measured[0, 0] == code


def test_a_flag_hits_on_its_last_observed_state() -> None:
    rule = level("tutored", is_any=[False])
    assert found(rule, tutored=[1, 0, NAN]).hits[0, 0]
    assert not found(rule, tutored=[0, 1]).hits[0, 0]
    assert not found(rule, tutored=[NAN]).hits[0, 0]


def test_an_ordinal_level_can_be_listed_too() -> None:
    assert found(level("rating", is_any=["good"]), rating=[2]).hits[0, 0]
    assert not found(level("rating", is_any=["good"]), rating=[0]).hits[0, 0]


def test_a_trend_is_the_least_squares_slope_by_period_numbers() -> None:
    # Periods 1, 2, 4 with 80, 70, 65: slope = -4.642857…, by hand -65/14.
    seen = found(trend("mark", worsens_by=4), mark=[80, 70, NAN, 65])
    assert seen.measured[0, 0] == pytest.approx(-65 / 14, abs=1e-12)
    assert seen.expected[0, 0] == -4
    assert (seen.first[0, 0], seen.last[0, 0]) == (1, 4)
    assert seen.hits[0, 0]


def test_a_trend_needs_its_whole_window() -> None:
    seen = found(trend("mark", worsens_by=1), mark=[80, NAN, 20])
    assert not seen.hits[0, 0]
    assert np.isnan(seen.measured[0, 0])


def test_a_trend_looks_at_no_more_than_its_window() -> None:
    seen = found(trend("mark", window=2, worsens_by=1), mark=[100, 0, 10, 20])
    assert seen.measured[0, 0] == 10
    assert not seen.hits[0, 0]


@pytest.mark.parametrize(("last", "hit"), [(70, True), (70.01, False)])
def test_worsening_by_exactly_the_limit_counts(last: float, hit: bool) -> None:
    rule = trend("mark", window=2, worsens_by=0.1)
    assert float(np.float32(70.1)) - 70 < 0.1
    seen = found(rule, mark=[70.1, last])
    assert seen.hits[0, 0] == hit


def test_where_lower_is_better_a_rising_trend_worsens() -> None:
    assert found(trend("late", worsens_by=1), late=[1, 2, 3]).hits[0, 0]
    assert not found(trend("late", worsens_by=1), late=[3, 2, 1]).hits[0, 0]


def test_a_gap_counts_the_latest_missing_periods() -> None:
    seen = found(gap("mark", at_least=2), mark=[NAN, 50, NAN, NAN], late=[1, 1, 1, 1])
    assert seen.measured[0, 0] == 2
    assert (seen.first[0, 0], seen.last[0, 0]) == (3, 4)
    assert seen.hits[0, 0]
    assert not found(gap("mark", at_least=3), mark=[NAN, 50, NAN, NAN], late=[1] * 4).hits[0, 0]


def test_a_gap_covers_everything_where_nothing_was_ever_observed() -> None:
    seen = found(gap("mark", at_least=3), late=[1, 1, 1])
    assert seen.measured[0, 0] == 3
    assert (seen.first[0, 0], seen.last[0, 0]) == (1, 3)


def test_no_gap_where_the_last_period_was_observed() -> None:
    seen = found(gap("mark", at_least=1), mark=[NAN, NAN, 1])
    assert seen.measured[0, 0] == 0
    assert not seen.hits[0, 0]
    assert (seen.first[0, 0], seen.last[0, 0]) == (0, 0)


def test_a_gap_can_leave_out_periods_in_which_hardly_anybody_has_a_value() -> None:
    history = {"mark": [50, 50, 50, NAN, NAN], "late": [1.0] * 5}
    assert found(gap("mark", at_least=1), **history).measured[0, 0] == 2
    assert found(gap("mark", at_least=1, usual_share=0.5), **history).measured[0, 0] == 1
    assert found(gap("mark", at_least=1, usual_share=0.05), **history).measured[0, 0] == 2


def test_a_level_against_the_cohort_counts_spreads_on_the_worse_side() -> None:
    seen = found(level("mark", standard_deviations=1.5), mark=[60, 60, 45])
    assert seen.standard_deviations[0, 0] == pytest.approx(1.5)
    assert (seen.measured[0, 0], seen.expected[0, 0]) == (45, 60)
    assert seen.hits[0, 0]
    assert not found(level("mark", standard_deviations=1.5), mark=[45.01]).hits[0, 0]
    assert not found(level("mark", standard_deviations=1.5), mark=[75]).hits[0, 0]


def test_each_value_is_compared_with_its_own_period() -> None:
    seen = found(level("mark", window=2, standard_deviations=1), mark=[NAN, NAN, 40, NAN, 50])
    assert seen.standard_deviations[0, 0] == pytest.approx((20 / 10 + 20 / 20) / 2)
    assert (seen.measured[0, 0], seen.expected[0, 0]) == (45, 65)


def test_falling_with_the_cohort_is_no_trend_against_it() -> None:
    # From period 3 to 5 the cohort rises by 10 marks and its spread doubles.
    seen = found(trend("mark", window=2, standard_deviations=0.5), mark=[NAN, NAN, 60, NAN, 50])
    assert seen.standard_deviations[0, 0] == pytest.approx(0.5)
    assert (seen.measured[0, 0], seen.expected[0, 0]) == (-5, 5)
    assert seen.hits[0, 0]
    level_with_it = found(
        trend("mark", window=2, standard_deviations=0.5), mark=[NAN, NAN, 60, NAN, 70]
    )
    assert level_with_it.standard_deviations[0, 0] == pytest.approx(0)
    assert not level_with_it.hits[0, 0]


def test_values_without_a_reference_are_reached_past() -> None:
    seen = found(level("mark", window=2, standard_deviations=1), mark=[NAN, 40, 30, 0])
    assert (seen.first[0, 0], seen.last[0, 0]) == (2, 3)
    assert seen.standard_deviations[0, 0] == pytest.approx(2.5)
    seen = found(level("late", standard_deviations=1), late=[NAN] * 5 + [9])
    assert np.isnan(seen.standard_deviations[0, 0])
    assert not seen.hits[0, 0]


def test_severity_counts_the_cohorts_spreads_beyond_the_limit() -> None:
    assert found(level("mark", worse_than=50), mark=[40]).severity[0, 0] == pytest.approx(0.5)
    assert found(level("mark", worse_than=50), mark=[20]).severity[0, 0] == pytest.approx(0.75)
    assert found(level("mark", standard_deviations=1), mark=[30]).severity[0, 0] == pytest.approx(
        2 / 3
    )
    falling = found(trend("mark", worsens_by=5), mark=[60, 50, 40])
    assert falling.severity[0, 0] == pytest.approx(0.5)
    missing = found(gap("mark", at_least=2), late=[1, 1, 1, 1])
    assert missing.severity[0, 0] == pytest.approx(0.5)
    unvarying = found(level("late", worse_than=2), late=[NAN] * 5 + [4])
    assert unvarying.severity[0, 0] == pytest.approx(0.5)


def test_what_lies_beyond_the_length_is_not_looked_at() -> None:
    values = np.repeat(student(mark=[60, 60, 10])[0], 2, axis=0)
    lengths = np.array([2, 3], np.int32)
    seen = compiled(level("mark", worse_than=50), gap("mark", at_least=1)).evaluate(values, lengths)
    assert seen.measured[:, 0].tolist() == [60, 10]
    assert seen.measured[:, 1].tolist() == [0, 0]


def test_no_rows_and_no_periods_are_no_trouble() -> None:
    rules = compiled(level("mark", worse_than=50), gap("mark", at_least=1))
    values, lengths = student(mark=[1])
    assert rules.evaluate(values[:0], lengths[:0]).hits.shape == (0, 2)
    assert not rules.evaluate(values, np.array([0], np.int32)).hits.any()
    assert not rules.evaluate(values[:, :0], np.array([0], np.int32)).hits.any()


EVERYTHING = compiled(
    level("mark", worse_than=50),
    level("mark", window=3, worse_than=50),
    level("late", window=2, standard_deviations=0.5),
    level("mark", window=6, standard_deviations=0.5),
    level("rating", worse_than="fair"),
    level("group", is_any=["b", "c"]),
    level("tutored", is_any=[True]),
    trend("mark", worsens_by=2),
    trend("late", window=6, worsens_by=0.5),
    trend("mark", window=2, standard_deviations=0.1),
    gap("mark", at_least=1, usual_share=0.5),
    gap("rating", at_least=2),
)
LEVELS_OF_MARKS = [0, 1, 3]


@st.composite
def students(draw: st.DrawFn) -> tuple[Floats, Ints]:
    rows = draw(st.integers(1, 12))
    numbers = st.floats(-50, 150, width=32) | st.just(NAN)
    values = draw(npst.arrays(np.float32, (rows, PERIODS, len(FEATURES)), elements=numbers))
    for column, top in ((2, 2), (3, 1), (4, 3)):
        values[:, :, column] = np.clip(np.round(values[:, :, column]), 0, top)
    lengths = draw(npst.arrays(np.int32, rows, elements=st.integers(0, PERIODS)))
    values[np.arange(PERIODS) >= lengths[:, None]] = np.nan
    return values, lengths


def assert_same(first: Evaluation, second: Evaluation) -> None:
    for name in Evaluation.__slots__:
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name), name)


@unhurried
@given(students())
def test_a_batch_says_exactly_what_its_rows_say_alone(batch: tuple[Floats, Ints]) -> None:
    values, lengths = batch
    together = EVERYTHING.evaluate(values, lengths)
    for row in range(len(values)):
        alone = EVERYTHING.evaluate(values[row : row + 1], lengths[row : row + 1])
        assert_same(together.of_rows(slice(row, row + 1)), alone)


@unhurried
@given(students(), st.randoms(use_true_random=False))
def test_another_order_of_the_rows_only_reorders_the_findings(
    batch: tuple[Floats, Ints], random: object
) -> None:
    values, lengths = batch
    order = np.random.default_rng(hash(random) % 2**32).permutation(len(values))
    assert_same(
        EVERYTHING.evaluate(values[order], lengths[order]),
        EVERYTHING.evaluate(values, lengths).of_rows(order),
    )


@unhurried
@given(students(), st.data())
def test_a_worse_value_never_removes_a_level_hit(
    batch: tuple[Floats, Ints], data: st.DataObject
) -> None:
    values, lengths = batch
    worse = values.copy()
    drops = st.floats(0, 40, width=32)
    worse[:, :, 0] -= data.draw(npst.arrays(np.float32, values.shape[:2], elements=drops))
    before = EVERYTHING.evaluate(values, lengths).hits[:, LEVELS_OF_MARKS]
    after = EVERYTHING.evaluate(worse, lengths).hits[:, LEVELS_OF_MARKS]
    assert (after | ~before).all()


@unhurried
@given(students())
def test_measures_are_those_of_exact_arithmetic(batch: tuple[Floats, Ints]) -> None:
    values, lengths = batch
    seen = EVERYTHING.evaluate(values, lengths)
    for row, length in enumerate(lengths.tolist()):
        marks = [
            (period, Fraction(float(mark)))
            for period, mark in enumerate(values[row, :length, 0].tolist(), start=1)
            if not np.isnan(mark)
        ]
        last = marks[-3:]
        if not last:
            assert np.isnan(seen.measured[row, [1, 7]]).all()
            continue
        mean = sum(mark for _, mark in last) / len(last)
        assert seen.measured[row, 1] == pytest.approx(float(mean), rel=1e-12, abs=1e-12)
        if len(last) < 3:
            assert np.isnan(seen.measured[row, 7])
            continue
        middle = Fraction(sum(period for period, _ in last), 3)
        rise = sum((period - middle) * (mark - mean) for period, mark in last)
        slope = rise / sum((period - middle) ** 2 for period, _ in last)
        assert seen.measured[row, 7] == pytest.approx(float(slope), rel=1e-9, abs=1e-9)


@unhurried
@given(students())
def test_gaps_end_at_the_last_observed_value(batch: tuple[Floats, Ints]) -> None:
    values, lengths = batch
    seen = EVERYTHING.evaluate(values, lengths)
    for row, length in enumerate(lengths.tolist()):
        ratings = values[row, :length, 2]
        missing = length - max(np.flatnonzero(~np.isnan(ratings)), default=-1) - 1
        assert seen.measured[row, 11] == missing
        assert seen.hits[row, 11] == (missing >= 2)


@unhurried
@given(students())
def test_severity_is_at_least_zero_and_below_one_wherever_a_rule_hits(
    batch: tuple[Floats, Ints],
) -> None:
    seen = EVERYTHING.evaluate(*batch)
    severity = seen.severity[seen.hits]
    assert ((severity >= 0) & (severity < 1)).all()
