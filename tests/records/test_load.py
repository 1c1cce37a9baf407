"""Loading by name: simulated, official and one's own data, each with a message that helps."""

import subprocess
import sys
from pathlib import Path

import pytest

from records.contract import shipped_text
from records.errors import CohortError, ContractError, TableError
from records.load import load_cohort, row_policy
from records.sources import semesters, simulated
from records.tables.read_write import write_table


@pytest.mark.parametrize("data", ["simulated", "semesters"])
def test_simulated_students_come_by_name_number_and_seed(data: str) -> None:
    cohort = load_cohort(data, students=30, seed=4)
    source = {"simulated": simulated, "semesters": semesters}[data]
    assert cohort.fingerprint() == source.simulate_cohort(30, seed=4).fingerprint()


def test_oulad_comes_from_its_folder(oulad_dir: Path) -> None:
    assert load_cohort("oulad", data_dir=oulad_dir).contract.name == "oulad"


def test_midfield_comes_from_its_folder(midfield_dir: Path) -> None:
    assert load_cohort("midfield", data_dir=midfield_dir).contract.name == "midfield"


@pytest.mark.parametrize("data", ["oulad", "midfield"])
def test_official_data_without_a_folder_says_what_to_pass(data: str, tmp_path: Path) -> None:
    with pytest.raises(CohortError, match=f"'{data}'.*pass data_dir"):
        load_cohort(data)
    with pytest.raises(CohortError, match="no such folder"):
        load_cohort(data, data_dir=tmp_path / "absent")


def test_a_table_is_read_with_a_shipped_contract_or_a_file(tmp_path: Path) -> None:
    cohort = simulated.simulate_cohort(20)
    path = tmp_path / "marks.csv"
    write_table(cohort, path)
    (tmp_path / "mine.toml").write_text(shipped_text("simulated"))
    for contract in ("simulated", tmp_path / "mine.toml"):
        again = load_cohort(str(path), contract=contract)
        assert again.fingerprint() == cohort.fingerprint()


def test_a_table_without_a_contract_says_what_to_pass(tmp_path: Path) -> None:
    path = tmp_path / "marks.csv"
    path.write_text("id,period\n")
    with pytest.raises(CohortError, match="pass contract"):
        load_cohort(str(path))
    with pytest.raises(ContractError, match="no shipped contract"):
        load_cohort(str(path), contract="unknown")


def test_rows_of_a_table_can_be_rejected(tmp_path: Path) -> None:
    path = tmp_path / "marks.csv"
    write_table(simulated.simulate_cohort(20), path)
    with path.open("a") as file:
        file.write("late,p,2024B,99" + "," * 10 + "\n")
    with pytest.raises(TableError):
        load_cohort(str(path), contract="simulated")
    rejects = tmp_path / "bad.csv"
    cohort = load_cohort(str(path), contract="simulated", on_error="reject-rows", rejects=rejects)
    assert len(cohort) == 20
    assert "late" in rejects.read_text()


def test_a_named_data_set_keeps_its_own_contract() -> None:
    assert len(load_cohort("simulated", students=3, contract="simulated")) == 3
    with pytest.raises(CohortError, match="contract of its own"):
        load_cohort("simulated", contract="semesters")


def test_unknown_data_comes_with_a_suggestion() -> None:
    with pytest.raises(CohortError, match="did you mean 'semesters'"):
        load_cohort("semester")
    with pytest.raises(CohortError, match="there are simulated, semesters, oulad, midfield"):
        load_cohort("grades.csv")


def test_a_row_policy_is_one_of_two_words() -> None:
    assert [row_policy(word) for word in ("fail", "reject-rows")] == ["fail", "reject-rows"]
    with pytest.raises(CohortError, match="'fail' or 'reject-rows'"):
        row_policy("ignore")


def test_simulating_needs_neither_pandas_nor_pyarrow() -> None:
    script = (
        "import sys; from records.load import load_cohort; load_cohort('simulated', students=5);"
        "load_cohort('semesters', students=5);"
        "print(sorted({'pandas', 'pyarrow', 'pandera'} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_midfield_offers_both_outcomes(midfield_dir: Path) -> None:
    cohort = load_cohort("midfield", data_dir=midfield_dir, risk="no_degree")
    assert "six years" in cohort.contract.targets.risk.label


@pytest.mark.parametrize(
    ("data", "reason"), [("midfield", "low_gpa"), ("oulad", "--risk"), ("marks.csv", "--risk")]
)
def test_an_outcome_that_is_not_offered_is_refused(data: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(CohortError, match=reason):
        load_cohort(data, data_dir=tmp_path, risk="grade")
