"""The rows of every table."""

from records.cohort import Floats
from tests.training.small_cohort import small_cohort
from training.baselines import RISK_BASELINES, SCORE_BASELINES, fit_baselines
from training.parts import Baseline, Parts

PARTS = Parts(small_cohort(20), small_cohort(20), small_cohort(20))


def _of(predicted: Floats) -> Baseline:
    return Baseline(predicted, "all")


def test_naive_and_strong_rows_are_in_both_tables() -> None:
    assert {"base_rate", "last_value", "boosting"} <= set(RISK_BASELINES)
    assert {"mean", "last_score", "mean_so_far", "boosting"} <= set(SCORE_BASELINES)


def test_a_baseline_without_ground_is_absent_and_each_is_reported() -> None:
    reported: list[str] = []
    fitted = fit_baselines(
        {"none": lambda _parts, _seed: None, "some": lambda parts, _seed: _of(parts.test.risk)},
        PARTS,
        seed=0,
        on_fitted=lambda: reported.append("one"),
    )
    assert list(fitted) == ["some"]
    assert len(reported) == 2
