"""Reasons for the estimates of a real bundle's graph."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from itertools import combinations
from math import comb

import numpy as np
import pytest
from pydantic import TypeAdapter

from explain.comparison import Comparisons
from explain.logits import logit
from explain.questions import STEP_CELLS, answer_in_steps
from explain.reasons.describe import LEAST_SHARE
from explain.reasons.explainer import Explainer
from explain.reasons.split import Split, split
from explain.reasons.types import Reasons, View
from records.arrays import Floats, Ints
from records.contract import Contract, Feature
from records.groups import feature_groups
from scoring.runtime.scorer import Scorer
from scoring.steps import finish
from tests.explain.conftest import Students

ROW = 7  # eight periods, so that nothing is cut


class Recorded:
    """Asks a scorer, and keeps how large the executions were."""

    def __init__(self, scorer: Scorer) -> None:
        self.scorer = scorer
        self.shapes: list[tuple[int, ...]] = []

    def __call__(self, values: Floats, lengths: Ints) -> Floats:
        self.shapes.append(values.shape)
        return self.scorer.score(values, lengths, forecast=False).risk


def split_of(scorer: Scorer, history: Floats, other: Floats) -> Split:
    groups = feature_groups(scorer.bundle.contract)
    nothing = np.full((1, *history.shape), np.nan, np.float32)
    return finish(answer_in_steps(Recorded(scorer), split(history, other, groups, nothing)))


def listed(explainer: Explainer, students: Students, view: View = "level") -> Iterator[Reasons]:
    found = explainer.explain(students.values, students.lengths, students.trajectories, view)
    return (one for one in found if one is not None)


def test_effects_sum_to_the_difference_of_the_logits(scorer: Scorer, students: Students) -> None:
    comparisons = Comparisons(scorer.bundle.contract, scorer.bundle.reference.typical)
    for row in range(8):
        history = students.values[row, : students.lengths[row]]
        other = comparisons.typical(history).values
        found = split_of(scorer, history, other)
        lengths = np.full(2, len(history), np.int32)
        risk = scorer.score(np.stack((history, other)), lengths, forecast=False).risk[:, -1]
        whole = logit(risk[0]) - logit(risk[1])
        assert found.effects.sum() == pytest.approx(float(whole), abs=1e-5)
        assert found.effects.sum() == pytest.approx(
            float(logit(found.risk) - logit(found.other)), abs=1e-6
        )


def test_effects_equal_those_of_the_definition_asked_history_by_history(
    scorer: Scorer, students: Students
) -> None:
    history, other = students.values[ROW], students.values[ROW - 1].copy()
    other[7] = history[7] + 1
    found = split_of(scorer, history, other)
    groups = len(scorer.bundle.contract.features)

    def value(members: set[int]) -> float:
        mixed = other.copy()
        mixed[:, list(members)] = history[:, list(members)]
        risk = scorer.score(mixed[None], np.array([8], np.int32), forecast=False).risk
        return float(logit(risk[0, -1]))

    for group in range(groups):
        others = [other for other in range(groups) if other != group]
        effect = 0.0
        for size in range(groups):
            for chosen in combinations(others, size):
                added = value({*chosen, group}) - value(set(chosen))
                effect += added / (groups * comb(groups - 1, size))
        assert found.effects[group] == pytest.approx(effect, abs=1e-4)


def test_a_group_that_is_as_in_the_comparison_has_no_effect_and_costs_nothing(
    scorer: Scorer, students: Students
) -> None:
    history = students.values[ROW]
    other = np.roll(students.values, 8, axis=0)[ROW].copy()
    other[:, 1] = history[:, 1]
    other[:, 2] = history[:, 2]  # with its missing values
    found = split_of(scorer, history, other)
    assert found.effects[1] == found.effects[2] == 0
    assert len(found.coalitions) == 2**3


def test_reasons_name_the_comparison_and_what_counts(
    explainer: Explainer, students: Students
) -> None:
    for reasons in listed(explainer, students):
        assert reasons.view == "level"
        assert reasons.compared_with.kind == "typical"
        assert reasons.compared_with.intake == "2023B"
        assert (reasons.compared_with.records or 0) >= 20
        assert reasons.compared_with.intake in reasons.compared_with.text
        assert reasons.method == "exact"
        total = sum(group.effect for group in reasons.groups) + reasons.rest
        assert total == pytest.approx(reasons.total, abs=1e-5)
        difference = logit(reasons.risk) - logit(reasons.compared_with.risk)
        assert reasons.total == pytest.approx(float(difference), abs=1e-3)  # of rounded risks
        sizes = [abs(group.effect) for group in reasons.groups]
        assert sizes == sorted(sizes, reverse=True)
        assert all(group.share >= LEAST_SHARE for group in reasons.groups)
        for group in reasons.groups:
            assert group.direction == ("towards" if group.effect > 0 else "against")
            assert group.text.startswith(f"Counts {group.direction} the estimated risk: ")
            assert "because" not in group.text


def test_reasons_say_how_a_feature_differs_in_the_contracts_words(
    explainer: Explainer, students: Students
) -> None:
    [reasons] = listed(explainer, part(students, ROW))
    named = {found.feature: found for group in reasons.groups for found in group.features}
    column = students.values[ROW, -1]
    contract = explainer.contract
    assert named
    for name, found in named.items():
        at = contract.feature_names.index(name)
        feature = contract.features[at]
        assert (found.label, found.unit) == (feature.label, feature.unit)
        if not np.isnan(column[at]):
            assert isinstance(found.value, float | int)
            assert isinstance(found.usual, float | int)
            assert found.value == pytest.approx(float(column[at]), abs=1e-3)
            worse = found.value < found.usual  # all five are better when they are higher
            assert found.standing == ("worse" if worse else "better")


def part(students: Students, *rows: int) -> Students:
    index = list(rows)
    return Students(students.values[index], students.lengths[index], students.trajectories[index])


def test_a_student_without_an_estimate_has_no_reasons(
    explainer: Explainer, students: Students
) -> None:
    found = explainer.explain(students.values, students.lengths, students.trajectories)
    shown = students.trajectories[np.arange(40), students.lengths - 1]
    assert [one is not None for one in found] == (~np.isnan(shown)).tolist()
    assert 0 < np.isnan(shown).sum() < 40


def test_many_students_are_explained_as_each_alone(
    explainer: Explainer, students: Students
) -> None:
    together = explainer.explain(students.values, students.lengths, students.trajectories)
    for row in range(0, 40, 3):
        one = part(students, row)
        [alone] = explainer.explain(one.values, one.lengths, one.trajectories)
        assert_alike(together[row], alone)


def assert_alike(one: Reasons | None, other: Reasons | None) -> None:
    """Compare all that is computed to 1e-5; order and words are the same."""
    if one is None or other is None:
        assert one is other
        return
    assert [group.group for group in one.groups] == [group.group for group in other.groups]
    pairs = [(one.total, other.total), (one.rest, other.rest), (one.risk, other.risk)]
    pairs += [(a.effect, b.effect) for a, b in zip(one.groups, other.groups, strict=True)]
    assert all(a == pytest.approx(b, abs=1e-5) for a, b in pairs)
    assert [group.text for group in one.groups] == [group.text for group in other.groups]


def test_reasons_that_were_recorded_are_computed_again(
    scorer: Scorer, explainer: Explainer, students: Students
) -> None:
    one = part(students, ROW)
    [given] = listed(explainer, one)
    recorded = TypeAdapter(Reasons).validate_json(json.dumps(asdict(given)))
    again = Explainer(Recorded(scorer), explainer.contract, scorer.bundle.reference.typical)
    [computed] = again.explain(one.values, one.lengths, one.trajectories)
    assert_alike(recorded, computed)


def test_the_change_since_the_turn_is_explained_by_the_periods_since_then(
    explainer: Explainer, students: Students
) -> None:
    changed = 0
    for reasons in listed(explainer, students, "change"):
        if reasons.view == "level":
            assert reasons.when.steps[-1].period == 1  # nothing before it
            continue
        changed += 1
        turn, since = reasons.when.turned, reasons.compared_with.since
        expected = turn.period - 1 if turn else reasons.when.steps[-1].period - 1
        assert (reasons.compared_with.kind, since) == ("own_course", expected)
        assert f"up to period {since}" in reasons.compared_with.text
    assert changed > 20


def test_what_happened_before_the_turn_counts_nothing_in_the_change(
    scorer: Scorer, students: Students
) -> None:
    comparisons = Comparisons(scorer.bundle.contract, scorer.bundle.reference.typical)
    history = students.values[ROW].copy()
    history[5:] = comparisons.continued(history[:5], comparisons.usual_for(history, 8), 3)
    history[6, 0] = 0  # attendance alone falls
    other = comparisons.own_course(history, 5).values
    found = split_of(scorer, history, other)
    assert found.effects[0] != 0
    assert not found.effects[1:].any()


def test_missing_values_count_what_typical_ones_would_change(
    scorer: Scorer, explainer: Explainer, students: Students
) -> None:
    one = part(students, ROW)
    one.values[:, 3:5, 0] = np.nan
    one.values[:, 7, 3] = np.nan
    typical = explainer.comparisons.typical(one.values[0]).values
    missing = np.isnan(one.values[0]) & ~np.isnan(typical)
    [reasons] = listed(explainer, one)
    filled = np.where(missing, typical, one.values[0])
    nothing = np.full_like(filled, np.nan)
    rows = np.stack((one.values[0], filled, nothing))
    risk = scorer.score(rows, np.full(3, 8, np.int32), forecast=False).risk
    assert reasons.missing.values == missing.sum() >= 3
    assert reasons.missing.effect == pytest.approx(
        float(logit(risk[0, -1]) - logit(risk[1, -1])), abs=1e-4
    )
    assert reasons.missing.nothing_known == pytest.approx(float(risk[2, -1]), abs=1e-5)
    assert reasons.when.start == pytest.approx(float(risk[2, 0]), abs=1e-5)


def test_without_typical_trajectories_the_comparison_is_with_nothing(
    scorer: Scorer, students: Students
) -> None:
    bare = Explainer(Recorded(scorer), scorer.bundle.contract, None)
    for reasons in listed(bare, students):
        assert reasons.compared_with.kind == "nothing"
        assert reasons.compared_with.text == "a student of whom nothing is known"
        assert reasons.compared_with.records is None
        assert reasons.missing.values == 0
        assert reasons.compared_with.risk == pytest.approx(reasons.missing.nothing_known, abs=1e-5)


def test_an_execution_is_bounded_and_a_step_is_one(scorer: Scorer, students: Students) -> None:
    recorded = Recorded(scorer)
    explainer = Explainer(recorded, scorer.bundle.contract, scorer.bundle.reference.typical)
    steps = explainer.explain_in_steps(students.values, students.lengths, students.trajectories)
    taken = sum(1 for _ in steps)
    assert taken == len(recorded.shapes) > 3
    assert max(rows * periods for rows, periods, _ in recorded.shapes) <= STEP_CELLS


def test_an_estimate_that_the_model_cannot_give_has_no_reasons(
    explainer: Explainer, scorer: Scorer, students: Students
) -> None:
    def broken(values: Floats, lengths: Ints) -> Floats:
        risk = scorer.score(values, lengths, forecast=False).risk
        return np.where(np.arange(len(risk))[:, None] == 2, np.float32(np.nan), risk)

    one = part(students, ROW)
    unsure = Explainer(broken, explainer.contract, scorer.bundle.reference.typical)
    assert unsure.explain(one.values, one.lengths, one.trajectories) == [None]


def test_more_than_ten_groups_are_sampled(scorer: Scorer) -> None:
    contract = scorer.bundle.contract
    feature = contract.features[0]
    names = [f"f{at}" for at in range(11)]
    many = replace_features(
        contract, [feature.model_copy(update={"name": n, "label": n}) for n in names]
    )
    weights = np.linspace(-1, 1, 11)

    def predict(values: Floats, _: Ints) -> Floats:
        level = np.nan_to_num(values) @ weights / 100
        return (1 / (1 + np.exp(-level))).astype(np.float32)

    history = np.full((1, 2, 11), 100, np.float32)
    [reasons] = Explainer(predict, many, None).explain(
        history, np.array([2], np.int32), np.full((1, 2), 0.5)
    )
    assert reasons is not None
    assert reasons.method == "sampled"
    assert len(reasons.groups) == 5
    assert reasons.error == pytest.approx(0, abs=1e-6)  # no group depends on another
    assert {group.group for group in reasons.groups[:2]} == {"f0", "f10"}
    assert reasons.groups[0].effect == pytest.approx(1, abs=1e-5) or reasons.groups[
        0
    ].effect == pytest.approx(-1, abs=1e-5)


def replace_features(contract: Contract, features: list[Feature]) -> Contract:
    return contract.model_copy(update={"features": tuple(features)})
