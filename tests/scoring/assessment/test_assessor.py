"""Assessments: from arrays to what is said of each student."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import TypeAdapter

from records.arrays import Floats, Ints
from records.cohort import Cohort
from records.load import load_cohort
from scoring.assessment.assessor import Assessment, Assessor
from scoring.bundle.reader import read_bundle
from scoring.policy.model import Policy
from scoring.rounding import round_risk
from scoring.runtime.scorer import Scorer, Scores

MANY = TypeAdapter(list[Assessment])
lenient = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def assessor(bundle_dir: Path) -> Assessor:
    return Assessor(Scorer(read_bundle(bundle_dir), provider="cpu"))


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return load_cohort("simulated", students=60, seed=11)


def history(periods: int) -> tuple[Floats, Ints]:
    """One student of whom everything is known, beyond reproach."""
    values = np.full((1, 8, 5), np.nan, np.float32)
    values[0, :periods] = [90, 80, 80, 80, 8]
    return values, np.array([periods], np.int32)


def assessed_from(assessor: Assessor, risks: list[float]) -> Assessment:
    """What is said of a student of whom all is known, where the model says `risks`."""
    values, lengths = history(len(risks))
    scores = Scores(
        risk=np.full((1, 8), np.nan, np.float32), score=np.full((1, 8, 1), np.nan, np.float32)
    )
    scores.risk[0, : len(risks)] = risks
    scores.score[0, : len(risks)] = 55.5
    return assessor.assess_scores(values, lengths, scores)[0]


def test_a_forecast_lies_in_its_interval_as_wide_as_the_bundle_says(assessor: Assessor) -> None:
    intervals = assessor.scorer.bundle.intervals
    assert intervals is not None
    for period in (2, 5, 8):
        (forecast,) = assessed_from(assessor, [0.5] * period).forecast
        width = intervals.half_width[period - 1][0]
        assert forecast.low == pytest.approx(max(55.5 - width, intervals.minimum), abs=1e-4)
        assert forecast.high == pytest.approx(min(55.5 + width, intervals.maximum), abs=1e-4)


def test_each_student_gets_the_risk_of_the_last_observed_period(
    assessor: Assessor, cohort: Cohort
) -> None:
    scores = assessor.scorer.score(cohort.values, cohort.lengths)
    for row, said in enumerate(assessor.assess(cohort.values, cohort.lengths)):
        last = int(cohort.lengths[row])
        assert said.period == last
        if said.status == "assessed":
            assert said.risk == round_risk(scores.risk[row, last - 1])
            assert said.trajectory[-1].risk == said.risk
            index = int(assessor.tiers.decide(scores.risk[row, last - 1]))
            assert said.tier == assessor.policy.tiers[index].name


def test_the_trajectory_is_what_earlier_assessments_said(
    assessor: Assessor, cohort: Cohort
) -> None:
    now = assessor.assess(cohort.values, cohort.lengths)
    for cutoff in (1, 3, 5):
        known = cohort.at(cutoff)
        for later, then in zip(now, assessor.assess(known.values, known.lengths), strict=True):
            if later.status == then.status == "assessed":
                at_cutoff = {point.period: point.risk for point in later.trajectory}
                assert at_cutoff[then.period] == pytest.approx(then.risk, abs=2e-5)
            if then.status == "not_enough_data" and then.period == cutoff:
                assert cutoff not in {point.period for point in later.trajectory}


@pytest.mark.parametrize(
    ("risks", "tier", "since"),
    [
        ([0.1, 0.2, 0.3], "low", 2),
        ([0.1, 0.5, 0.8, 0.75], "high", 3),
        ([0.1, 0.8, 0.3, 0.9], "high", 4),
        ([0.1, 0.4, 0.69, 0.55, 0.5], "moderate", 2),
        ([0.1, 0.9, 0.7], "high", 2),
    ],
)
def test_the_tier_tells_since_when_it_holds(
    assessor: Assessor, risks: list[float], tier: str, since: int
) -> None:
    said = assessed_from(assessor, risks)
    assert (said.tier, said.since) == (tier, since)


def test_periods_before_enough_was_known_are_not_in_the_trajectory(assessor: Assessor) -> None:
    assert assessor.policy.minimum.periods == 2
    said = assessed_from(assessor, [0.9, 0.5, 0.6])
    assert [(point.period, point.risk) for point in said.trajectory] == [(2, 0.5), (3, 0.6)]


def test_a_single_period_is_not_enough_data(assessor: Assessor) -> None:
    said = assessed_from(assessor, [0.99])
    assert said.status == "not_enough_data"
    assert (said.period, said.risk, said.tier, said.since) == (1, None, None, None)
    assert (said.trajectory, said.forecast, said.recommendations) == ((), (), ())
    assert (said.observed.periods, said.observed.share) == (1, 1.0)


def test_mostly_missing_values_are_not_enough_data(assessor: Assessor) -> None:
    values, lengths = history(5)
    values[0, 2:] = np.nan
    scores = assessor.scorer.score(values, lengths)
    assert assessor.assess_scores(values, lengths, scores)[0].status == "assessed"
    values[0, 1, 0] = np.nan
    said = assessor.assess_scores(values, lengths, scores)[0]
    assert said.status == "not_enough_data"
    assert (said.observed.periods, said.observed.share) == (2, 0.36)


def test_nothing_at_all_is_not_enough_data(assessor: Assessor) -> None:
    said = assessor.assess(*history(0))[0]
    assert (said.status, said.period, said.observed.periods) == ("not_enough_data", 0, 0)
    assert assessor.assess(np.empty((1, 0, 5), np.float32), np.array([0], np.int32)) == [said]


def test_a_model_without_an_answer_is_not_passed_off_as_missing_data(assessor: Assessor) -> None:
    said = assessed_from(assessor, [0.5, 0.5, float("nan")])
    assert said.status == "no_estimate"
    assert (said.risk, said.tier, said.trajectory, said.recommendations) == (None, None, (), ())


def test_the_forecast_names_subject_and_unit(assessor: Assessor) -> None:
    (only,) = assessed_from(assessor, [0.2, 0.3]).forecast
    assert (only.subject, only.value, only.unit) == ("score", 55.5, "points")


def test_outliers_are_flagged_and_left_as_they_are(assessor: Assessor) -> None:
    values, lengths = history(4)
    values[0, 2, 0] = 0
    assert assessor.scorer.bundle.fences.lower["attendance"] > 0
    before = values.copy()
    said = assessor.assess(values, lengths)[0]
    assert [(one.period, one.feature) for one in said.outliers] == [(3, "attendance")]
    np.testing.assert_array_equal(values, before)


def test_a_student_with_deficiencies_in_the_highest_tier_is_advised(assessor: Assessor) -> None:
    values, lengths = history(4)
    values[0, :4] = [50, 30, 30, 30, 2]
    scores = Scores(np.full((1, 8), 0.9, np.float32), np.full((1, 8, 1), 40, np.float32))
    said = assessor.assess_scores(values, lengths, scores)[0]
    assert len(said.recommendations) == assessor.policy.max_recommendations
    assert said.reference == "bundle"
    without = assessor.assess_scores(values, lengths, scores, recommendations=False)[0]
    assert without.recommendations == ()
    assert (without.risk, without.tier) == (said.risk, said.tier)


def test_another_policy_can_be_tried_on_the_same_scorer(assessor: Assessor) -> None:
    policy = Policy.model_validate(
        {
            "name": "two",
            "version": 1,
            "contract": "simulated",
            "minimum": {"periods": 1, "share": 0},
            "tiers": [
                {"name": "calm", "label": "Calm", "from": 0},
                {"name": "call", "label": "Call", "from": 0.15},
            ],
        }
    )
    other = Assessor(assessor.scorer, policy)
    assert assessed_from(other, [0.15]).tier == "call"
    assert assessed_from(other, [0.149]).tier == "calm"


@st.composite
def scored(draw: st.DrawFn) -> tuple[Floats, Ints, Scores]:
    """Students and scores of any kind; made by a generator so that large ones stay quick."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rows = draw(st.integers(0, 12))
    values = generator.uniform(0, [100, 100, 100, 100, 10], (rows, 8, 5)).astype(np.float32)
    values[generator.random(values.shape) < draw(st.sampled_from([0.0, 0.3, 0.8]))] = np.nan
    lengths = generator.integers(0, 9, rows).astype(np.int32)
    beyond = np.arange(8) >= lengths[:, None]
    values[beyond] = np.nan
    risk = generator.choice([0.1, 0.39, 0.4, 0.5, 0.7, 0.95], (rows, 8)).astype(np.float32)
    score = generator.uniform(0, 100, (rows, 8, 1)).astype(np.float32)
    risk[beyond], score[beyond] = np.nan, np.nan
    return values, lengths, Scores(risk=risk, score=score)


@lenient
@given(scored())
def test_the_lowest_tier_and_too_little_data_get_no_recommendation(
    assessor: Assessor, batch: tuple[Floats, Ints, Scores]
) -> None:
    known = {rule.id for rule in assessor.policy.rules}
    for said in assessor.assess_scores(*batch):
        assert said.status in {"assessed", "not_enough_data"}
        if said.tier in {None, "low"}:
            assert said.recommendations == ()
        assert {one.rule for one in said.recommendations} <= known
        assert (said.tier is None) == (said.risk is None) == (said.status != "assessed")


@lenient
@given(scored(), st.integers(0, 2**32 - 1))
def test_rows_get_alone_and_in_any_order_what_they_get_together(
    assessor: Assessor, batch: tuple[Floats, Ints, Scores], seed: int
) -> None:
    values, lengths, scores = batch
    together = assessor.assess_scores(values, lengths, scores)

    def of(rows: slice | NDArray[np.int64]) -> list[Assessment]:
        chosen = Scores(scores.risk[rows], scores.score[rows])
        return assessor.assess_scores(values[rows], lengths[rows], chosen)

    assert [of(slice(row, row + 1))[0] for row in range(len(values))] == together
    order = np.random.default_rng(seed).permutation(len(values))
    assert of(order) == [together[row] for row in order]


@lenient
@given(scored())
def test_what_comes_after_the_last_observed_period_changes_nothing(
    assessor: Assessor, batch: tuple[Floats, Ints, Scores]
) -> None:
    values, lengths, scores = batch
    beyond = np.arange(8) >= lengths[:, None]
    later = values.copy()
    later[beyond] = 1
    assert assessor.assess_scores(later, lengths, scores) == assessor.assess_scores(
        values, lengths, scores
    )


@lenient
@given(scored())
def test_both_encoders_write_the_same_json_and_it_reads_back(
    assessor: Assessor, batch: tuple[Floats, Ints, Scores]
) -> None:
    said = assessor.assess_scores(*batch)
    encoded = msgspec.json.encode(said)
    assert msgspec.json.decode(encoded) == msgspec.json.decode(MANY.dump_json(said))
    assert msgspec.json.decode(encoded, type=list[Assessment]) == said
    assert MANY.validate_json(encoded) == said


def test_the_json_schema_describes_every_field() -> None:
    schemas = MANY.json_schema()["$defs"]
    assert {"Assessment", "RiskPoint", "Recommendation", "Evidence", "Observed"} <= set(schemas)
    for name, schema in schemas.items():
        assert schema["description"], name
        for field, entry in schema["properties"].items():
            assert "description" in entry or "$ref" in entry, f"{name}.{field}"
