from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from records.cohort import Cohort
from records.sources.midfield import load_midfield


@pytest.fixture(scope="module")
def real(midfield_dir: Path) -> Cohort:
    return load_midfield(midfield_dir)


def test_the_real_files_hold_77662_students_all_but_17_before_their_first_degree(
    real: Cohort,
) -> None:
    assert len(real) == 77_662 - 17
    assert (min(real.cohorts), max(real.cohorts)) == ("1988", "2018")


def test_real_graduates_are_not_predicted(real: Cohort) -> None:
    assert real.eligible.sum(axis=0)[:4].tolist() == [77_639, 71_563, 64_786, 59_813]
    assert np.nanmean(real.risk[:, :4], axis=0) == pytest.approx(
        [0.084, 0.075, 0.062, 0.054], abs=0.001
    )


def test_real_values_lie_within_the_contract(real: Cohort) -> None:
    for column, feature in enumerate(real.contract.features):
        values = real.values[:, :, column]
        assert np.nanmin(values) >= feature.lower_bound, feature.name
        assert np.nanmax(values) <= feature.upper_bound, feature.name


def test_real_entrants_without_six_recorded_years_have_no_known_outcome(
    midfield_dir: Path,
) -> None:
    cohort = load_midfield(midfield_dir, risk="no_degree")
    institution = cohort.values[:, 0, cohort.contract.feature_names.index("institution")]
    last_known = [
        max(cohort.cohorts[(institution == place) & ~np.isnan(cohort.risk[:, 0])])
        for place in range(3)
    ]
    # J lacks the degrees of 2004 to 2007, and its terms end in 2009.
    assert last_known == ["2012", "2010", "1998"]
    assert np.nanmean(cohort.risk[:, 0]) == pytest.approx(0.445, abs=0.001)


def test_real_terms_forecast_the_next_better_than_the_last_or_the_mean_grade(
    real: Cohort,
) -> None:
    known, target = real.at(4).values[:, 3], real.score[:, 3, 0]
    scored = ~np.isnan(target)
    test = scored & (np.arange(len(real)) % 5 == 0)
    train = scored & ~test
    model = HistGradientBoostingRegressor(loss="absolute_error", random_state=0)
    with threadpool_limits(1):  # several threads wait for each other on a busy machine
        error = np.abs(model.fit(known[train], target[train]).predict(known[test]) - target[test])
    naive = {
        name: np.nanmean(
            np.abs(25 * known[test, real.contract.feature_names.index(name)] - target[test])
        )
        for name in ("gpa_term", "gpa_cumul")
    }
    # Measured: 9.7 against 11.3 and 10.4.
    assert error.mean() < 0.95 * min(naive.values())
