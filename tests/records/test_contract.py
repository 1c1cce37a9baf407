"""Contracts: rules that are checked when a contract is read, with the line at fault."""

from pathlib import Path

import pytest
from hypothesis import given

from records.contract import SHIPPED, Contract, Feature, Kind, load_contract, shipped_text
from records.errors import ContractError
from records.files.toml_file import parse_toml
from tests.records.strategies import contracts


def changed(tmp_path: Path, old: str, new: str) -> Path:
    text = shipped_text("semesters")
    assert text.count(old) >= 1
    path = tmp_path / "mine.toml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return path


def refusal(tmp_path: Path, old: str, new: str) -> str:
    with pytest.raises(ContractError) as caught:
        load_contract(changed(tmp_path, old, new))
    return str(caught.value)


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_contract_is_valid_and_called_as_its_file(name: str) -> None:
    assert load_contract(name).name == name


def test_semesters_uses_every_kind() -> None:
    assert {feature.kind for feature in load_contract("semesters").features} == set(Kind)


def test_a_file_of_ones_own_is_read_like_a_shipped_one(tmp_path: Path) -> None:
    path = changed(tmp_path, 'name = "semesters"', 'name = "mine"')
    assert load_contract(path).name == "mine"
    assert load_contract(path).features == load_contract("semesters").features


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("maximum = 100", "maximum = 0", "`minimum` must be below `maximum`"),
        ("maximum = 100", "maximum = inf", "finite"),
        ("minimum = 0", "minimum = nan", "finite"),
        ('levels = ["poor", "fair", "good", "excellent"]', "", "needs `levels`"),
        ('["poor", "fair", "good", "excellent"]', '["poor"]', "at least two"),
        ('["poor", "fair", "good", "excellent"]', '["poor", "poor"]', "differ"),
        ('["poor", "fair", "good", "excellent"]', '["poor", ""]', "empty"),
        ('["poor", "fair", "good", "excellent"]', '["poor", " fair"]', "space"),
        ('kind = "flag"', 'kind = "flag"\nmaximum = 3', "true or false"),
        ('kind = "categorical"', 'kind = "categorical"\nbetter = "lower"', "no order"),
        ('kind = "ordinal"', 'kind = "ordinal"\nminimum = 0', "not a minimum"),
        ('unit = "count"', 'levels = ["a", "b"]', "has no `levels`"),
        ('unit = "count"', 'colour = "red"', "colour"),
        ('name = "homework"', 'name = "Home work"', "pattern"),
        ('name = "homework"', 'name = "exam"', "used twice"),
        ('name = "homework"', 'name = "risk"', "reserved"),
        ('name = "homework"', 'name = "score_physics"', "reserved"),
        ('subjects = ["mathematics", ', 'subjects = ["physics", ', "differ"),
        ("maximum = 100\nsubjects", "maximum = 0\nsubjects", "must be below"),
        ("maximum = 6", "maximum = 0", "greater than or equal to 1"),
        ("version = 1", "version = 'one'", "integer"),
    ],
)
def test_a_rule_that_is_broken_is_named(tmp_path: Path, old: str, new: str, reason: str) -> None:
    assert reason in refusal(tmp_path, old, new)


def test_the_message_names_file_line_and_key(tmp_path: Path) -> None:
    text = shipped_text("semesters").splitlines()
    line = text.index('unit = "count"') + 1
    message = refusal(tmp_path, 'unit = "count"', "unit = 3")
    assert message.startswith(f"{tmp_path / 'mine.toml'}:{line}: features.3.unit: ")


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    path = changed(tmp_path, "version = 1", "version = 0")
    path.write_text(path.read_text().replace("maximum = 6", "maximum = 0"))
    with pytest.raises(ContractError) as caught:
        load_contract(path)
    assert len(str(caught.value).splitlines()) == 2


def test_an_unknown_name_lists_the_shipped_ones() -> None:
    with pytest.raises(ContractError, match="simulated, semesters, oulad, midfield"):
        load_contract("similated")


def test_a_feature_is_found_by_name_and_only_by_name() -> None:
    contract = load_contract("simulated")
    assert contract.feature("quiz").label == "Quiz result"
    with pytest.raises(ContractError, match="no feature of 'simulated'"):
        contract.feature("quizz")


def test_the_fingerprint_is_of_the_meaning_and_not_of_the_layout(tmp_path: Path) -> None:
    shipped = load_contract("semesters")
    spaced = load_contract(changed(tmp_path, "\n\n", "\n# a comment\n\n\n"))
    assert spaced.fingerprint == shipped.fingerprint
    other = load_contract(changed(tmp_path, "maximum = 100", "maximum = 99"))
    assert other.fingerprint != shipped.fingerprint


@given(contract=contracts())
def test_a_contract_survives_json(contract: Contract) -> None:
    again = Contract.model_validate_json(contract.model_dump_json())
    assert again.fingerprint == contract.fingerprint


@pytest.mark.parametrize(
    ("feature", "bounds", "expected"),
    [
        (
            Feature(name="a", label="A", minimum=0, maximum=100),
            (0, 100),
            "a number from 0 to 100",
        ),
        (Feature(name="a", label="A", minimum=0), (0, float("inf")), "a number of at least 0"),
        (Feature(name="a", label="A", maximum=4), (float("-inf"), 4), "a number of at most 4"),
        (Feature(name="a", label="A"), (float("-inf"), float("inf")), "a finite number"),
        (Feature(name="a", label="A", kind=Kind.FLAG), (0, 1), "true or false"),
        (
            Feature(name="a", label="A", kind=Kind.ORDINAL, levels=("x", "y", "z")),
            (0, 2),
            "one of 'x', 'y', 'z'",
        ),
    ],
)
def test_a_feature_knows_its_bounds_and_says_what_it_expects(
    feature: Feature, bounds: tuple[float, float], expected: str
) -> None:
    assert (feature.lower_bound, feature.upper_bound) == bounds
    assert feature.expected == expected


def test_the_scores_columns_carry_the_subjects_names() -> None:
    assert load_contract("simulated").targets.score.columns == ("score",)
    assert load_contract("semesters").targets.score.columns[:2] == (
        "score_mathematics",
        "score_chinese",
    )


def test_the_contract_that_the_documentation_shows_is_a_contract_of_every_kind() -> None:
    page = (Path(__file__).parents[2] / "docs" / "records.md").read_text(encoding="utf-8")
    shown = page.split("```toml\n")[1].split("```")[0]
    contract = parse_toml(shown, Contract, name="records.md")
    assert {feature.kind for feature in contract.features} == set(Kind)
