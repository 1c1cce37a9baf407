"""`bellwether cases …` on a real store of either kind."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from cases.demo.seed import record_rows_of
from cases.people import NewStudent, add_students, enrol
from cases.recording.outcomes import OutcomeRow, set_outcomes
from cases.recording.record import record
from cases.tables.people import Student
from cli.main import app
from database.store import Database, open_database
from records.contract import load_contract
from records.load import load_cohort
from tests.cases.scripted import ScriptedScorer, enrolled, play

Command = Callable[..., str]


@pytest.fixture
def command(database_url: str) -> Command:
    """Run `bellwether cases …` on the store and return what it prints."""

    def run(name: str, *arguments: str, fails: str = "") -> str:
        environment = {"BELLWETHER_DESK_DATABASE": database_url, "COLUMNS": "200"}
        done = CliRunner().invoke(app, ["cases", name, *arguments], env=environment)
        if fails:
            assert done.exit_code != 0
            assert fails in str(done.exception) + done.output
        else:
            assert done.exit_code == 0, done.output + repr(done.exception)
        return done.output

    return run


def test_the_list_shows_numbers_unless_names_are_asked_for(
    database: Database, command: Command
) -> None:
    enrolled(database, "s1", "s2")
    client = ScriptedScorer()
    play(database, client, "s1", 55, 55)
    play(database, client, "s2", 90, 10)
    shown = command("list")
    assert shown.index("high") < shown.index("moderate")
    assert "+0.80" in shown
    assert "Student s1" not in shown
    assert "Student s1" in command("list", "--names", "--tier", "moderate")
    assert "2 cases, 2 of nobody" in shown
    assert "assessments" in command("status")
    assert "2 cases, 0 rows put right" in command("rebuild")


def test_what_was_recorded_comes_back_as_the_contracts_table(
    database: Database, command: Command, tmp_path: Path
) -> None:
    contract = load_contract("simulated")
    cohort = load_cohort("simulated", students=12, seed=4)
    keys = [f"k{number:02}" for number in range(12)]
    with database.write() as session:
        students = add_students(session, [NewStudent(key) for key in keys])
        for student, key in zip(students, keys, strict=True):
            enrol(session, student.id, contract="simulated", source="sis", key=key, programme="x")
        rows = [row for at, key in enumerate(keys) for row in record_rows_of(cohort, at, key)]
        assert record(session, contract, rows, source="sis", actor=None).rejected == 0
        outcomes = [
            OutcomeRow(key, "risk", float(cohort.risk[at, 0])) for at, key in enumerate(keys[:10])
        ]
        set_outcomes(session, "simulated", outcomes, source="sis")

    folder = tmp_path / "out"
    assert "12 records (10 with outcome" in command(
        "export", "--contract", "simulated", "--out", str(folder)
    )
    read = load_cohort(str(folder / "records.csv"), contract="simulated")
    # Stored as floats with two decimals, as the demonstration records them.
    assert np.allclose(read.values, cohort.values.round(2), atol=1e-4, equal_nan=True)
    assert np.array_equal(read.risk[:10], cohort.risk[:10])
    treatment = (folder / "treatment.csv").read_text(encoding="utf-8").splitlines()
    assert len(treatment) == 13
    finished = tmp_path / "finished"
    command("export", "--contract", "simulated", "--out", str(finished), "--finished")
    assert len(load_cohort(str(finished / "records.csv"), contract="simulated")) == 10


def test_a_student_is_erased_after_a_question(database: Database, command: Command) -> None:
    (enrolment,) = enrolled(database, "s1")
    number = str(enrolment.student_id)
    command("erase", number, fails="Aborted")
    assert "is erased" in command("erase", number, "--yes")
    with database.read() as session:
        assert session.scalars(select(Student.erased_at)).one() is not None
    command("erase", "12345", "--yes", fails="There is no such student")


def test_rules_of_retention_are_set_and_applied(command: Command) -> None:
    assert "students: 365 days" in command("retention", "--set", "students=365")
    assert "0 students erased" in command("retention")
    assert "none" in command("retention", "--set", "students=never")
    command("retention", "--set", "everything=1", fails="is no rule")


def test_a_backup_is_written_and_restored(
    database: Database, command: Command, tmp_path: Path
) -> None:
    enrolled(database, "s1")
    out = tmp_path / "backup"
    assert "bytes" in command("backup", str(out))
    command("restore", str(out), fails="empty")
    if database.is_sqlite:
        fresh = f"sqlite:///{tmp_path}/fresh.db"
        assert "is restored" in command("restore", str(out), "--database", fresh)
        with closing(open_database(fresh)) as other, other.read() as session:
            assert len(session.scalars(select(Student)).all()) == 1


def test_an_empty_database_is_migrated_only_when_asked(command: Command, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/empty.db"
    command("list", "--database", url, fails="bellwether cases migrate")
    assert "none → " in command("migrate", "--database", url)
    assert "0 cases" in command("list", "--database", url)


def test_effects_and_what_could_be_found_are_printed(database: Database, command: Command) -> None:
    enrolled(database, "s1")
    play(database, ScriptedScorer(), "s1", 10)
    shown = command("effects", "--policy", "simulated")
    assert "What was done" in shown
    printed = command("detectable", "--per-arm", "200", "--rate", "0.3")
    assert "12.8 percentage points" in " ".join(printed.split())
