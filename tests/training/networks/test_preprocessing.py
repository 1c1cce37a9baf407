"""Preprocessing as layers of the network."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import tf2onnx
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from records.arrays import Floats
from records.cohort import Cohort
from tests.training.small_cohort import (
    AID,
    CONTRACT,
    EFFORT,
    HOURS,
    MARK,
    TRACK,
    small_cohort,
)
from training.data.statistics import Statistics, learn_statistics
from training.networks.backend import keras, tf
from training.networks.preprocessing import Scaling, preprocess

COHORT = small_cohort()
STATISTICS = learn_statistics(COHORT)
# Columns of the output: mark, hours, effort, aid scaled; three tracks; five indicators.
SCALED = {MARK: 0, HOURS: 1, EFFORT: 2, AID: 3}
TRACKS = slice(4, 7)


def _network(statistics: Statistics = STATISTICS, scaling: Scaling = "min-max", **more: Any) -> Any:
    values = keras.Input((None, len(CONTRACT.features)), name="values")
    return keras.Model(values, preprocess(values, CONTRACT, statistics, scaling=scaling, **more))


def _run(network: Any, values: Floats) -> Floats:
    return np.asarray(network(values), np.float32)


@pytest.fixture(scope="module")
def everything() -> Any:
    return _network(missing_indicators=True)


def test_min_max_lays_the_training_range_over_zero_to_one() -> None:
    out = _run(_network(), COHORT.values)
    for column in (MARK, HOURS, EFFORT):
        seen = out[:, :, SCALED[column]][~np.isnan(COHORT.values[:, :, column])]
        assert (seen.min(), seen.max()) == pytest.approx((0, 1), abs=1e-6)


def test_z_score_gives_mean_zero_and_spread_one() -> None:
    out = _run(_network(scaling="z-score"), COHORT.values)
    for column in (MARK, HOURS, EFFORT):
        seen = out[:, :, SCALED[column]][~np.isnan(COHORT.values[:, :, column])]
        assert seen.mean() == pytest.approx(0, abs=1e-5)
        assert seen.std() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("scaling", ["min-max", "z-score"])
def test_a_missing_value_counts_as_the_fill(scaling: Scaling) -> None:
    network = _network(scaling=scaling)
    missing = np.full((1, 1, 5), np.nan, np.float32)
    filled = np.array(STATISTICS.fill, np.float32)[None, None]
    np.testing.assert_array_equal(_run(network, missing), _run(network, filled))


def test_flags_stay_zero_and_one() -> None:
    values = np.zeros((1, 2, 5), np.float32)
    values[0, 1, AID] = 1
    out = _run(_network(scaling="z-score"), values)
    assert out[0, :, SCALED[AID]].tolist() == [0, 1]


def test_a_category_becomes_one_column_for_each_level() -> None:
    values = np.zeros((1, 3, 5), np.float32)
    values[0, :, TRACK] = [0, 1, 2]
    np.testing.assert_array_equal(_run(_network(), values)[0, :, TRACKS], np.eye(3))


def test_indicators_say_what_is_missing(everything: Any) -> None:
    values = COHORT.values[:4]
    indicators = _run(everything, values)[:, :, 7:]
    np.testing.assert_array_equal(indicators, np.isnan(values))


def test_features_without_gaps_in_training_get_no_indicator() -> None:
    values = np.nan_to_num(COHORT.values)
    complete = Statistics(**{**vars(learn_statistics(COHORT)), "missing": (False,) * 5})
    assert _run(_network(complete, missing_indicators=True), values).shape[-1] == 7


@pytest.mark.parametrize("scaling", ["min-max", "z-score"])
def test_constant_and_unseen_features_give_zero(scaling: Scaling) -> None:
    values = COHORT.values.copy()
    values[:, :, MARK] = np.where(np.isnan(values[:, :, MARK]), np.nan, 3)
    values[:, :, HOURS] = np.nan
    still = Statistics(
        **{
            **vars(STATISTICS),
            "minimum": (3.0, 0.0, *STATISTICS.minimum[2:]),
            "maximum": (3.0, 0.0, *STATISTICS.maximum[2:]),
            "spread": (0.0, 0.0, *STATISTICS.spread[2:]),
        }
    )
    values[0, 0, MARK], values[0, 0, HOURS] = 17, 4  # what training never saw
    out = _run(_network(still, scaling), values)
    assert (out[:, :, [SCALED[MARK], SCALED[HOURS]]] == 0).all()


def test_only_chosen_columns_are_read() -> None:
    network = _network(columns=[HOURS, TRACK], missing_indicators=True)
    values = COHORT.values[:6]
    out = _run(network, values)
    assert out.shape[-1] == 1 + 3 + 2
    changed = values.copy()
    changed[:, :, [MARK, EFFORT, AID]] = 1
    np.testing.assert_array_equal(_run(network, changed), out)
    changed[:, :, HOURS] = 9
    assert not np.array_equal(_run(network, changed), out)


@settings(max_examples=25)
@given(
    values=hnp.arrays(
        np.float32,
        (2, 3, 5),
        elements=st.floats(width=32, allow_nan=True, allow_infinity=False),
    ),
    scaling=st.sampled_from(["min-max", "z-score"]),
)
def test_whatever_comes_in_what_goes_out_is_finite_and_small(
    values: Floats, scaling: Scaling
) -> None:
    out = _run(_BOTH[scaling], values)
    assert np.isfinite(out).all()
    assert np.abs(out).max() <= 100


_BOTH = {
    "min-max": _network(missing_indicators=True),
    "z-score": _network(scaling="z-score", missing_indicators=True),
}


def test_a_saved_network_preprocesses_alike(everything: Any, tmp_path: Path) -> None:
    everything.save(tmp_path / "layers.keras")
    loaded = keras.saving.load_model(tmp_path / "layers.keras")
    np.testing.assert_array_equal(_run(loaded, COHORT.values), _run(everything, COHORT.values))


def test_the_onnx_export_is_plain_and_equal(cohort: Cohort) -> None:
    network = _network(columns=[HOURS, TRACK, AID], missing_indicators=True)
    signature = [tf.TensorSpec((None, None, 5), tf.float32, name="values")]
    converted, _ = tf2onnx.convert.from_keras(network, input_signature=signature, opset=18)
    onnx.checker.check_model(converted)
    assert not {"Loop", "Scan", "If"} & {node.op_type for node in converted.graph.node}
    session = onnxruntime.InferenceSession(
        converted.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (out,) = session.run(None, {"values": cohort.values})
    np.testing.assert_allclose(out, _run(network, cohort.values), atol=1e-6)
