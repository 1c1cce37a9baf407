"""What a network costs is measured on the graph that would be served, beside the others."""

from functools import partial

import pytest

from benchmarks.interleaved import interleaved
from benchmarks.micro.network_cost import NETWORKS, PARTS, measure_networks, measure_parts
from records.contract import load_contract
from training.registry import UnknownModelError

CONTRACT = load_contract("simulated")


def test_every_default_network_is_timed_at_every_size_that_the_contract_has() -> None:
    sizes = ((1, 1), (7, 39))
    measured = measure_networks(CONTRACT, sizes=sizes, seconds=0.2)
    assert [(at.rows, at.periods) for at in measured] == [(1, 1), (7, CONTRACT.periods.maximum)]
    for at in measured:
        assert list(at.microseconds) == [name for _, name in NETWORKS]
        assert min(at.microseconds.values()) > 0


def test_work_is_timed_in_parts_of_every_size() -> None:
    measured = measure_parts(CONTRACT, networks=[("risk", "lstm")], periods=(2, 39), seconds=0.2)
    assert [(at.network, at.periods) for at in measured] == [("lstm", 2)]
    assert tuple(measured[0].microseconds) == PARTS
    assert min(measured[0].microseconds.values()) > 0


def test_a_network_that_the_registry_does_not_hold_is_refused() -> None:
    with pytest.raises(UnknownModelError, match="no risk model is named 'oracle'"):
        measure_networks(CONTRACT, networks=[("risk", "oracle")], sizes=((1, 1),), seconds=0.1)


def test_every_way_is_run_equally_often_and_at_least_once() -> None:
    runs = {"short": 0, "long": 0}

    def run(name: str) -> None:
        runs[name] += 1
        sum(range(200_000 if name == "long" else 10))

    ways = {name: partial(run, name) for name in runs}
    interleaved(ways, seconds=0.0)
    assert runs == {"short": 1, "long": 1}
    found = interleaved(ways, seconds=0.1)
    assert runs["short"] == runs["long"] > 1
    assert found["short"] < found["long"]
