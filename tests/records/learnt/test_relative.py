"""Relative features: one formula that looks at one group and period at a time."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from records.arrays import Bools, Doubles, Floats
from records.cohort import Cohort
from records.contract import (
    Contract,
    Feature,
    Kind,
    Periods,
    Relative,
    RiskTarget,
    ScoreTarget,
    Targets,
    load_contract,
)
from records.errors import CohortError, ContractError
from records.learnt.relative import (
    Moments,
    RelativeLayout,
    fill_relatives,
    learn_moments,
    own_relatives,
    relative_values,
    with_own_relatives,
    without_relatives,
)
from records.learnt.relative_reference import (
    RelativeReference,
    learn_relatives,
    moments_reference,
    parse_reference,
    read_reference,
)
from records.load import load_cohort
from records.tables.read_write import write_table

WEEKS, CLASS = 3, 30
LIMITS = {"minimum": -6, "maximum": 6}


def contract_with(*relatives: Feature) -> Contract:
    return Contract(
        name="small",
        version=1,
        title="Small",
        periods=Periods(name="week", maximum=WEEKS),
        features=(
            Feature(name="mark", label="Mark"),
            Feature(name="module", label="Module", kind=Kind.CATEGORICAL, levels=("A", "B")),
            *relatives,
        ),
        targets=Targets(
            risk=RiskTarget(label="Fails"), score=ScoreTarget(label="Score", minimum=0, maximum=9)
        ),
    )


def feature(name: str, of: str = "mark", **relative: object) -> Feature:
    content = {"name": name, "label": name, **LIMITS, "relative": {"of": of, **relative}}
    return Feature.model_validate(content)


CONTRACT = contract_with(
    feature("against_module", within="module"), feature("against_all", fewest=2)
)
LAYOUT = RelativeLayout.of(CONTRACT) or pytest.fail("no layout")
MODULE, ALL = 2, 3


def drawn(seed: int, records: int = CLASS) -> Floats:
    """Return values of `records` students of module A, some marks missing."""
    generator = np.random.default_rng(seed)
    values = np.full((records, WEEKS, 4), np.nan, np.float32)
    values[:, :, 0] = generator.normal(50, 10, (records, WEEKS))
    values[generator.random((records, WEEKS)) < 0.1, 0] = np.nan
    values[:, :, 1] = 0
    return values


def marks(values: np.ndarray) -> Floats:
    whole = drawn(0, len(values))
    whole[:, :, 0] = values
    return whole


def stood(values: Floats, counted: Bools | None = None) -> Doubles:
    """Return (records, weeks) where each stands in the own module."""
    there = np.ones(values.shape[:2], np.bool_) if counted is None else counted
    return np.asarray(relative_values(values, learn_moments(LAYOUT, values, there))[:, :, 0])


def cohort_of(values: Floats, eligible: Bools | None = None, name: str = "2013B") -> Cohort:
    records = len(values)
    return Cohort(
        contract=CONTRACT,
        ids=np.array([f"{name}-{at}" for at in range(records)]),
        students=np.array([f"{name}-{at}" for at in range(records)]),
        cohorts=np.full(records, name),
        values=values,
        lengths=np.full(records, WEEKS, np.int32),
        eligible=np.ones((records, WEEKS), np.bool_) if eligible is None else eligible,
        risk=np.full((records, WEEKS), np.nan, np.float32),
        score=np.full((records, WEEKS, 1), np.nan, np.float32),
    )


def test_a_class_stands_around_its_own_mean() -> None:
    found = stood(drawn(0))
    np.testing.assert_allclose(np.nanmean(found, axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(np.nanstd(found, axis=0), 1, atol=1e-6)


@given(st.floats(-20, 20), st.floats(0.1, 5))
def test_a_harder_or_more_generous_marker_changes_no_standing(easier: float, wider: float) -> None:
    values = drawn(1)[:, :, 0]
    np.testing.assert_allclose(
        stood(marks(values * wider + easier)), stood(marks(values)), atol=1e-3
    )


@given(st.integers(0, 2**31), st.integers(1, WEEKS - 1))
def test_nothing_of_a_later_period_is_in_an_earlier_one(seed: int, cutoff: int) -> None:
    values, blank, other = drawn(seed), drawn(seed), drawn(seed)
    blank[:, cutoff:] = np.nan
    other[:, cutoff:] = drawn(seed + 1)[:, cutoff:] * 3
    known = stood(values)[:, :cutoff]
    np.testing.assert_array_equal(stood(blank)[:, :cutoff], known)
    np.testing.assert_array_equal(stood(other)[:, :cutoff], known)


@given(st.integers(0, 2**31), st.integers(0, 40))
def test_another_module_changes_nothing_and_another_intake_neither(seed: int, size: int) -> None:
    one, other = drawn(seed), drawn(seed + 1, size) + 30
    other[:, :, 1] = 1
    both = np.vstack([one, other])
    np.testing.assert_array_equal(stood(both)[:CLASS], stood(one))
    there = np.ones(both.shape[:2], np.bool_)
    intakes = np.repeat(["2013B", "2014B"], [CLASS, size])
    again = np.vstack([one, drawn(seed + 2, size)])
    alone = own_relatives(LAYOUT, one, there[:CLASS], intakes[:CLASS])
    np.testing.assert_array_equal(own_relatives(LAYOUT, again, there, intakes)[:CLASS], alone)


def test_the_whole_cohort_is_one_group_and_needs_no_module() -> None:
    values = drawn(3)
    values[:10, :, 1] = 1
    values[10, :, 1] = np.nan
    there = np.ones((CLASS, WEEKS), np.bool_)
    found = relative_values(values, learn_moments(LAYOUT, values, there))
    np.testing.assert_allclose(np.nanmean(found[:, :, 1], axis=0), 0, atol=1e-6)
    assert np.isnan(found[10, :, 0]).all()
    assert np.isnan(found[:10, :, 0]).all()  # ten are no class
    np.testing.assert_array_equal(np.isnan(found[:, :, 1]), np.isnan(values[:, :, 0]))


def test_who_has_left_is_no_classmate_any_more() -> None:
    values, counted = drawn(4), np.ones((CLASS, WEEKS), np.bool_)
    counted[0, 1:] = False
    values[0, 1:, 0] = 1e6
    found = stood(values, counted)
    np.testing.assert_allclose(np.nanmean(found[1:, 1:], axis=0), 0, atol=1e-6)
    assert (found[0, 1:] == 6).all()


def test_too_few_with_a_value_are_no_class_and_equal_ones_stand_at_zero() -> None:
    values = np.full((CLASS, WEEKS), 7.0)
    values[19:, 0] = np.nan
    found = stood(marks(values))
    assert np.isnan(found[:, 0]).all()
    assert found[:, 1] == pytest.approx(0)


@given(st.integers(0, 2**31), st.integers(0, CLASS))
def test_parts_of_a_class_joined_are_the_whole_class(seed: int, cut: int) -> None:
    values, there = drawn(seed), np.ones((CLASS, WEEKS), np.bool_)
    whole = learn_moments(LAYOUT, values, there)
    first, second = (
        learn_moments(LAYOUT, values[part], there[part]) for part in (slice(cut), slice(cut, None))
    )
    joined = Moments.none(LAYOUT).joined(first).joined(second)
    np.testing.assert_array_equal(joined.count, whole.count)
    np.testing.assert_allclose(joined.mean, whole.mean, rtol=1e-9)
    np.testing.assert_allclose(joined.spread, whole.spread, rtol=1e-9, atol=1e-9)


def test_what_is_there_is_never_overwritten_and_what_is_not_known_stays_missing() -> None:
    values = drawn(5)
    values[0, 0, MODULE] = 1.25
    values[1, 0, 0] = np.nan
    kept = values.copy()
    moments = learn_moments(LAYOUT, values, np.ones((CLASS, WEEKS), np.bool_))
    whole, filled = fill_relatives(values, moments)
    np.testing.assert_array_equal(values, kept)
    assert whole[0, 0, MODULE] == np.float32(1.25)
    assert not filled[0, 0, 0]
    assert filled[0, 0, 1]
    assert np.isnan(whole[1, 0, MODULE])
    np.testing.assert_array_equal(whole[:, :, :2], values[:, :, :2])


def test_a_reference_gives_in_a_file_what_the_cohort_gives(tmp_path: Path) -> None:
    cohort = with_own_relatives(cohort_of(drawn(6)))
    reference = learn_relatives(cohort) or pytest.fail("no reference")
    path = tmp_path / "reference.json"
    path.write_text(reference.model_dump_json())
    again = read_reference(path, CONTRACT)
    assert again == reference
    bare = without_relatives(cohort)
    assert np.isnan(bare.values[:, :, MODULE:]).all()
    filled, _ = fill_relatives(bare.values, again.moments(LAYOUT))
    np.testing.assert_array_equal(filled, cohort.values)
    moments = reference.moments(LAYOUT)
    unnamed = moments_reference(CONTRACT, moments).moments(LAYOUT)
    np.testing.assert_array_equal(unnamed.mean, moments.mean)


def test_of_each_group_the_latest_intake_that_is_large_enough_is_kept() -> None:
    early, late = drawn(7), drawn(8)
    early[:, :, 1] = np.repeat([0, 1], CLASS // 2)[:, None]
    early = np.vstack([early, early])
    few = drawn(9, 5)
    few[:, :, 1] = 1
    cohort = Cohort.concatenate(
        [
            cohort_of(early, name="2013B"),
            cohort_of(np.vstack([late, few]), name="2014B"),
        ]
    )
    found = (learn_relatives(cohort) or pytest.fail("none")).features["against_module"]
    assert {name: one.cohort for name, one in found.items()} == {"A": "2014B", "B": "2013B"}


def test_a_table_without_the_columns_is_read_with_them(tmp_path: Path) -> None:
    cohort = cohort_of(drawn(10))
    written, cut = tmp_path / "whole.csv", tmp_path / "cut.csv"
    write_table(cohort, written)
    rows = [line.split(",") for line in written.read_text().splitlines()]
    kept = [at for at, name in enumerate(rows[0]) if "against" not in name]
    assert len(rows[0]) - len(kept) == 2
    cut.write_text("\n".join(",".join(row[at] for at in kept) for row in rows) + "\n")
    contract = tmp_path / "contract.toml"
    contract.write_text(_TOML)
    read = load_cohort(str(cut), contract=contract)
    expected = with_own_relatives(cohort).values
    assert np.isfinite(expected[:, :, ALL]).any()
    np.testing.assert_array_equal(read.values, expected)


_TOML = """
name = "small"
version = 1
title = "Small"
periods = { name = "week", maximum = 3 }
features = [
  { name = "mark", label = "Mark" },
  { name = "module", label = "Module", kind = "categorical", levels = ["A", "B"] },
  { name = "against_module", label = "x", relative = { of = "mark", within = "module" } },
  { name = "against_all", label = "x", relative = { of = "mark", fewest = 2 } },
]
[targets]
risk = { label = "Fails" }
score = { label = "Score", minimum = 0, maximum = 9 }
"""


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (feature("one", of="nothing"), "numeric feature"),
        (feature("one", of="module"), "numeric feature"),
        (feature("one", of="one"), "not relative itself"),
        (feature("one", within="mark"), "categorical"),
        (feature("one", within="nothing"), "categorical"),
    ],
)
def test_what_cannot_be_compared_is_refused(wrong: Feature, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        contract_with(wrong)


def test_only_numbers_are_relative_and_the_file_says_where(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="numeric"):
        Feature(name="x", label="X", kind=Kind.FLAG, relative=Relative(of="mark"))
    path = tmp_path / "contract.toml"
    path.write_text(_TOML.replace('of = "mark", fewest', 'of = "marks", fewest'))
    with pytest.raises(ContractError, match="marks"):
        load_contract(path)


def test_what_a_feature_is_computed_from_does_not_change_what_it_means() -> None:
    plain = contract_with(
        *(Feature(name=one.name, label=one.name, **LIMITS) for one in CONTRACT.features[2:])
    )
    assert plain.fingerprint == CONTRACT.fingerprint


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "as a whole"),
        ({"contract": "small", "features": {"mark": {}}}, "no relative feature"),
        ({"contract": "small", "features": {"against_all": {"A": {}}}}, "count"),
    ],
)
def test_a_reference_that_does_not_fit_is_refused(content: object, said: str) -> None:
    with pytest.raises(CohortError, match=said):
        parse_reference(content, LAYOUT)


@pytest.mark.parametrize(
    ("group", "figures", "said"),
    [
        ("C", ([1], [1.0], [1.0]), "no group"),
        ("A", ([1] * 4, [1.0] * 4, [1.0] * 4), "4 periods"),
        ("A", ([1], [1.0], [1.0, 2.0]), "same periods"),
        ("A", ([1], [None], [1.0]), "mean and spread"),
        ("A", ([1], [1.0], [-1.0]), "greater than or equal to 0"),
        ("A", ([-1], [1.0], [1.0]), "greater than or equal to 0"),
        ("A", ([1], ["7x7"], [1.0]), "valid number"),
    ],
)
def test_a_group_that_does_not_fit_is_refused_without_its_numbers(
    group: str, figures: tuple[list[object], ...], said: str
) -> None:
    one = dict(zip(("count", "mean", "spread"), figures, strict=True))
    content = {"contract": "small", "features": {"against_module": {group: one}}}
    with pytest.raises(CohortError, match=said) as refused:
        parse_reference(content, LAYOUT)
    assert "7x7" not in str(refused.value)


def test_one_group_can_be_cut_out() -> None:
    values = np.vstack([drawn(11), drawn(12)])
    values[CLASS:, :, 1] = 1
    reference = learn_relatives(cohort_of(values)) or pytest.fail("none")
    assert set(reference.features["against_module"]) == {"A", "B"}
    only = reference.only("B")
    assert set(only.features["against_module"]) == {"B"}
    assert isinstance(only, RelativeReference)


def test_a_contract_without_relative_features_has_no_layout() -> None:
    plain = replace(cohort_of(drawn(0)), contract=contract_with(*_plain()))
    assert RelativeLayout.of(plain.contract) is None
    assert learn_relatives(plain) is None
    assert with_own_relatives(plain) is plain
    assert without_relatives(plain) is plain


def _plain() -> tuple[Feature, Feature]:
    return Feature(name="one", label="One"), Feature(name="two", label="Two")
