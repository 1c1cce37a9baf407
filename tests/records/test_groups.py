"""Feature groups: what reasons name together."""

from pathlib import Path

import pytest

from records.contract import SHIPPED, Contract, Feature, Relative, load_contract, shipped_text
from records.errors import ContractError
from records.groups import BACKGROUND, feature_groups
from tests.records.small_table import CONTRACT


def labels_of(contract: Contract) -> dict[str, tuple[str, ...]]:
    names = contract.feature_names
    return {
        group.label: tuple(names[column] for column in group.columns)
        for group in feature_groups(contract)
    }


def with_features(*features: Feature) -> Contract:
    return Contract(**(dict(CONTRACT) | {"features": features}))


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_contract_has_at_most_eight_groups_that_hold_each_feature_once(
    name: str,
) -> None:
    contract = load_contract(name)
    groups = feature_groups(contract)
    assert len(groups) <= 8
    columns = sorted(column for group in groups for column in group.columns)
    assert columns == list(range(len(contract.features)))


def test_an_actionable_feature_is_a_group_by_itself_and_all_others_are_the_background() -> None:
    contract = with_features(
        Feature(name="age", label="Age"),
        Feature(name="marks", label="Marks so far", actionable=True),
        Feature(name="hours", label="Hours"),
    )
    assert labels_of(contract) == {BACKGROUND: ("age", "hours"), "Marks so far": ("marks",)}


def test_a_relative_feature_goes_with_the_feature_that_it_compares_unless_it_names_a_group() -> (
    None
):
    marks = Feature(name="marks", label="Marks", actionable=True, group="Results")
    standing = Feature(name="standing", label="Standing", relative=Relative(of="marks"))
    assert labels_of(with_features(marks, standing)) == {"Results": ("marks", "standing")}
    apart = standing.model_copy(update={"group": "Standing"})
    assert labels_of(with_features(marks, apart)) == {
        "Results": ("marks",),
        "Standing": ("standing",),
    }


def test_features_share_a_group_by_its_label() -> None:
    contract = with_features(
        Feature(name="a", label="A", group="Both"),
        Feature(name="b", label="B"),
        Feature(name="c", label="C", actionable=True, group="Both"),
    )
    assert labels_of(contract) == {"Both": ("a", "c"), BACKGROUND: ("b",)}


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ('group = ""', "group: String should match pattern"),
        ('group = " Marks"', "group: String should match pattern"),
        (f'group = "{"x" * 41}"', "group: String should have at most 40 characters"),
        ("after_hand_in = 101", "must be a number from 0 to 100"),
    ],
)
def test_a_key_that_breaks_the_rules_is_named_with_its_line(
    tmp_path: Path, key: str, reason: str
) -> None:
    path = tmp_path / "mine.toml"
    lines = shipped_text("simulated").replace('unit = "%"', f'unit = "%"\n{key}', 1)
    path.write_text(lines, encoding="utf-8")
    with pytest.raises(ContractError, match=reason) as caught:
        load_contract(path)
    assert f"{path}:" in str(caught.value)


def test_only_actionable_features_change_when_work_is_handed_in() -> None:
    with pytest.raises(ValueError, match="`after_hand_in` belongs to features that are"):
        Feature(name="missing", label="Missing", after_hand_in=0)
    assert Feature(name="missing", label="Missing", after_hand_in=0, actionable=True).actionable


def test_how_features_are_explained_leaves_the_fingerprint_as_it_is() -> None:
    plain = Feature(name="missing", label="Missing", minimum=0, actionable=True)
    grouped = plain.model_copy(update={"group": "Submissions", "after_hand_in": 0.0})
    assert with_features(grouped).fingerprint == with_features(plain).fingerprint
