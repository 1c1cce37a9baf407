"""Recommendations: who gets which, in which order, on what grounds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray

from records.arrays import Floats, Ints
from records.cohort import Cohort
from records.contract import Contract, load_contract
from records.learnt.reference import Reference, learn_reference
from records.sources.semesters import simulate
from scoring.policy import recommender as recommender_module
from scoring.policy.model import Policy, load_policy
from scoring.policy.recommendation import Recommendation
from scoring.policy.recommender import Recommender
from tests.scoring.evaluated import Rules, recommend

# A busy machine is no fault of the code.
unhurried = settings(deadline=None)
CONTRACT = load_contract("semesters")
POLICY = load_policy("semesters", CONTRACT)
NAMES = CONTRACT.feature_names
PERIODS = CONTRACT.periods.maximum
LOW, MODERATE, HIGH, NONE = 0, 1, 2, -1


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return Cohort.concatenate(list(simulate(300, seed=3)))


@pytest.fixture(scope="module")
def reference(cohort: Cohort) -> Reference:
    return learn_reference(cohort)


def rule(identity: str, feature: str, measure: str, **more: object) -> dict[str, object]:
    return {
        "id": identity,
        "feature": feature,
        "measure": measure,
        "recommendation": f"Do {identity}.",
        "message": "We are here.",
        "owner": "tutor",
        "due_days": 7,
        "effort_minutes": 20,
        **more,
    }


def policy_of(*rules: dict[str, object], **more: object) -> Policy:
    return Policy.model_validate(
        {
            "name": "tried",
            "version": 1,
            "contract": "semesters",
            "owners": {"tutor": {"label": "Personal tutor"}},
            "rules": rules,
            **more,
        }
    )


def student(**columns: list[float]) -> tuple[Floats, Ints]:
    length = max(len(column) for column in columns.values())
    values = np.full((1, PERIODS, len(NAMES)), np.nan, np.float32)
    for name, column in columns.items():
        values[0, : len(column), NAMES.index(name)] = column
    return values, np.array([length], np.int32)


def advice(
    policy: Policy, reference: Reference, tier: int = HIGH, **columns: list[float]
) -> tuple[Recommendation, ...]:
    recommender = Recommender(policy, CONTRACT, reference)
    return recommend(recommender, *student(**columns), np.array([tier], np.int8))[0]


def ids(recommendations: tuple[Recommendation, ...]) -> list[str]:
    return [recommendation.rule for recommendation in recommendations]


def test_a_recommendation_says_what_whom_when_and_on_what_grounds(reference: Reference) -> None:
    policy = policy_of(rule("low", "homework", "level", window=2, worse_than=60))
    (only,) = advice(policy, reference, homework=[90, 55, 45.3])
    assert (only.rule, only.feature, only.label) == ("low", "homework", "Homework score")
    assert (only.measure, only.recommendation) == ("level", "Do low.")
    assert (only.owner, only.owner_label) == ("tutor", "Personal tutor")
    assert (only.due_days, only.effort_minutes) == (7, 20)
    evidence = only.evidence
    assert (evidence.measured, evidence.expected, evidence.unit) == (50.15, 60, "points")
    assert (evidence.against, evidence.standard_deviations) == ("target", None)
    assert (evidence.first_period, evidence.last_period) == (2, 3)


def test_trends_are_told_per_period_and_gaps_in_periods(reference: Reference) -> None:
    policy = policy_of(
        rule("falling", "homework", "trend", worsens_by=4),
        rule("absent", "exam", "gap", at_least=2),
    )
    told = {one.rule: one.evidence for one in advice(policy, reference, homework=[70, 65, 60])}
    assert (told["falling"].measured, told["falling"].expected) == (-5, -4)
    assert told["falling"].unit == "points per semester"
    assert (told["absent"].measured, told["absent"].expected) == (3, 2)
    assert told["absent"].unit == "semesters"


def test_the_cohorts_own_numbers_are_told(reference: Reference) -> None:
    policy = policy_of(rule("behind", "exam", "level", standard_deviations=1.0))
    mean, spread = reference.arrays()
    column = NAMES.index("exam")
    exam = float(mean[0, column] - 2 * spread[0, column])
    (only,) = advice(policy, reference, exam=[exam])
    assert only.evidence.against == "cohort"
    assert only.evidence.standard_deviations == pytest.approx(2, abs=1e-3)
    assert only.evidence.expected == pytest.approx(mean[0, column], abs=1e-3)
    assert only.evidence.measured == pytest.approx(exam, abs=1e-3)


def test_levels_are_told_by_name(reference: Reference) -> None:
    policy = policy_of(
        rule("poor", "classroom", "level", worse_than="good"),
        rule("alone", "tutoring", "level", is_any=[False]),
        rule("rated", "classroom", "level", is_any=["poor", "fair"]),
        one_per_feature=False,
    )
    told = {
        one.rule: one.evidence for one in advice(policy, reference, classroom=[1], tutoring=[0])
    }
    assert (told["poor"].measured, told["poor"].expected) == ("fair", "good")
    assert (told["alone"].measured, told["alone"].expected) == ("false", "other than 'false'")
    assert told["rated"].expected == "other than 'poor' or 'fair'"


def test_numbers_do_not_show_the_rounding_of_float32(reference: Reference) -> None:
    policy = policy_of(rule("low", "homework", "level", worse_than=60))
    (only,) = advice(policy, reference, homework=[0.7])
    assert only.evidence.measured == 0.7


def test_priority_comes_before_severity_and_severity_before_the_file(
    reference: Reference,
) -> None:
    policy = policy_of(
        rule("mild", "mathematics", "level", worse_than=60),
        rule("grave", "chinese", "level", worse_than=60),
        rule("urgent", "english", "level", worse_than=60, priority=1),
        max_recommendations=10,
    )
    marks = {"mathematics": [58.0], "chinese": [20.0], "english": [59.0]}
    assert ids(advice(policy, reference, HIGH, **marks)) == ["urgent", "grave", "mild"]
    same = policy_of(
        rule("one", "mathematics", "gap", at_least=1), rule("two", "chinese", "gap", at_least=1)
    )
    assert ids(advice(same, reference, exam=[50])) == ["one", "two"]


def test_of_one_feature_only_the_worst_is_kept_unless_the_policy_says_otherwise(
    reference: Reference,
) -> None:
    rules = (
        rule("low", "exam", "level", worse_than=60),
        rule("very-low", "exam", "level", worse_than=30, priority=1),
        rule("missing", "homework", "gap", at_least=1),
    )
    assert ids(advice(policy_of(*rules), reference, exam=[20])) == ["very-low", "missing"]
    every = policy_of(*rules, one_per_feature=False)
    assert ids(advice(every, reference, exam=[20])) == ["very-low", "low", "missing"]


def test_no_more_than_the_policy_allows(reference: Reference) -> None:
    rules = [rule(name, name, "level", worse_than=60) for name in ("exam", "homework", "physics")]
    marks = {"exam": [10.0], "homework": [50.0], "physics": [30.0]}
    two = policy_of(*rules, max_recommendations=2)
    assert ids(advice(two, reference, HIGH, **marks)) == ["exam", "physics"]


def test_a_rule_speaks_in_its_own_tiers_only(reference: Reference) -> None:
    policy = policy_of(
        rule("both", "exam", "level", worse_than=60),
        rule("high-only", "homework", "level", worse_than=60, tiers=["high"]),
    )
    marks = {"exam": [10.0], "homework": [10.0]}
    assert ids(advice(policy, reference, LOW, **marks)) == []
    assert ids(advice(policy, reference, MODERATE, **marks)) == ["both"]
    assert sorted(ids(advice(policy, reference, HIGH, **marks))) == ["both", "high-only"]
    assert ids(advice(policy, reference, NONE, **marks)) == []


def test_a_policy_without_rules_recommends_nothing(reference: Reference) -> None:
    assert advice(policy_of(), reference, exam=[0]) == ()


@st.composite
def batches(draw: st.DrawFn) -> tuple[Floats, Ints, NDArray[np.int8]]:
    rows = draw(st.integers(1, 10))
    marks = st.floats(0, 100, width=32) | st.just(float("nan"))
    values = draw(npst.arrays(np.float32, (rows, PERIODS, len(NAMES)), elements=marks))
    for column, feature in enumerate(CONTRACT.features):
        if feature.kind != "numeric":
            values[:, :, column] %= feature.upper_bound + 1
            np.floor(values[:, :, column], out=values[:, :, column])
    lengths = draw(npst.arrays(np.int32, rows, elements=st.integers(0, PERIODS)))
    values[np.arange(PERIODS) >= lengths[:, None]] = np.nan
    return values, lengths, draw(npst.arrays(np.int8, rows, elements=st.integers(-1, 2)))


@unhurried
@given(batches())
def test_recommendations_keep_to_the_policy(
    reference: Reference, batch: tuple[Floats, Ints, NDArray[np.int8]]
) -> None:
    values, lengths, tiers = batch
    hits = Rules(POLICY, CONTRACT, reference).evaluate(values, lengths).hits
    rules = {one.id: (index, one) for index, one in enumerate(POLICY.rules)}
    answers = recommend(Recommender(POLICY, CONTRACT, reference), values, lengths, tiers)
    assert len(answers) == len(values)
    for row, (answer, tier) in enumerate(zip(answers, tiers.tolist(), strict=True)):
        if tier in (LOW, NONE):
            assert answer == ()
        assert len(answer) <= POLICY.max_recommendations
        assert len({one.feature for one in answer}) == len(answer)
        for one in answer:
            index, known = rules[one.rule]
            assert known.feature == one.feature
            assert hits[row, index]
            assert POLICY.tiers[tier].name in POLICY.tiers_of(known)
        priorities = [rules[one.rule][1].priority for one in answer]
        assert priorities == sorted(priorities)


@unhurried
@given(batches())
def test_a_deficiency_in_a_tier_that_is_spoken_to_is_never_passed_over(
    reference: Reference, batch: tuple[Floats, Ints, NDArray[np.int8]]
) -> None:
    values, lengths, tiers = batch
    hits = Rules(POLICY, CONTRACT, reference).evaluate(values, lengths).hits
    speaks = np.array(
        [[t.name in POLICY.tiers_of(one) for one in POLICY.rules] for t in POLICY.tiers]
    )
    answers = recommend(Recommender(POLICY, CONTRACT, reference), values, lengths, tiers)
    for row, tier in enumerate(tiers.tolist()):
        expected = tier != NONE and bool((hits[row] & speaks[tier]).any())
        assert bool(answers[row]) == expected


@unhurried
@given(batches(), st.integers(0, 2**32 - 1))
def test_rows_answer_alone_and_in_any_order_what_they_answer_together(
    reference: Reference, batch: tuple[Floats, Ints, NDArray[np.int8]], seed: int
) -> None:
    values, lengths, tiers = batch
    recommender = Recommender(POLICY, CONTRACT, reference)
    together = recommend(recommender, values, lengths, tiers)
    for row in range(len(values)):
        one = slice(row, row + 1)
        assert recommend(recommender, values[one], lengths[one], tiers[one]) == [together[row]]
    order = np.random.default_rng(seed).permutation(len(values))
    assert recommend(recommender, values[order], lengths[order], tiers[order]) == [
        together[row] for row in order
    ]


def test_many_rows_are_advised_in_passes_as_they_are_at_once(
    cohort: Cohort, reference: Reference, monkeypatch: pytest.MonkeyPatch
) -> None:
    recommender = Recommender(POLICY, CONTRACT, reference)
    tiers = np.resize(np.array([HIGH, NONE, MODERATE], np.int8), len(cohort.values))
    at_once = recommend(recommender, cohort.values, cohort.lengths, tiers)
    monkeypatch.setattr(recommender_module, "PART_ROWS", 7)
    assert recommend(recommender, cohort.values, cohort.lengths, tiers) == at_once


def test_real_shaped_students_of_the_highest_tier_get_something_to_do(
    cohort: Cohort, reference: Reference
) -> None:
    failing = np.flatnonzero(cohort.risk[:, 2] == 1)
    tiers = np.full(len(failing), HIGH, np.int8)
    lengths = np.full(len(failing), 3, np.int32)
    answers = recommend(
        Recommender(POLICY, CONTRACT, reference), cohort.values[failing], lengths, tiers
    )
    assert np.mean([bool(answer) for answer in answers]) > 0.95


def test_another_contract_can_be_served_beside(reference: Reference) -> None:
    contract: Contract = load_contract("simulated")
    policy = load_policy("simulated", contract)
    flat = tuple((1.0,) * 5 for _ in range(contract.periods.maximum))
    other = Reference(
        features=contract.feature_names,
        count=tuple((9,) * 5 for _ in flat),
        mean=flat,
        spread=flat,
    )
    values = np.full((1, 3, 5), 1.0, np.float32)
    answer = recommend(
        Recommender(policy, contract, other),
        values,
        np.array([3], np.int32),
        np.array([HIGH], np.int8),
    )[0]
    assert len(answer) == policy.max_recommendations
    assert {one.feature for one in answer} <= set(contract.feature_names)
    assert reference.features == NAMES
