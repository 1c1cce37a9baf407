"""What Prometheus is shown says what happened."""

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram

from service.observability.metrics import ManyHistogram

BOUNDS = (0.001, 0.01, 0.1, 1.0)
AMOUNTS = st.one_of(st.sampled_from(BOUNDS), st.floats(0, 2))


@given(st.lists(st.lists(AMOUNTS, max_size=20), max_size=5))
def test_many_observations_at_once_are_the_same_as_one_by_one(piles: list[list[float]]) -> None:
    registry = CollectorRegistry()
    at_once = ManyHistogram("at_once", "x", ["route"], buckets=BOUNDS, registry=registry)
    singly = Histogram("singly", "x", ["route"], buckets=BOUNDS, registry=registry)
    at_once_here, singly_here = at_once.labels("r"), singly.labels("r")
    for pile in piles:
        at_once_here.observe_many(pile)
        for amount in pile:
            singly_here.observe(amount)

    for bound in ("0.001", "0.01", "0.1", "1.0", "+Inf"):
        labels = {"route": "r", "le": bound}
        assert registry.get_sample_value("at_once_bucket", labels) == registry.get_sample_value(
            "singly_bucket", labels
        )
    total = sum(map(sum, piles))
    found = registry.get_sample_value("at_once_sum", {"route": "r"})
    assert found is not None
    assert abs(found - total) < 1e-9
