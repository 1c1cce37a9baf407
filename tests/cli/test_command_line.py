"""The command line: it teaches, it shows, and its errors are messages."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from export.export import ExportError
from records.contract import SHIPPED, load_contract, shipped_text
from records.tables.read_write import read_table
from training.run_folder import RunFolder

COMMAND = Path(sys.executable).with_name("bellwether")


def _run(*arguments: str | Path) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_help_names_every_command_and_loads_no_heavy_library() -> None:
    script = (
        "import sys; from typer.testing import CliRunner; from cli.main import app;"
        "print(CliRunner().invoke(app, ['--help']).output);"
        "print(sorted({'tensorflow', 'pandas', 'bentoml', 'sklearn'} & set(sys.modules)))"
    )
    printed = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout
    for command in (
        "simulate",
        "check",
        "train",
        "export",
        "evaluate",
        "serve",
        "bundle",
        "contract",
    ):
        assert command in printed
    assert printed.rstrip().endswith("[]")


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_contract_is_shown_with_its_risk_and_its_features(name: str) -> None:
    printed = _run("contract", "show", name)
    assert load_contract(name).targets.risk.label in " ".join(printed.split())


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_policy_keeps_its_contract(name: str) -> None:
    assert "Rules" in _run("policy", "check", name, "--contract", name)


def test_an_error_is_one_message_on_stderr_without_a_traceback(tmp_path: Path) -> None:
    broken = tmp_path / "broken.toml"
    broken.write_text(shipped_text("simulated").replace("maximum = 8", "maximum = 0"))
    done = subprocess.run(
        [COMMAND, "contract", "show", broken], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("Error: ")
    assert "broken.toml:9: periods.maximum" in done.stderr
    assert "Traceback" not in done.stderr


def test_debug_shows_the_traceback() -> None:
    done = subprocess.run(
        [COMMAND, "--debug", "contract", "show", "nobody"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "Traceback" in done.stderr


def test_a_simulated_table_keeps_its_contract(tmp_path: Path) -> None:
    table = tmp_path / "students.parquet"
    _run("simulate", table, "--students", "50")
    assert len(read_table(table, load_contract("simulated"))) == 50
    assert "50" in _run("check", table, "--contract", "simulated")


def test_a_table_that_breaks_its_contract_is_refused_with_row_and_column(tmp_path: Path) -> None:
    table = tmp_path / "marks.csv"
    names = ",".join(load_contract("simulated").feature_names)
    table.write_text(f"id,period,{names}\ns-1,1,80,,,,\ns-1,2,180,,,,\n")
    done = subprocess.run([COMMAND, "check", table], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "marks.csv:3, column 'attendance'" in done.stderr
    assert "180" not in done.stderr


def test_rows_at_fault_can_be_set_aside_where_one_likes(tmp_path: Path) -> None:
    table, rejects = tmp_path / "students.csv", tmp_path / "bad.csv"
    _run("simulate", table, "--students", "20")
    table.write_text(table.read_text().replace("s00000003", "", 1))
    printed = _run("check", table, "--on-error", "reject-rows", "--rejects", rejects)
    assert "without its rejected rows" in " ".join(printed.split())
    header, row = rejects.read_text().splitlines()
    assert header.startswith("row,reason,id,")
    assert "id: `id` must have 1 to 128 characters." in row


def test_how_many_rows_were_set_aside_is_told_plainly(tmp_path: Path) -> None:
    table = tmp_path / "marks.csv"
    names = ",".join(load_contract("simulated").feature_names)
    table.write_text(f"id,period,{names}\ns-1,1,80,,,,\ns-1,2,180,,,,\n")
    done = subprocess.run(
        [COMMAND, "check", table, "--on-error", "reject-rows"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "\nWARNING: marks.csv: 1 rejected row(s) are in " in done.stderr


def test_a_contract_is_shown_with_the_columns_of_its_tables() -> None:
    printed = " ".join(_run("contract", "show", "semesters").split())
    for name in ("id", "period", "student", "risk", "score_mathematics", "gender"):
        assert f" {name}, " in f"{printed.partition('columns of a table:')[2]}, " or (
            f" {name} and" in printed
        )


def test_a_seed_that_no_random_generator_takes_is_refused() -> None:
    result = CliRunner().invoke(app, ["train", "--seed", "-1"])
    assert result.exit_code == 2
    assert "--seed" in result.output


def test_own_contracts_are_told_to_bring_a_policy(run_folder: RunFolder, tmp_path: Path) -> None:
    run = Path(shutil.copytree(run_folder.path, tmp_path / "run"))
    text = run_folder.contract_text.replace('name = "simulated"', 'name = "college"', 1)
    (run / "contract.toml").write_text(text, encoding="utf-8")
    result = CliRunner().invoke(app, ["export", str(run), "--out", str(tmp_path / "bundle")])
    assert isinstance(result.exception, ExportError)
    assert "--policy" in str(result.exception)


def test_a_request_is_made_of_held_out_records(run_folder: RunFolder, tmp_path: Path) -> None:
    out = tmp_path / "request.json"
    _run("request", run_folder.path, "--out", out, "--students", "3", "--period", "4")
    students = json.loads(out.read_text())["students"]
    assert len(students) == 3
    for student in students:
        assert [period["period"] for period in student["periods"]] == [1, 2, 3, 4]


def test_a_bundle_is_shown_with_what_was_proven_and_verified(bundle_dir: Path) -> None:
    assert "Equal to Keras" in _run("bundle", "show", bundle_dir)
    assert "is whole" in _run("bundle", "verify", bundle_dir)
