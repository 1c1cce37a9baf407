"""Typical trajectories: medians over at least twenty records, of groups and of the whole cohort."""

from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from records.cohort import Cohort
from records.contract import Feature, Kind, Relative, load_contract
from records.learnt.typical import FEWEST, Typical, learn_typical
from records.sources import simulated
from tests.records.small_table import CONTRACT


def a_cohort(records: int, **columns: list[float]) -> Cohort:
    """Return records of the small contract, one period each, in two intakes of equal size."""
    contract = CONTRACT.model_copy(
        update={
            "features": (
                *CONTRACT.features,
                Feature(
                    name="standing",
                    label="Standing",
                    relative=Relative(of="attendance", within="module"),
                ),
            )
        }
    )
    names = contract.feature_names
    shape = (records, contract.periods.maximum)
    values = np.full((*shape, len(names)), np.nan, np.float32)
    for name, column in columns.items():
        values[:, 0, names.index(name)] = column
    eligible = np.zeros(shape, np.bool_)
    eligible[:, 0] = True
    return Cohort(
        contract=contract,
        ids=np.array([f"s{row}" for row in range(records)]),
        students=np.array([f"s{row}" for row in range(records)]),
        cohorts=np.array(["2024" if row < records // 2 else "2025" for row in range(records)]),
        values=values,
        lengths=np.ones(records, np.int32),
        eligible=eligible,
        risk=np.full(shape, np.nan, np.float32),
        score=np.full((*shape, 2), np.nan, np.float32),
        audit={"gender": np.full(records, "", dtype="U1")},
    )


def places(typical: Typical) -> list[tuple[str | None, str | None]]:
    return [(one.group, one.intake) for one in typical.trajectories]


def test_the_median_and_the_range_are_those_of_the_observed_values() -> None:
    cohort = simulated.simulate_cohort(300, seed=1)
    typical = learn_typical(cohort)
    assert places(typical) == [(None, "2023B"), (None, None)]
    latest, everyone = typical.trajectories
    quiz = cohort.contract.feature_names.index("quiz")
    column = cohort.values[:, 2, quiz]
    assert everyone.median[2][quiz] == pytest.approx(np.nanmedian(column))
    assert everyone.low[2][quiz] == pytest.approx(np.nanpercentile(column, 5))
    assert everyone.high[2][quiz] == pytest.approx(np.nanpercentile(column, 95))
    own = column[cohort.cohorts == "2023B"]
    assert latest.median[2][quiz] == pytest.approx(np.nanmedian(own))
    assert everyone.records == tuple(cohort.observed.sum(axis=0).tolist())


def test_the_typical_record_has_no_value_where_most_have_none() -> None:
    typical = learn_typical(simulated.simulate_cohort(300, seed=1))
    internal = typical.features.index("internal_marks")
    assert typical.trajectories[-1].median[0][internal] is None
    # Of 80 records 39 have clicks: fewer than half, and still enough for a range.
    sparse = learn_typical(a_cohort(80, clicks=[1.0] * 39 + [np.nan] * 41)).trajectories[-1]
    clicks = typical_column(sparse.median[0], "clicks"), typical_column(sparse.low[0], "clicks")
    assert clicks == (None, 1.0)


def typical_column(row: tuple[float | None, ...], name: str) -> float | None:
    return row[[*CONTRACT.feature_names, "standing"].index(name)]


def test_levels_have_the_most_frequent_or_the_middle_one_and_flags_the_more_frequent() -> None:
    found = learn_typical(
        a_cohort(
            100,
            module=[1.0] * 60 + [0.0] * 40,
            rating=[0.0] * 30 + [1.0] * 30 + [2.0] * 40,
            tutoring=[1.0] * 51 + [0.0] * 49,
        )
    ).trajectories[-1]
    assert typical_column(found.median[0], "module") == 1
    assert typical_column(found.low[0], "module") is None
    assert typical_column(found.median[0], "rating") == 1
    assert typical_column(found.high[0], "rating") == 2
    assert typical_column(found.median[0], "tutoring") == 1


def test_groups_come_before_the_whole_cohort_and_the_latest_large_intake_before_all() -> None:
    # Module '1': 50 of the first intake, 10 of the latest, which is too small. Module '2': 40 of it.
    module = [0.0] * 60 + [1.0] * 40
    typical = learn_typical(a_cohort(100, module=module, attendance=[50.0] * 100))
    assert typical.within == "module"
    assert places(typical) == [
        ("1", "2024"),
        ("1", None),
        ("2", "2025"),
        ("2", None),
        (None, "2025"),
        (None, None),
    ]


def test_fewer_than_twenty_records_make_no_trajectory_of_their_own() -> None:
    module = [0.0] * (FEWEST - 1) + [1.0] * 81
    typical = learn_typical(a_cohort(100, module=module))
    assert "1" not in {one.group for one in typical.trajectories}
    assert not learn_typical(a_cohort(FEWEST - 1)).trajectories


def test_a_trajectory_ends_where_fewer_than_twenty_records_are_left() -> None:
    cohort = simulated.simulate_cohort(60, seed=1)
    lengths = np.where(np.arange(60) < FEWEST - 1, cohort.lengths, np.minimum(cohort.lengths, 5))
    values = cohort.values.copy()
    beyond = np.arange(values.shape[1]) >= lengths[:, None]
    values[beyond] = np.nan
    short = replace(
        cohort,
        values=values,
        lengths=lengths.astype(np.int32),
        eligible=cohort.eligible & ~beyond,
    )
    assert len(learn_typical(short).trajectories[-1]) == 5
    assert len(learn_typical(cohort).trajectories[-1]) == 8


def test_a_file_keeps_typical_trajectories_exactly() -> None:
    typical = learn_typical(simulated.simulate_cohort(300, seed=1))
    assert Typical.model_validate_json(typical.model_dump_json()) == typical


def test_later_periods_never_change_the_trajectory_of_earlier_ones() -> None:
    cohort = simulated.simulate_cohort(300, seed=1)
    values = cohort.values.copy()
    values[:, 4:] = np.nan
    early, full = learn_typical(replace(cohort, values=values)), learn_typical(cohort)
    assert early.trajectories[-1].median[:4] == full.trajectories[-1].median[:4]
    assert early.trajectories[-1].high[:4] == full.trajectories[-1].high[:4]


def test_tables_of_other_periods_than_records_are_refused() -> None:
    trajectory = {"records": (20,), "median": ((1.0,),), "low": ((1.0,),), "high": ()}
    with pytest.raises(ValidationError, match="tables of the periods"):
        Typical(features=("a",), trajectories=(trajectory,))


def test_every_shipped_contract_is_grouped_by_its_relative_features() -> None:
    assert load_contract("oulad").feature("module").kind is Kind.CATEGORICAL
    assert learn_typical(simulated.simulate_cohort(30)).within is None


def test_a_feature_lasts_where_most_of_its_steps_leave_it_as_it_is() -> None:
    cohort = simulated.simulate_cohort(100, seed=1)
    values = cohort.values.copy()
    quiz, attendance = 3, 0
    values[:, :, quiz] = np.where(np.isnan(values[:, :, quiz]), np.nan, 50)
    # Attendance changes in every second step exactly: that is not less than half.
    values[:, :, attendance] = np.where(
        np.isnan(values[:, :, attendance]), np.nan, [1, 1, 2, 2, 3, 3, 4, 4]
    )
    lasting = learn_typical(replace(cohort, values=values)).lasting
    assert "quiz" in lasting
    assert "engagement" not in lasting
