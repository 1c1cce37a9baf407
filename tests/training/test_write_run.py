"""The contract of a run as TOML."""

import pytest

from records.contract import SHIPPED, Contract, load_contract, shipped_text
from records.files.toml_file import parse_toml
from tests.training.small_cohort import CONTRACT
from training.write_run import contract_text


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_contract_is_copied_with_its_comments(name: str) -> None:
    assert contract_text(load_contract(name)) == shipped_text(name)


def test_another_contract_means_the_same_when_read_back() -> None:
    changed = load_contract("simulated").model_copy(update={"version": 99})
    for contract in (CONTRACT, changed):
        again = parse_toml(contract_text(contract), Contract, name="contract.toml")
        assert again.fingerprint == contract.fingerprint
