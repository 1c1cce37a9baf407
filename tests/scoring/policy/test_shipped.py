"""The shipped policies: they fit their contracts, make sense, and speak kindly."""

import re
from pathlib import Path

import numpy as np
import pytest
from pydantic import BaseModel

from records.cohort import Cohort
from records.contract import SHIPPED, load_contract
from records.learnt.reference import Reference, learn_reference
from records.sources.simulated import simulate
from scoring.policy.model import Measure, Minimum, Owner, Policy, Rule, Tier, load_policy
from scoring.policy.recommender import Recommender
from scoring.policy.tiers import Tiers
from tests.scoring.evaluated import Rules, recommend

DOCS = (Path(__file__).resolve().parents[3] / "docs" / "policy.md").read_text(encoding="utf-8")

BLAMING = re.compile(
    r"\b(lazy|laziness|fault|blame|guilty|careless|failure|fail(ed|ing|s)?|bad|poor(ly)?|weak|"
    r"must|should have|warn(ing|ed)?|excuse|unacceptable|disappoint\w*|effort(less)?ness)\b",
    re.IGNORECASE,
)


@pytest.fixture(params=SHIPPED)
def policy(request: pytest.FixtureRequest) -> Policy:
    return load_policy(request.param, load_contract(request.param))


@pytest.fixture(scope="module")
def simulated() -> Cohort:
    return Cohort.concatenate(list(simulate(400, seed=5)))


def test_every_shipped_contract_has_a_policy_of_its_name(policy: Policy) -> None:
    assert policy.name == policy.contract
    assert policy.title
    assert policy.rules


@pytest.mark.parametrize("name", ["simulated", "semesters"])
def test_where_the_papers_data_are_followed_so_are_their_tiers(name: str) -> None:
    tiers = load_policy(name, load_contract(name)).tiers
    assert [tier.from_ for tier in tiers] == [0.0, 0.4, 0.7]


def test_each_of_paper_as_five_indicators_has_level_trend_and_gap_and_the_cohort() -> None:
    contract = load_contract("simulated")
    rules = load_policy("simulated", contract).rules
    for feature in contract.feature_names:
        of_feature = [rule for rule in rules if rule.feature == feature]
        assert {rule.measure for rule in of_feature} == set(Measure), feature
        levels = [rule for rule in of_feature if rule.measure is Measure.LEVEL]
        assert any(rule.worse_than is not None for rule in levels), feature
        assert any(rule.standard_deviations is not None for rule in levels), feature


def test_every_policy_uses_level_trend_and_gap_targets_and_cohort(policy: Policy) -> None:
    assert {rule.measure for rule in policy.rules} == set(Measure)
    assert any(rule.standard_deviations is not None for rule in policy.rules)
    assert any(rule.worse_than is not None for rule in policy.rules)


def test_every_owner_has_something_to_do(policy: Policy) -> None:
    assert {rule.owner for rule in policy.rules} == set(policy.owners)


def test_every_tier_says_what_it_means(policy: Policy) -> None:
    assert all(tier.description for tier in policy.tiers)


def test_words_for_students_help_and_do_not_blame(policy: Policy) -> None:
    for rule in policy.rules:
        assert not BLAMING.search(rule.message), rule.id
        assert "risk" not in rule.message.lower(), rule.id
        assert re.search(r"\b(we|us|you|your)\b", rule.message, re.IGNORECASE), rule.id


def test_no_two_rules_say_the_same(policy: Policy) -> None:
    assert len({rule.recommendation for rule in policy.rules}) == len(policy.rules)
    assert len({rule.message for rule in policy.rules}) == len(policy.rules)


def test_what_is_asked_fits_into_a_working_week(policy: Policy) -> None:
    assert all(rule.effort_minutes <= 60 and rule.due_days <= 28 for rule in policy.rules)


@pytest.mark.parametrize("period", [3, 5, 8])
def test_most_students_who_will_not_pass_have_something_that_can_be_mended(
    simulated: Cohort, period: int
) -> None:
    policy = load_policy("simulated", simulated.contract)
    rules = Rules(policy, simulated.contract, learn_reference(simulated))
    rows = np.flatnonzero(simulated.risk[:, period - 1] == 1)
    lengths = np.full(len(rows), period, np.int32)
    hits = rules.evaluate(simulated.values[rows], lengths).hits
    assert hits.any(axis=1).mean() > 0.75


def test_rules_find_more_among_those_who_will_not_pass(simulated: Cohort) -> None:
    policy = load_policy("simulated", simulated.contract)
    rules = Rules(policy, simulated.contract, learn_reference(simulated))
    hits = rules.evaluate(simulated.values, simulated.lengths).hits
    at_risk = np.nanmax(np.nan_to_num(simulated.risk, nan=-1), axis=1) == 1
    low = [i for i, rule in enumerate(policy.rules) if rule.worse_than is not None]
    assert (hits[at_risk][:, low].mean(axis=0) > 2 * hits[~at_risk][:, low].mean(axis=0)).all()


def test_marks_are_missed_only_where_the_cohort_sat_an_examination(simulated: Cohort) -> None:
    policy = load_policy("simulated", simulated.contract)
    column = [rule.id for rule in policy.rules].index("marks-missing")
    rules = Rules(policy, simulated.contract, learn_reference(simulated))
    lengths = np.minimum(simulated.lengths, 2)
    assert not rules.evaluate(simulated.values, lengths).hits[:, column].any()


def test_the_worked_example_of_the_docs_holds(tmp_path: Path) -> None:
    contract = load_contract("simulated")
    path = tmp_path / "policy.toml"
    path.write_text(DOCS.split("```toml\n")[1].split("```")[0], encoding="utf-8")
    policy = load_policy(path, contract)
    flat = ((60.0,) * 5,) * contract.periods.maximum
    reference = Reference(
        features=contract.feature_names,
        count=((9,) * 5,) * contract.periods.maximum,
        mean=flat,
        spread=((15.0,) * 5,) * contract.periods.maximum,
    )
    values = np.full((1, 4, 5), 60, np.float32)
    values[0, :, 0] = [95, 80, np.nan, 50]
    values[0, :, 1] = [66, 62, 55, 49]
    tier = Tiers(policy).decide([0.41])
    assert policy.tiers[int(tier[0])].name == "call"
    recommender = Recommender(policy, contract, reference)
    first, second = recommend(recommender, values, np.array([4], np.int32), tier)[0]
    assert (first.rule, second.rule) == ("assignments-falling-behind", "attendance-low")
    assert first.evidence.standard_deviations == pytest.approx(0.39, abs=0.005)
    assert second.evidence.measured == 75


@pytest.mark.parametrize("model", [Policy, Minimum, Tier, Owner, Rule])
def test_the_docs_name_every_key(model: type[BaseModel]) -> None:
    for name, field in model.model_fields.items():
        assert f"`{field.alias or name}`" in DOCS or f"[{field.alias or name}" in DOCS, name


def test_the_docs_tell_the_defaults() -> None:
    defaults = {"max_recommendations": "3", "share": "0.25", "periods": "1", "priority": "2"}
    for model in (Policy, Minimum, Rule):
        for name, field in model.model_fields.items():
            if name in defaults:
                assert str(field.default) == defaults[name]
                assert f"| `{name}` | {defaults[name]} |" in DOCS
