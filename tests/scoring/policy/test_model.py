"""The policy file: what it may say, where it is wrong, and how tiers are decided."""

import textwrap
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from records.contract import Contract, load_contract
from records.errors import ContractError
from records.files.toml_file import parse_toml
from scoring.policy.model import Measure, Policy, load_policy, policy_text
from scoring.policy.tiers import Tiers
from scoring.rounding import round_risk

# A busy machine is no fault of the code.
unhurried = settings(deadline=None)
TOML = """
name = "school"
version = 1
title = "School"
periods = { name = "week", maximum = 6 }
targets.risk = { label = "Fails" }
targets.score = { label = "Next", minimum = 0, maximum = 100 }
features = [
  { name = "mark", label = "M", actionable = true, better = "higher", minimum = 0, maximum = 100 },
  { name = "late", label = "L", actionable = true, better = "lower", minimum = 0 },
  { name = "rating", label = "R", actionable = true, better = "higher", kind = "ordinal", LEVELS },
  { name = "group", label = "G", actionable = true, kind = "categorical", levels = ["a", "b"] },
  { name = "tutored", label = "T", actionable = true, better = "higher", kind = "flag" },
  { name = "load", label = "L", actionable = true, minimum = 0 },
  { name = "age", label = "A", better = "lower", minimum = 0 },
]
"""
LEVELS = 'levels = ["poor", "fair", "good"]'
CONTRACT = parse_toml(TOML.replace("LEVELS", LEVELS), Contract, name="school.toml")

HEAD = """\
name = "school"
version = 1
contract = "school"

[owners.tutor]
label = "Tutor"

[[rules]]
id = "first"
recommendation = "Talk."
message = "We are here."
owner = "tutor"
due_days = 7
effort_minutes = 20
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "policy.toml"
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return path


def with_rule(tmp_path: Path, lines: str) -> Path:
    return written(tmp_path, HEAD + lines)


def fault_of(path: Path) -> str:
    with pytest.raises(ContractError) as caught:
        load_policy(path, CONTRACT)
    return str(caught.value)


def test_tiers_default_to_those_of_paper_a() -> None:
    policy = Policy(name="plain", version=1, contract="school")
    assert [(tier.name, tier.from_) for tier in policy.tiers] == [
        ("low", 0.0),
        ("moderate", 0.4),
        ("high", 0.7),
    ]


def test_a_threshold_belongs_to_the_upper_tier_in_either_precision() -> None:
    policy = Policy(name="plain", version=1, contract="school")
    for kind in (np.float32, np.float64):
        decided = Tiers(policy).decide(np.array([0.0, 0.4, 0.7, 1.0], kind))
        assert decided.tolist() == [0, 1, 2, 2]
        assert decided.dtype == np.int8


@pytest.mark.parametrize(("bound", "tier"), [(0.4, 1), (0.7, 2)])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_neighbours_of_a_threshold_in_floating_point_share_its_tier(
    bound: float, tier: int, kind: type[np.floating]
) -> None:
    policy = Policy(name="plain", version=1, contract="school")
    at = kind(bound)
    around = [np.nextafter(at, kind(0)), at, np.nextafter(at, kind(1))]
    assert Tiers(policy).decide(np.array(around, kind)).tolist() == [tier] * 3


@pytest.mark.parametrize(("bound", "tier"), [(0.4, 1), (0.7, 2)])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_a_millionth_below_a_threshold_is_the_lower_tier(
    bound: float, tier: int, kind: type[np.floating]
) -> None:
    policy = Policy(name="plain", version=1, contract="school")
    below, at = np.array([bound - 6e-7, bound - 4e-7], kind)
    assert Tiers(policy).decide(below) == tier - 1
    assert Tiers(policy).decide(at) == tier


def test_no_probability_means_no_tier() -> None:
    policy = Policy(name="plain", version=1, contract="school")
    assert Tiers(policy).decide(np.array([[np.nan, 0.9]], np.float32)).tolist() == [[-1, 2]]


def test_the_tier_follows_from_the_number_that_is_shown() -> None:
    policy = Policy(name="plain", version=1, contract="school")
    risk = np.float32(0.3999996)
    assert round_risk(risk) == 0.4
    assert Tiers(policy).decide(risk) == Tiers(policy).decide(round_risk(risk)) == 1


@unhurried
@given(npst.arrays(np.float32, st.integers(0, 40), elements=st.floats(0, 1, width=32)))
def test_a_higher_probability_never_has_a_lower_tier(risks: np.ndarray) -> None:
    policy = Policy(name="plain", version=1, contract="school")
    tiers = Tiers(policy).decide(np.sort(risks))
    assert (np.diff(tiers) >= 0).all()
    assert (tiers == Tiers(policy).decide(np.sort(risks).astype(np.float64))).all()


@unhurried
@given(st.floats(0, 1), st.integers(1, 999_999))
def test_tiers_of_any_bound_hold_exactly_what_is_not_below_it(risk: float, millionths: int) -> None:
    bound = millionths / 1_000_000
    policy = Policy.model_validate(
        {
            "name": "two",
            "version": 1,
            "contract": "school",
            "tiers": [
                {"name": "low", "label": "Low", "from": 0},
                {"name": "high", "label": "High", "from": bound},
            ],
        }
    )
    assert Tiers(policy).decide(bound) == 1
    assert (Tiers(policy).decide(risk) == 1) == (round_risk(risk) >= bound)


def test_a_policy_survives_its_own_json() -> None:
    policy = load_policy("simulated", load_contract("simulated"))
    text = policy.model_dump_json()
    assert '"from":0.4' in text
    assert Policy.model_validate_json(text) == policy


def test_the_schema_describes_every_key_of_a_rule() -> None:
    schema = Policy.model_json_schema()["$defs"]["Rule"]["properties"]
    undescribed = {key for key, entry in schema.items() if "description" not in entry}
    assert undescribed <= {"id", "feature", "measure"}


def test_windows_default_to_the_last_value_and_to_three_for_a_trend(tmp_path: Path) -> None:
    path = with_rule(tmp_path, 'feature = "mark"\nmeasure = "level"\nworse_than = 50\n')
    level = load_policy(path, CONTRACT).rules[0]
    path = with_rule(tmp_path, 'feature = "mark"\nmeasure = "trend"\nworsens_by = 2\n')
    trend = load_policy(path, CONTRACT).rules[0]
    assert (level.depth, trend.depth) == (1, 3)
    assert trend.measure is Measure.TREND


def test_a_rule_speaks_in_every_tier_but_the_lowest_unless_told(tmp_path: Path) -> None:
    text = 'feature = "mark"\nmeasure = "level"\nworse_than = 50\n'
    policy = load_policy(with_rule(tmp_path, text), CONTRACT)
    assert policy.tiers_of(policy.rules[0]) == ("moderate", "high")
    policy = load_policy(with_rule(tmp_path, text + 'tiers = ["high"]\n'), CONTRACT)
    assert policy.tiers_of(policy.rules[0]) == ("high",)


@pytest.mark.parametrize(
    "lines",
    [
        'feature = "mark"\nmeasure = "level"\nwindow = 3\nstandard_deviations = 1.0',
        'feature = "late"\nmeasure = "level"\nworse_than = 0',
        'feature = "late"\nmeasure = "trend"\nwindow = 4\nstandard_deviations = 0.5',
        'feature = "rating"\nmeasure = "level"\nworse_than = "good"',
        'feature = "rating"\nmeasure = "level"\nis_any = ["poor"]',
        'feature = "rating"\nmeasure = "gap"\nat_least = 2',
        'feature = "group"\nmeasure = "level"\nis_any = ["a", "b"]',
        'feature = "tutored"\nmeasure = "level"\nis_any = [false]',
        'feature = "load"\nmeasure = "gap"\nat_least = 6\nusual_share = 0.5',
    ],
)
def test_every_measure_is_accepted_for_the_kinds_it_makes_sense_for(
    tmp_path: Path, lines: str
) -> None:
    assert load_policy(with_rule(tmp_path, lines), CONTRACT).rules[0].id == "first"


@pytest.mark.parametrize(
    ("lines", "line", "reason"),
    [
        ('feature = "mork"\nmeasure = "level"\nworse_than = 50', 15, "is no feature"),
        ('feature = "age"\nmeasure = "level"\nworse_than = 30', 15, "is not actionable"),
        ('measure = "level"\nfeature = "mark"\nworse_than = 0', 17, "nothing is worse"),
        ('measure = "level"\nfeature = "mark"\nworse_than = 101', 17, "from 0 to 100"),
        ('measure = "level"\nfeature = "late"\nworse_than = -1', 17, "at least 0"),
        ('measure = "level"\nfeature = "mark"\nworse_than = "good"', 17, "must be a number"),
        ('measure = "level"\nfeature = "rating"\nworse_than = "bad"', 17, "one of 'poor'"),
        ('measure = "level"\nfeature = "rating"\nworse_than = "poor"', 17, "nothing is worse"),
        ('measure = "level"\nfeature = "rating"\nworse_than = 1', 17, "one of 'poor'"),
        (
            'measure = "level"\nfeature = "group"\nworse_than = "a"',
            17,
            "not define which direction",
        ),
        ('measure = "level"\nfeature = "tutored"\nworse_than = 1', 17, "use `is_any`"),
        ('measure = "level"\nfeature = "load"\nworse_than = 1', 17, "not define which direction"),
        ('measure = "trend"\nfeature = "load"\nworsens_by = 1', 15, "not define which direction"),
        ('measure = "trend"\nfeature = "rating"\nworsens_by = 1', 15, "no mean or slope"),
        ('measure = "level"\nfeature = "rating"\nstandard_deviations = 1', 15, "no mean or slope"),
        ('measure = "level"\nfeature = "group"\nis_any = ["c"]', 17, "one of 'a', 'b'"),
        ('measure = "level"\nfeature = "tutored"\nis_any = ["no"]', 17, "true or false"),
        ('measure = "level"\nfeature = "mark"\nis_any = ["a"]', 17, "no levels"),
        ('measure = "level"\nfeature = "mark"\nworse_than = 50\nwindow = 7', 18, "6 weeks at most"),
        ('measure = "gap"\nfeature = "mark"\nat_least = 7', 17, "6 weeks at most"),
        ('measure = "level"\nfeature = "group"\nis_any = ["a"]\nwindow = 2', 18, "has no mean"),
    ],
)
def test_a_rule_that_does_not_fit_the_contract_is_refused_at_its_line(
    tmp_path: Path, lines: str, line: int, reason: str
) -> None:
    message = fault_of(with_rule(tmp_path, lines))
    assert f"policy.toml:{line}: rules.0." in message
    assert reason in message


@pytest.mark.parametrize(
    ("lines", "line", "reason"),
    [
        ('feature = "mark"\nmeasure = "level"', 8, "exactly one condition"),
        ('feature = "mark"\nmeasure = "level"\nworse_than = 5\nstandard_deviations = 1', 8, "one"),
        (
            'feature = "mark"\nmeasure = "level"\nspreads = 1',
            8,
            "called `standard_deviations`; rename",
        ),
        ('feature = "mark"\nmeasure = "level"\nworsens_by = 5', 8, "has no `worsens_by`"),
        (
            'feature = "mark"\nmeasure = "gap"\nstandard_deviations = 5',
            8,
            "has no `standard_deviations`",
        ),
        ('feature = "mark"\nmeasure = "gap"\nat_least = 2\nwindow = 2', 8, "no `window`"),
        ('feature = "mark"\nmeasure = "level"\nworse_than = 5\nusual_share = 0.5', 8, "gap"),
        ('feature = "mark"\nmeasure = "trend"\nworsens_by = 5\nwindow = 1', 8, "at least 2"),
        ('feature = "mark"\nmeasure = "slope"\nworsens_by = 5', 16, "'level', 'trend' or 'gap'"),
        ('feature = "mark"\nmeasure = "trend"\nworsens_by = 0', 17, "greater than 0"),
        ('feature = "mark"\nmeasure = "trend"\nworsens_by = nan', 17, "finite"),
        ('feature = "mark"\nmeasure = "level"\nworse_then = 5', 17, "no such key"),
        ('feature = "mark"\nmeasure = "level"\nworse_than = true', 17, "valid number"),
        ('feature = "mark"\nmeasure = "level"\nworse_than = 5\ntiers = ["low"]', 18, "never gets"),
        ('feature = "mark"\nmeasure = "level"\nworse_than = 5\ntiers = ["top"]', 18, "is no tier"),
        ('feature = "mark"\nmeasure = "level"\nworse_than = 5\npriority = 0', 18, "greater than"),
    ],
)
def test_a_rule_that_contradicts_itself_is_refused_at_its_line(
    tmp_path: Path, lines: str, line: int, reason: str
) -> None:
    message = fault_of(with_rule(tmp_path, lines))
    assert f"policy.toml:{line}: rules.0" in message
    assert reason in message


def test_ids_and_owners_are_checked(tmp_path: Path) -> None:
    rule = 'feature = "mark"\nmeasure = "level"\nworse_than = 50\n'
    second = (
        '[[rules]]\nid = "first"\nrecommendation = "Talk."\nmessage = "Hello."\n'
        'owner = "dean"\ndue_days = 1\neffort_minutes = 1\n'
    )
    message = fault_of(with_rule(tmp_path, rule + second + rule))
    assert "policy.toml:19: rules.1.id: the id 'first' is used twice" in message
    assert "policy.toml:22: rules.1.owner: 'dean' is no key of [owners] (tutor)" in message


@pytest.mark.parametrize(
    ("bounds", "line", "reason"),
    [
        ((0.1, 0.4), 7, "must start at 0"),
        ((0, 0.4, 0.4), 15, "must be above the tier before"),
        ((0, 0.4000001), 11, "6 decimals"),
        ((0, 1.0), 11, "less than 1"),
    ],
)
def test_tiers_must_rise_from_zero(
    tmp_path: Path, bounds: tuple[float, ...], line: int, reason: str
) -> None:
    head = 'name = "school"\nversion = 1\ncontract = "school"\n'
    tiers = "".join(
        f'[[tiers]]\nname = "tier{i}"\nlabel = "T"\nfrom = {bound}\n'
        for i, bound in enumerate(bounds)
    )
    message = fault_of(written(tmp_path, head + tiers))
    assert reason in message
    assert f"policy.toml:{line}: tiers" in message or "decimals" in reason


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    plain = with_rule(tmp_path, 'feature = "mark"\nmeasure = "level"\nworse_than = 50\n')
    marked = tmp_path / "marked.toml"
    marked.write_text(plain.read_text(encoding="utf-8"), encoding="utf-8-sig")

    assert load_policy(marked, CONTRACT) == load_policy(plain, CONTRACT)
    assert not policy_text(marked).startswith("\ufeff")


def test_one_tier_is_none(tmp_path: Path) -> None:
    text = 'name = "school"\nversion = 1\ncontract = "school"\n'
    text += '[[tiers]]\nname = "all"\nlabel = "All"\nfrom = 0\n'
    assert "at least 2" in fault_of(written(tmp_path, text))


def test_two_tiers_of_one_name_are_refused(tmp_path: Path) -> None:
    text = 'name = "school"\nversion = 1\ncontract = "school"\n'
    text += '[[tiers]]\nname = "a"\nlabel = "A"\nfrom = 0\n'
    text += '[[tiers]]\nname = "a"\nlabel = "A"\nfrom = 0.5\n'
    assert "policy.toml:9: tiers.1.name: the name 'a' is used twice" in fault_of(
        written(tmp_path, text)
    )


def test_a_policy_of_another_contract_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, 'name = "other"\nversion = 1\ncontract = "other"\n')
    assert "policy.toml:3: contract: the records follow the contract 'school'" in fault_of(path)


def test_more_evidence_than_a_record_can_hold_is_refused(tmp_path: Path) -> None:
    text = 'name = "school"\nversion = 1\ncontract = "school"\n[minimum]\nperiods = 7\n'
    assert "policy.toml:5: minimum.periods: a record has 6 weeks at most" in fault_of(
        written(tmp_path, text)
    )


def test_a_policy_without_rules_only_tells_tiers(tmp_path: Path) -> None:
    path = written(tmp_path, 'name = "school"\nversion = 1\ncontract = "school"\n')
    assert load_policy(path, CONTRACT).rules == ()


def test_sources_that_are_no_policy_are_named(tmp_path: Path) -> None:
    assert "no such file" in fault_of(tmp_path / "absent.toml")
    assert "no shipped policy" in fault_of(tmp_path / "policy.yaml")
    (tmp_path / "latin.toml").write_bytes(b'name = "caf\xe9"')
    assert "not UTF-8 at byte 11" in fault_of(tmp_path / "latin.toml")


def test_the_text_of_a_policy_is_what_the_file_holds(tmp_path: Path) -> None:
    path = written(tmp_path, 'name = "school"\n')
    assert policy_text(path) == 'name = "school"\n'
    assert 'contract = "simulated"' in policy_text("simulated")


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ('opens_case = ["low"]', "opens_case: 'low' is no tier above the lowest (moderate, high)"),
        ("opens_case = []", "opens_case"),
        ("fall_margin = 1.0", "fall_margin"),
        ("no_answer_attempts = 0", "no_answer_attempts"),
        (
            '[praise]\nrecommendation = "Say so."\nmessage = "Well done."\nowner = "dean"',
            "praise.owner: 'dean' is no key of [owners] (none yet)",
        ),
    ],
)
def test_keys_about_cases_are_checked(tmp_path: Path, lines: str, reason: str) -> None:
    head = 'name = "school"\nversion = 1\ncontract = "school"\n'
    assert reason in fault_of(written(tmp_path, head + lines))


def test_a_choice_needs_two_rules(tmp_path: Path) -> None:
    rule = 'feature = "mark"\nmeasure = "level"\nworse_than = 50\nchoice = "first_step"\n'
    assert "rules.0.choice: only one rule has the choice 'first_step'" in fault_of(
        with_rule(tmp_path, rule)
    )
