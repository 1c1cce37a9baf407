"""Cohorts: aligned arrays that refuse nonsense, and cutoffs that leak nothing."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from records.cohort import Cohort, numeric_columns
from records.contract import load_contract
from records.errors import CohortError
from records.sources import semesters, simulated
from tests.records.strategies import cohorts


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return simulated.simulate_cohort(64, seed=1)


@given(data=st.data())
@settings(max_examples=100, deadline=None)
def test_nothing_after_the_cutoff_changes_what_was_known_then(data: st.DataObject) -> None:
    cohort = data.draw(cohorts())
    maximum = cohort.contract.periods.maximum
    cutoff = data.draw(st.integers(1, maximum))
    lengths = cohort.lengths.copy()
    for row in np.nonzero(lengths >= cutoff)[0]:
        lengths[row] = data.draw(st.integers(cutoff, maximum))
    beyond = np.arange(maximum)[None, :] >= lengths[:, None]
    values, eligible = cohort.values.copy(), cohort.eligible.copy()
    values[:, cutoff:] = data.draw(hnp.arrays(np.float32, values[:, cutoff:].shape))
    eligible[:, cutoff:] = data.draw(hnp.arrays(np.bool_, eligible[:, cutoff:].shape))
    values[beyond], eligible[beyond] = np.nan, False
    outcomes = st.sampled_from([0.0, 1.0, np.nan])
    changed = replace(
        cohort,
        values=values,
        eligible=eligible,
        lengths=lengths,
        risk=data.draw(hnp.arrays(np.float32, cohort.risk.shape, elements=outcomes)),
        score=data.draw(hnp.arrays(np.float32, cohort.score.shape)),
    )
    assert changed.at(cutoff).fingerprint() == cohort.at(cutoff).fingerprint()


@given(data=st.data())
@settings(max_examples=50, deadline=None)
def test_a_cutoff_keeps_all_that_was_known_and_no_target(data: st.DataObject) -> None:
    cohort = data.draw(cohorts())
    cutoff = data.draw(st.integers(1, cohort.contract.periods.maximum))
    known = cohort.at(cutoff)
    np.testing.assert_array_equal(known.values[:, :cutoff], cohort.values[:, :cutoff])
    np.testing.assert_array_equal(known.lengths, np.minimum(cohort.lengths, cutoff))
    np.testing.assert_array_equal(known.ids, cohort.ids)
    assert np.isnan(known.values[:, cutoff:]).all()
    assert np.isnan(known.risk).all()
    assert np.isnan(known.score).all()


@pytest.mark.parametrize("cutoff", [0, 9, -1])
def test_a_cutoff_that_is_no_period_is_refused(cohort: Cohort, cutoff: int) -> None:
    with pytest.raises(CohortError, match="1 to 8"):
        cohort.at(cutoff)


@given(data=st.data())
@settings(max_examples=50, deadline=None)
def test_taking_apart_and_joining_gives_the_same_cohort(data: st.DataObject) -> None:
    cohort = data.draw(cohorts())
    cut = data.draw(st.integers(0, len(cohort)))
    mask = np.arange(len(cohort)) < cut
    parts = [cohort.take(mask), cohort.take(np.arange(cut, len(cohort)))]
    assert Cohort.concatenate(parts).fingerprint() == cohort.fingerprint()


def test_rows_are_taken_in_the_order_asked_for(cohort: Cohort) -> None:
    assert cohort.take([5, 2]).ids.tolist() == cohort.ids[[5, 2]].tolist()
    assert len(cohort.take([])) == 0


def test_cohorts_of_different_contracts_are_not_joined(cohort: Cohort) -> None:
    with pytest.raises(CohortError, match="different contracts"):
        Cohort.concatenate([cohort, semesters.simulate_cohort(3)])
    with pytest.raises(CohortError, match="nothing"):
        Cohort.concatenate([])


def test_the_same_record_cannot_be_twice_in_a_cohort(cohort: Cohort) -> None:
    with pytest.raises(CohortError, match="unique"):
        Cohort.concatenate([cohort, cohort])


@pytest.mark.parametrize(
    ("name", "array", "reason"),
    [
        ("values", np.zeros((64, 8, 4), np.float32), "shape"),
        ("risk", np.zeros((64, 7), np.float32), "shape"),
        ("score", np.zeros((64, 8), np.float32), "shape"),
        ("students", np.full(63, "p"), "shape"),
        ("values", np.full((64, 8, 5), np.nan, np.float64), "float32"),
        ("lengths", np.full(64, 8, np.int64), "int32"),
        ("eligible", np.zeros((64, 8), np.int8), "bool"),
        ("cohorts", np.arange(64), "strings"),
        ("lengths", np.full(64, 9, np.int32), "between 0 and 8"),
        ("lengths", np.full(64, -1, np.int32), "between 0 and 8"),
        ("lengths", np.full(64, 0, np.int32), "empty from"),
        ("risk", np.full((64, 8), 0.5, np.float32), "0, 1 or NaN"),
        ("students", np.full(64, ""), "must not be empty"),
        ("audit", {}, "audit"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(
    cohort: Cohort, name: str, array: object, reason: str
) -> None:
    with pytest.raises(CohortError, match=reason):
        replace(cohort, **{name: array})  # type: ignore[arg-type]


def test_values_after_the_end_of_a_record_are_refused(cohort: Cohort) -> None:
    short = int(np.nonzero(cohort.lengths < 8)[0][0])
    values, eligible = cohort.values.copy(), cohort.eligible.copy()
    values[short, 7, 0] = 50
    eligible[short, 7] = True
    with pytest.raises(CohortError, match="empty from"):
        replace(cohort, values=values)
    with pytest.raises(CohortError, match="empty from"):
        replace(cohort, eligible=eligible)


def test_any_change_changes_the_fingerprint(cohort: Cohort) -> None:
    values, score, lengths = cohort.values.copy(), cohort.score.copy(), cohort.lengths.copy()
    values[3, 0, 0] = 12.5
    score[3, 0, 0] = np.nan
    lengths[np.nonzero(lengths < 8)[0][0]] += 1
    changes: list[dict[str, object]] = [
        {"values": values},
        {"score": score},
        {"lengths": lengths},
        {"ids": np.char.add(cohort.ids, "x")},
        {"cohorts": np.char.add(cohort.cohorts, "x")},
        {"audit": {**cohort.audit, "gender": np.full(64, "x")}},
        {"contract": cohort.contract.model_copy(update={"version": 2})},
    ]
    prints = [replace(cohort, **change).fingerprint() for change in changes]  # type: ignore[arg-type]
    assert len({cohort.fingerprint(), *prints}) == len(changes) + 1


def test_the_fingerprint_sees_numbers_and_not_their_bits(cohort: Cohort) -> None:
    zero, negative, other_nan = (cohort.values.copy() for _ in range(3))
    zero[0, 0, 0], negative[0, 0, 0] = 0.0, -0.0
    other_nan[np.isnan(other_nan)] = np.uint32(0x7FC00001).view(np.float32)
    assert (
        replace(cohort, values=zero).fingerprint() == replace(cohort, values=negative).fingerprint()
    )
    assert replace(cohort, values=other_nan).fingerprint() == cohort.fingerprint()
    wider = cohort.ids.astype("U40")
    assert replace(cohort, ids=wider).fingerprint() == cohort.fingerprint()


def test_no_two_lists_of_names_have_one_fingerprint(cohort: Cohort) -> None:
    two = cohort.take([0, 1])
    joined = replace(two, ids=np.array(["a", "b\x1fc"]))
    parted = replace(two, ids=np.array(["a\x1fb", "c"]))
    assert joined.fingerprint() != parted.fingerprint()


def test_numeric_columns_are_found_by_kind() -> None:
    contract = load_contract("semesters")
    names = [contract.feature_names[column] for column in numeric_columns(contract)]
    assert "homework" in names
    assert not {"classroom", "courses", "tutoring", "background"} & set(names)
