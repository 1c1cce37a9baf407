"""Made-up students keep every contract, whatever is usual in its cohort."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from records.contract import SHIPPED, Contract, load_contract
from records.learnt.reference import Reference
from scoring.students.intake import Intake
from service.http.sample import sample_students


def reference(contract: Contract, data: st.DataObject) -> Reference:
    """Draw what is usual: anywhere within the limits, sometimes nothing at all."""
    periods = contract.periods.maximum

    def mean(lower: float, upper: float) -> float | None:
        low, high = max(lower, -1e6), min(upper, 1e6)
        return data.draw(st.one_of(st.none(), st.floats(low, high)))

    row = tuple(mean(feature.lower_bound, feature.upper_bound) for feature in contract.features)
    spread = tuple(None if cell is None else data.draw(st.floats(0, 1e5)) for cell in row)
    count = tuple(0 if cell is None else 9 for cell in row)
    return Reference(
        features=contract.feature_names,
        count=(count,) * periods,
        mean=(row,) * periods,
        spread=(spread,) * periods,
    )


@pytest.mark.parametrize("name", SHIPPED)
@settings(max_examples=25, deadline=None)
@given(data=st.data(), count=st.integers(1, 4))
def test_samples_are_admitted(name: str, data: st.DataObject, count: int) -> None:
    contract = load_contract(name)
    students = sample_students(contract, reference(contract, data), count)
    admission = Intake(contract).read(students)

    assert admission.faults == []
    assert len(admission.ids) == count


def test_the_last_sample_lies_on_the_worse_side() -> None:
    contract = load_contract("simulated")
    features, periods = len(contract.features), contract.periods.maximum
    usual = Reference(
        features=contract.feature_names,
        count=((9,) * features,) * periods,
        mean=((5.0,) * features,) * periods,
        spread=((2.0,) * features,) * periods,
    )

    best, middle, worst = sample_students(contract, usual, 3)
    values = [one["periods"][0]["attendance"] for one in (best, middle, worst)]
    assert values == [7.0, 5.0, 3.0]
    assert not any(math.isnan(value) for value in values)
