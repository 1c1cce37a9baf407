"""Copies of records without a source of data."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from training.data.masking import with_masked_copies
from training.data.targets import Examples


def _examples(records: int) -> Examples:
    rng = np.random.default_rng(records)
    values = rng.normal(size=(records, 3, 4)).astype(np.float32)
    weight = (rng.random((records, 3)) < 0.7).astype(np.float32)
    weight /= np.float32(max(float(weight.mean()), 1e-6))
    return Examples(
        values=values, target=rng.random((records, 3)).astype(np.float32), weight=weight
    )


@given(records=st.integers(1, 40), share=st.floats(0, 1), seed=st.integers(0, 5))
def test_copies_lack_the_features_and_nothing_else(records: int, share: float, seed: int) -> None:
    examples = _examples(records)
    found = with_masked_copies(examples, [1, 3], share, seed)
    copies = round(share * records)
    assert len(found.values) == len(found.target) == len(found.weight) == records + copies
    np.testing.assert_array_equal(found.values[:records], examples.values)
    assert np.isnan(found.values[records:, :, [1, 3]]).all()
    # Each copy is of a record of its own, with that record's target and remaining features.
    kept = [values[:, [0, 2]].tobytes() for values in examples.values]
    origins = [kept.index(values[:, [0, 2]].tobytes()) for values in found.values[records:]]
    assert len(set(origins)) == copies
    np.testing.assert_array_equal(found.target[records:], examples.target[origins])
    if examples.weight.any():
        np.testing.assert_allclose(found.weight.mean(), 1, rtol=1e-5)


def test_without_features_to_blank_nothing_changes() -> None:
    examples = _examples(5)
    assert with_masked_copies(examples, [], 0.5, 0) is examples
