"""Groups are judged by themselves, and none that is small can be found out."""

from dataclasses import replace

import numpy as np
import pytest
from fairlearn.metrics import MetricFrame
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import recall_score, roc_auc_score

from evaluation.abroca import abroca, roc_heights
from evaluation.fairness import fairness_report, suppressed_groups
from evaluation.figures import AttributeFairness
from evaluation.weighted import Judged, auc, ones
from records.cohort import Cohort
from records.contract import Audit
from tests.training.small_cohort import small_cohort


def _grouped(sizes: dict[str, int], *, seed: int = 0) -> Cohort:
    """Records of one audit attribute, `site`, with groups of these sizes; all steps count."""
    drawn = small_cohort(sum(sizes.values()), seed=seed)
    contract = drawn.contract.model_copy(update={"audit": (Audit(name="site", label="Site"),)})
    sites = np.repeat(list(sizes), list(sizes.values()))
    risk = np.random.default_rng(seed).random(len(drawn)) < 0.5
    return replace(
        drawn,
        contract=contract,
        audit={"site": sites},
        eligible=drawn.observed,
        risk=np.repeat(risk[:, None], drawn.risk.shape[1], axis=1).astype(np.float32),
    )


def _unfair(cohort: Cohort, group: str) -> np.ndarray:
    """Find everybody at risk, but only a third of those in `group`."""
    random = np.random.default_rng(1)
    missed = (cohort.audit["site"] == group) & (random.random(len(cohort)) < 2 / 3)
    risk = np.where(cohort.risk == 1, np.where(missed[:, None], 0.3, 0.8), 0.2)
    return np.asarray(risk + random.normal(0, 0.01, cohort.risk.shape), np.float32)


def _site(cohort: Cohort, probability: np.ndarray) -> AttributeFairness:
    (attribute,) = fairness_report(cohort, probability, resamples=100).attributes
    return attribute


def test_a_group_that_is_overlooked_is_named_with_an_interval() -> None:
    cohort = _grouped({"north": 150, "south": 120})
    attribute = _site(cohort, _unfair(cohort, "south"))
    gap = attribute.gaps["recall"]
    assert gap is not None
    assert (gap.lowest, gap.highest) == ("south", "north")
    assert gap.difference == pytest.approx(2 / 3, abs=0.15)
    assert gap.low is not None
    assert gap.high is not None
    assert 0.4 < gap.low < gap.difference < gap.high < 1
    north, south = attribute.groups
    assert north.recall == 1
    assert (north.records, south.records) == (150, 120)
    area = attribute.gaps["abroca"]
    assert area is not None
    assert (area.lowest, area.highest) == ("north", "south")
    # Two groups: the largest area is that of the one that is not the largest group.
    assert (area.difference, area.low, area.high) == (
        *(south.abroca, south.abroca_low, south.abroca_high),
    )
    assert (north.abroca, north.abroca_low, north.abroca_high) == (0, None, None)


def test_the_area_of_each_group_is_bounded_by_students() -> None:
    cohort = _grouped({"east": 60, "north": 150, "south": 120})
    random = np.random.default_rng(2)
    guessed = random.random(cohort.risk.shape) * (0.5 + cohort.risk)
    blind = random.random(cohort.risk.shape)
    south_only = cohort.audit["site"] == "south"
    probability = np.where(south_only[:, None], blind, guessed).astype(np.float32) / 2
    attribute = _site(cohort, probability)
    east, _, south = attribute.groups
    for group in (east, south):
        assert group.abroca is not None
        assert group.abroca_low is not None
        assert group.abroca_high is not None
        assert 0 <= group.abroca_low < group.abroca < group.abroca_high <= 1
    assert south.abroca_low is not None
    assert south.abroca_low > 0.1
    gap = attribute.gaps["abroca"]
    assert gap is not None
    assert gap.highest == "south"
    assert gap.low is not None
    assert gap.low >= south.abroca_low
    # The same students twice, as two records each, tell no more than once.
    twice = np.tile(np.arange(len(cohort)), 2)
    doubled = replace(
        cohort,
        ids=np.arange(len(twice)).astype(str),
        audit={"site": cohort.audit["site"][twice]},
        **{
            name: getattr(cohort, name)[twice]
            for name in ("students", "cohorts", "values", "lengths", "eligible", "risk", "score")
        },
    )
    again = _site(doubled, np.tile(probability, (2, 1)))
    assert again.groups[2].abroca_low == pytest.approx(south.abroca_low, abs=1e-12)


def test_figures_by_group_are_those_of_the_libraries() -> None:
    cohort = _grouped({"north": 90, "south": 60, "west": 70})
    probability = _unfair(cohort, "west")
    rows, last = np.arange(len(cohort)), cohort.lengths - 1
    truth, predicted = cohort.risk[rows, last], probability[rows, last]
    theirs = MetricFrame(
        metrics=recall_score,
        y_true=truth,
        y_pred=predicted >= 0.5,
        sensitive_features=cohort.audit["site"],
    )
    attribute = _site(cohort, probability)
    for group in attribute.groups:
        here = cohort.audit["site"] == group.group
        assert group.recall == pytest.approx(theirs.by_group[group.group])
        assert group.auc == pytest.approx(roc_auc_score(truth[here], predicted[here]))
    gap = attribute.gaps["recall"]
    assert gap is not None
    assert gap.difference == pytest.approx(theirs.difference())


def test_small_groups_show_nothing_and_unknown_ones_are_not_compared() -> None:
    cohort = _grouped({"": 60, "east": 5, "north": 80, "south": 70, "west": 30})
    attribute = _site(cohort, _unfair(cohort, "unknown"))
    shown = {group.group: group for group in attribute.groups}
    # 'west' is large enough, but the total less the others would tell of 'east'.
    assert {name for name, group in shown.items() if group.suppressed} == {"east", "west"}
    assert shown["east"].model_dump(exclude={"group", "suppressed"}, exclude_none=True) == {}
    assert shown["unknown"].records == 60
    for gap in attribute.gaps.values():
        assert gap is not None
        assert {gap.lowest, gap.highest} <= {"north", "south"}


def test_figures_on_few_cases_are_left_open() -> None:
    cohort = _grouped({"north": 100, "south": 40})
    risk = cohort.risk.copy()
    south = np.flatnonzero(cohort.audit["site"] == "south")
    risk[south], risk[south[:3]] = 0, 1
    attribute = _site(replace(cohort, risk=risk), _unfair(cohort, "south"))
    _, group = attribute.groups
    assert group.records == 40
    assert (group.recall, group.auc, group.abroca) == (None, None, None)
    assert group.false_positive_rate is not None
    assert attribute.gaps["recall"] is None


def test_one_period_can_be_judged_and_nobody_is_no_failure() -> None:
    cohort = _grouped({"north": 100, "south": 100})
    probability = _unfair(cohort, "south")
    report = fairness_report(cohort, probability, period=5, resamples=10)
    assert report.records == (cohort.lengths == 5).sum()
    assert fairness_report(cohort.take([]), probability[:0]).attributes == ()


@given(st.dictionaries(st.text("abc", min_size=1), st.integers(1, 60), min_size=1, max_size=8))
def test_no_suppressed_group_follows_from_the_total(sizes: dict[str, int]) -> None:
    hidden = suppressed_groups(sizes, 20)
    assert {group for group, size in sizes.items() if size < 20} <= hidden
    if hidden and hidden != set(sizes):
        assert len(hidden) > 1
        assert sum(sizes[group] for group in hidden) >= 20


CASES = st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=1, max_size=25)


def _of(cases: list[tuple[bool, int]]) -> Judged:
    # One of each outcome, so that there is a curve.
    truth, sixths = zip(*[*cases, (True, 4), (False, 2)], strict=True)
    return Judged(np.array(truth, float), np.array(sixths) / 6)


@given(CASES, CASES)
def test_abroca_is_a_distance_of_curves(
    first: list[tuple[bool, int]], second: list[tuple[bool, int]]
) -> None:
    a, b = _of(first), _of(second)
    area = abroca(a, b)
    assert area is not None
    assert abroca(a, a) == 0
    assert abroca(b, a) == pytest.approx(area)
    gap = abs(auc(a, ones(a))[0] - auc(b, ones(b))[0])
    assert gap - 1e-9 <= area <= 1


@given(CASES, CASES)
def test_abroca_is_the_integral(
    first: list[tuple[bool, int]], second: list[tuple[bool, int]]
) -> None:
    a, b = _of(first), _of(second)
    at = (np.arange(20_000) + 0.5) / 20_000

    def curve(judged: Judged) -> np.ndarray:
        thresholds = np.unique(judged.predicted)[::-1]
        caught = judged.predicted[None, :] >= np.r_[np.inf, thresholds][:, None]
        true = (caught & (judged.truth > 0)).sum(axis=1) / judged.truth.sum()
        false = (caught & (judged.truth == 0)).sum(axis=1) / (judged.truth == 0).sum()
        return np.asarray(np.interp(at, false, true))

    assert abroca(a, b) == pytest.approx(np.abs(curve(a) - curve(b)).mean(), abs=2e-3)


@given(CASES, CASES, st.integers(0, 2**32 - 1))
def test_resampled_curves_are_those_of_repeated_cases(
    first: list[tuple[bool, int]], second: list[tuple[bool, int]], seed: int
) -> None:
    random = np.random.default_rng(seed)
    pair = _of(first), _of(second)
    weights = [random.integers(0, 3, (1, len(judged.actual))) for judged in pair]
    repeated = [
        Judged(np.repeat(judged.actual, w[0]), np.repeat(judged.predicted, w[0]))
        for judged, w in zip(pair, weights, strict=True)
    ]
    heights = [
        roc_heights(judged, w.astype(np.float64)) for judged, w in zip(pair, weights, strict=True)
    ]
    area = np.abs(heights[0] - heights[1]).mean()
    expected = abroca(repeated[0], repeated[1])
    if expected is None:
        assert np.isnan(area)
    else:
        assert area == pytest.approx(expected, abs=2e-3)


def test_a_group_of_one_outcome_has_no_curve() -> None:
    assert abroca(_of([]), Judged(np.ones(3), np.array([0.1, 0.2, 0.3]))) is None
