"""Calibration: probabilities that mean what they say, and an order that stays."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from records.cohort import Cohort
from records.learnt.calibration import Calibration
from tests.training.small_cohort import CONTRACT, PERIODS, small_cohort
from training.data.statistics import learn_statistics
from training.fitting.calibration import learn_calibration, logit
from training.fitting.calibration_data import HeldOutPredictions
from training.networks.backend import keras
from training.networks.builders import build_risk_network, load_network
from training.networks.calibration_layer import LOGIT, calibrated
from training.settings import RISK_PRESETS

MANY = 4000


def sigmoid(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-logits)))


def drawn(truth: NDArray[np.float64], seed: int = 0) -> Cohort:
    """A cohort whose outcomes were drawn with these probabilities, all of them known."""
    cohort = small_cohort(len(truth), seed=seed)
    outcome = np.random.default_rng(seed).random(truth.shape) < truth
    return replace(
        cohort,
        lengths=np.full(len(truth), PERIODS, np.int32),
        eligible=np.ones(truth.shape, bool),
        risk=outcome.astype(np.float32),
    )


def said(logits: NDArray[np.float64], cohort: Cohort, name: str = "some") -> HeldOutPredictions:
    return HeldOutPredictions(sigmoid(logits).astype(np.float32), cohort, name)


def test_a_network_that_exaggerates_is_brought_back() -> None:
    true_logit = np.random.default_rng(1).normal(-0.5, 1, (MANY, PERIODS))
    learnt = learn_calibration([said(2 * true_logit + 1, drawn(sigmoid(true_logit)))])
    # The truth is half the logit, minus a half.
    assert np.array(learnt.slope) == pytest.approx(0.5, abs=0.06)
    assert np.array(learnt.offset) == pytest.approx(-0.5, abs=0.08)


def test_each_period_has_its_own_map_where_there_are_outcomes_enough() -> None:
    true_logit = np.random.default_rng(2).normal(0, 1, (MANY, PERIODS))
    shift = np.linspace(-1, 1, PERIODS)
    learnt = learn_calibration([said(true_logit + shift, drawn(sigmoid(true_logit)))])
    offsets = np.array(learnt.offset)
    assert (np.diff(offsets) < 0).all()
    assert offsets[0] - offsets[-1] == pytest.approx(2, abs=0.7)  # neighbours smooth the ends


def test_a_period_with_few_outcomes_takes_the_common_map() -> None:
    cohort = drawn(np.full((MANY, PERIODS), 0.5))
    known = cohort.eligible.copy()
    known[5:, PERIODS - 1] = False
    known[:, 1 : PERIODS - 1] = False
    logits = np.random.default_rng(3).normal(0, 1, (MANY, PERIODS))
    thin = learn_calibration([said(logits, replace(cohort, eligible=known))])
    without = replace(cohort, eligible=known & (np.arange(PERIODS) < 1))
    assert thin.slope[-1] == pytest.approx(
        learn_calibration([said(logits, without)]).slope[0], abs=0.05
    )
    assert thin.records == (MANY, 0, 0, 0, 5)


def test_without_outcomes_the_network_is_left_as_it_is() -> None:
    cohort = small_cohort(20)
    nobody = replace(cohort, eligible=np.zeros_like(cohort.eligible))
    learnt = learn_calibration([said(np.zeros((20, PERIODS)), nobody)])
    assert set(learnt.slope) == {1.0}
    assert set(learnt.offset) == {0.0}


def test_every_source_weighs_the_same() -> None:
    many, few = (np.zeros((size, PERIODS)) for size in (MANY, MANY // 10))
    rates = (0.2, 0.6)
    learnt = learn_calibration(
        [
            said(rows, drawn(np.full(rows.shape, rate), seed))
            for seed, (rows, rate) in enumerate(zip((many, few), rates, strict=True))
        ]
    )
    assert sigmoid(np.array(learnt.offset)) == pytest.approx(0.4, abs=0.03)


@settings(max_examples=25)
@given(
    seed=st.integers(0, 2**16),
    records=st.integers(30, 300),
    noise=st.floats(0, 5),
    sign=st.sampled_from([1, -1]),
)
def test_the_order_of_students_and_so_the_auc_of_a_period_never_changes(
    seed: int, records: int, noise: float, sign: int
) -> None:
    random = np.random.default_rng(seed)
    true_logit = random.normal(0, 1, (records, PERIODS))
    # With the sign turned round the network is wrong on purpose.
    logits = sign * true_logit + noise * random.normal(size=true_logit.shape)
    cohort = drawn(sigmoid(true_logit), seed)
    learnt = learn_calibration([said(logits, cohort)])
    assert min(learnt.slope) > 0
    mapped = sigmoid(logits * learnt.slope + learnt.offset)
    for period in range(PERIODS):
        truth = cohort.risk[:, period]
        if 0 < truth.sum() < records:
            before, after = logits[:, period], mapped[:, period]
            assert roc_auc_score(truth, before) == pytest.approx(roc_auc_score(truth, after))


def test_the_spread_gives_the_threshold_of_a_capacity() -> None:
    true_logit = np.random.default_rng(4).normal(0, 1, (MANY, PERIODS))
    learnt = learn_calibration([said(true_logit, drawn(sigmoid(true_logit)))])
    mapped = sigmoid(true_logit * learnt.slope + learnt.offset)
    for share in (0.01, 0.05, 0.2, 0.5):
        reached = (mapped >= learnt.exceeded_by(share)).mean(axis=0)
        assert reached == pytest.approx(share, abs=0.003)


def test_the_layer_computes_the_map_for_any_number_of_periods_and_survives_saving(
    tmp_path: Path,
) -> None:
    cohort = small_cohort(40)
    preset = RISK_PRESETS["paper-a"].model_copy(update={"units": 4})
    network = build_risk_network(CONTRACT, learn_statistics(cohort), preset)
    calibration = Calibration(
        learnt_on="made up",
        cohorts=(),
        records=(0,) * PERIODS,
        slope=tuple(np.linspace(0.5, 1.5, PERIODS)),
        offset=tuple(np.linspace(-1, 1, PERIODS)),
        shares=(0.0, 1.0),
        quantiles=((0.0, 1.0),) * PERIODS,
    )
    logits = keras.Model(network.input, network.get_layer(LOGIT).output)
    served = calibrated(network, calibration)
    served.save(tmp_path / "risk.keras")
    for periods in (1, 3, PERIODS):
        values = cohort.values[:, :periods]
        raw = np.asarray(logits(values), np.float64)
        wanted = sigmoid(raw * calibration.slope[:periods] + calibration.offset[:periods])
        for one in (served, load_network(tmp_path / "risk.keras")):
            assert one.output_names == ["risk"]
            assert np.asarray(one(values)) == pytest.approx(wanted, abs=1e-6)


def test_probabilities_of_0_and_1_have_finite_logits() -> None:
    assert np.isfinite(logit(np.array([[0, 1]], np.float32))).all()
