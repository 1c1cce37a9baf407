"""Drawn students keep every contract, so that a load test measures answers and not refusals."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.students import StudentSource
from records.contract import SHIPPED, Contract, load_contract
from records.files.toml_file import parse_toml
from scoring.students.intake import Intake

OPEN = parse_toml(
    """
    name = "open"
    version = 1
    title = "Limits on one side, or none"
    [periods]
    name = "week"
    maximum = 3
    [[features]]
    name = "anything"
    label = "Anything"
    [[features]]
    name = "above"
    label = "Above"
    minimum = 1e4
    [[features]]
    name = "below"
    label = "Below"
    maximum = -0.5
    [[features]]
    name = "narrow"
    label = "Narrow"
    minimum = 0.01
    maximum = 0.02
    [[features]]
    name = "here"
    label = "Here"
    kind = "flag"
    [[features]]
    name = "region"
    label = "Region"
    kind = "categorical"
    levels = ["north", "south"]
    [targets.risk]
    label = "Drops out"
    [targets.score]
    label = "Score"
    minimum = 0
    maximum = 100
    """,
    Contract,
    name="open.toml",
)
CONTRACTS = [*map(load_contract, SHIPPED), OPEN]


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.name)
@given(seed=st.integers(0, 1000))
def test_every_drawn_student_keeps_the_contract(contract: Contract, seed: int) -> None:
    admitted = Intake(contract).read(StudentSource(contract, seed=seed).students(5))
    assert admitted.faults == []
    assert len(admitted.ids) == 5


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.name)
def test_complete_students_miss_nothing(contract: Contract) -> None:
    admitted = Intake(contract).read(StudentSource(contract, complete=True).students(3))
    assert admitted.lengths.tolist() == [contract.periods.maximum] * 3
    assert not np.isnan(admitted.values).any()


def test_students_have_histories_of_every_length_and_missing_values() -> None:
    contract = load_contract("simulated")
    admitted = Intake(contract).read(StudentSource(contract).students(200))
    assert set(admitted.lengths.tolist()) == set(range(1, contract.periods.maximum + 1))
    known = np.arange(contract.periods.maximum) < admitted.lengths[:, None]
    assert 0.05 < np.isnan(admitted.values[known]).mean() < 0.15


def test_a_body_is_one_line_with_the_students_asked_for() -> None:
    body = StudentSource(load_contract("semesters")).body(30)
    assert b"\n" not in body
    assert len({student["id"] for student in json.loads(body)["students"]}) == 30


def test_equal_seeds_draw_equal_bodies() -> None:
    contract = load_contract("simulated")
    first, again, other = (StudentSource(contract, seed=seed).body(3) for seed in (5, 5, 6))
    assert first == again != other
