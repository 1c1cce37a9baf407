"""The reference: each period's usual values, from that period alone."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from pydantic import ValidationError

from records.cohort import Cohort
from records.learnt.reference import Reference, learn_reference, spreads_from_reference
from records.sources import simulated
from tests.records.strategies import cohorts

REFERENCE = Reference(
    features=("a", "b"),
    count=((4, 0), (4, 4)),
    mean=((50.0, None), (60.0, 1.0)),
    spread=((10.0, None), (0.0, 2.0)),
)


def test_count_mean_and_spread_are_those_of_the_observed_values() -> None:
    cohort = simulated.simulate_cohort(300, seed=1)
    reference = learn_reference(cohort)
    quiz = cohort.contract.feature_names.index("quiz")
    column = cohort.values[:, 2, quiz]
    known = column[~np.isnan(column)].astype(np.float64)
    assert reference.count[2][quiz] == len(known)
    assert reference.mean[2][quiz] == pytest.approx(known.mean())
    assert reference.spread[2][quiz] == pytest.approx(known.std())


def test_where_nobody_has_a_value_nothing_is_known() -> None:
    reference = learn_reference(simulated.simulate_cohort(300, seed=1))
    internal = reference.features.index("internal_marks")
    assert reference.count[0][internal] == 0
    assert reference.mean[0][internal] is None
    assert reference.spread[0][internal] is None


@given(cohort=cohorts())
@settings(max_examples=30, deadline=None)
def test_later_periods_never_change_the_reference_of_earlier_ones(cohort: Cohort) -> None:
    cut = (cohort.contract.periods.maximum + 1) // 2
    values = cohort.values.copy()
    values[:, cut:] = np.nan
    early, full = learn_reference(replace(cohort, values=values)), learn_reference(cohort)
    assert early.mean[:cut] == full.mean[:cut]
    assert early.spread[:cut] == full.spread[:cut]
    assert early.count[:cut] == full.count[:cut]


def test_a_value_is_told_in_spreads_from_its_own_periods_mean() -> None:
    values = np.array([[65, 1], [65, 5], [np.nan, 3]], np.float32)
    spreads = spreads_from_reference(values, np.array([1, 2, 2], np.int32), REFERENCE)
    np.testing.assert_array_equal(spreads, [[1.5, np.nan], [np.nan, 2], [np.nan, 1]])
    assert spreads.dtype == np.float32


@pytest.mark.parametrize("period", [0, 3, -1])
def test_a_period_without_a_reference_gives_nothing(period: int) -> None:
    values = np.array([[65, 1]], np.float32)
    assert np.isnan(spreads_from_reference(values, np.array([period], np.int32), REFERENCE)).all()


def test_a_reference_survives_its_file() -> None:
    reference = learn_reference(simulated.simulate_cohort(50))
    text = reference.model_dump_json()
    assert "NaN" not in text
    assert Reference.model_validate(json.loads(text)) == reference


def test_a_table_that_is_not_rectangular_is_refused() -> None:
    with pytest.raises(ValidationError, match="tables"):
        Reference(features=("a",), count=((1,), (1, 2)), mean=((1,), (1,)), spread=((1,), (1,)))


def test_references_stay_equal_to_their_like_once_they_were_used() -> None:
    used, fresh, other = (
        Reference(features=("quiz",), count=((1,),), mean=((mean,),), spread=((None,),))
        for mean in (5.0, 5.0, 6.0)
    )
    for reference in (used, fresh, other):
        reference.arrays()
        reference.scales()
    assert used == fresh
    assert used != other
