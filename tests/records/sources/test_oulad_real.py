import gzip
from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits

from records.cohort import Cohort
from records.sources.oulad import load_oulad


@pytest.fixture(scope="module")
def real(oulad_dir: Path) -> Cohort:
    return load_oulad(oulad_dir)


def test_the_real_files_hold_21333_enrolments_of_which_2200_never_began(
    oulad_dir: Path, real: Cohort
) -> None:
    with gzip.open(oulad_dir / "studentInfo.csv.gz", "rt") as file:
        enrolments = sum(1 for _ in file) - 1
    assert enrolments == 21_333
    assert len(real) == enrolments - 2_200
    assert sorted(set(real.cohorts)) == ["2013B", "2013J", "2014B"]


def test_real_students_who_left_are_not_predicted(real: Cohort) -> None:
    weeks = [3, 7, 11, 15]
    assert real.eligible[:, weeks].sum(axis=0).tolist() == [18_311, 17_636, 17_153, 16_611]
    # Fail or Withdrawn gets rarer as those who leave go.
    rates = np.nanmean(real.risk[:, weeks], axis=0)
    assert rates == pytest.approx([0.458, 0.437, 0.421, 0.402], abs=0.001)


def test_real_values_lie_within_the_contract(real: Cohort) -> None:
    for column, feature in enumerate(real.contract.features):
        values = real.values[:, :, column]
        assert np.nanmin(values) >= feature.lower_bound, feature.name
        assert np.nanmax(values) <= feature.upper_bound, feature.name


def test_real_clicks_reach_as_far_as_the_log(real: Cohort) -> None:
    clicks = real.values[:, :, real.contract.feature_names.index("clicks")]
    observed = real.observed & ~np.isnan(real.values[:, :, 0])
    reach = {}
    for name in ("AAA-2013J", "BBB-2013B", "BBB-2013J", "BBB-2014B", "FFF-2013J"):
        rows = np.char.startswith(real.ids, name)
        covered = ~np.isnan(clicks[rows]).all(axis=0)
        reach[name] = int(covered.sum())
        # Whole weeks are covered, for everybody who is there.
        weeks = np.flatnonzero(covered)
        assert np.array_equal(~np.isnan(clicks[rows][:, weeks]), observed[rows][:, weeks])
    assert reach == {
        "AAA-2013J": 39,
        "BBB-2013B": 35,
        "BBB-2013J": 39,
        "BBB-2014B": 34,
        "FFF-2013J": 39,
    }


@pytest.mark.parametrize(("week", "least"), [(8, 0.77), (16, 0.85)])
def test_the_real_records_tell_who_will_fail_in_a_later_presentation(
    real: Cohort, week: int, least: float
) -> None:
    # With untuned boosting on that week alone; measured 0.798 and 0.864.
    known = real.at(week).values[:, week - 1]
    outcome = real.risk[:, week - 1]
    scored = real.eligible[:, week - 1] & ~np.isnan(outcome)
    test = scored & (real.cohorts == "2014B")
    train = scored & ~test
    model = HistGradientBoostingClassifier(categorical_features=[0], random_state=0)
    with threadpool_limits(1):  # several threads wait for each other on a busy machine
        model.fit(known[train], outcome[train])
    assert roc_auc_score(outcome[test], model.predict_proba(known[test])[:, 1]) > least
