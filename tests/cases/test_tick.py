"""What time brings happens once, however often the tick runs."""

from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from cases.casework import interventions, lifecycle
from cases.casework.messages import queue_message
from cases.casework.states import CaseState
from cases.people import set_status
from cases.tables.events import Case, Intervention
from cases.tables.people import EnrolmentStatus, Student
from cases.upkeep.backup import back_up, restore
from cases.upkeep.rebuild import rebuild_cases
from cases.upkeep.retention import RetentionKind, apply_retention, retention, set_retention
from cases.upkeep.tick import tick
from database.base import utc_now
from database.store import Database, StoreError, open_database
from tests.cases.scripted import ScriptedScorer, enrolled, marks, play, record_rows
from tests.databases import PostgresServer


def one_case(database: Database) -> Case:
    with database.read() as session:
        return session.scalars(select(Case)).one()


def test_waits_and_snoozes_end_on_their_day(database: Database) -> None:
    enrolled(database, "s1")
    client = ScriptedScorer()
    play(database, client, "s1", 10)
    case = one_case(database)
    day = utc_now().date() + timedelta(days=5)
    with database.write() as session:
        lifecycle.mark_seen(session, case.id, actor=1)
        lifecycle.wait(session, case.id, until=day, reason="exam", actor=1)
    assert tick(database, client).resumed == 0
    later = utc_now() + timedelta(days=5)
    assert tick(database, client, now=later).resumed == 1
    assert tick(database, client, now=later).resumed == 0
    assert one_case(database).state == CaseState.CONTACTED
    with database.write() as session:
        lifecycle.snooze(session, case.id, until=day, reason="away", actor=1)
    assert tick(database, client, now=later).resumed == 1
    assert one_case(database).snoozed_until is None


def test_attempts_without_answer_escalate_once_for_each_series(database: Database) -> None:
    enrolled(database, "s1")
    client = ScriptedScorer()
    play(database, client, "s1", 10)
    case = one_case(database)

    def attempt(*, answered: bool) -> None:
        with database.write() as session:
            lifecycle.record_contact(session, case.id, how="call", answered=answered, actor=1)

    attempt(answered=False)
    assert tick(database, client).escalated == 0
    attempt(answered=False)
    assert [tick(database, client).escalated for _ in range(2)] == [1, 0]
    step = one_case(database).next_step
    assert step is not None
    assert step.startswith("No answer to 2")
    attempt(answered=True)
    assert tick(database, client).escalated == 0
    attempt(answered=False)
    attempt(answered=False)
    assert tick(database, client).escalated == 1


def test_interventions_are_reviewed_against_expectation_and_comparable_students(
    database: Database,
) -> None:
    keys = ["better", "worse", "same", *(f"other{number}" for number in range(12))]
    enrolled(database, *keys)
    client = ScriptedScorer()
    for period, mark in ((1, 26), (2, 25)):
        record_rows(database, [row for key in keys for row in marks(key, mark, start=period)])
        tick(database, client)
    with database.write() as session:
        steps = session.scalars(select(Intervention).order_by(Intervention.student_id)).all()
        for step in steps[:3]:
            interventions.start(session, step.id, actor=1)
    assert tick(database, client).reviewed == 0
    after = {"better": 50, "worse": 10, "same": 27}
    rows = [row for key in keys for row in marks(key, after.get(key, 20), start=3)]
    record_rows(database, rows)
    assert [tick(database, client).reviewed for _ in range(2)] == [3, 0]
    with database.write() as session:
        steps = session.scalars(select(Intervention).order_by(Intervention.student_id)).all()
        assert [one.result for one in steps[:4]] == ["improved", "worse", "unchanged", None]
        figures = steps[0].review
        assert figures is not None
        assert (figures["before"], figures["after"], figures["comparable"]) == (0.75, 0.5, 12)
        assert figures["comparable_change"] == pytest.approx(0.05)
        assert figures["expected"] == pytest.approx(0.76, abs=0.005)
        assert rebuild_cases(session).changed == 0


def test_the_tick_does_the_rest_while_the_scorer_is_down(database: Database) -> None:
    client: Any = ScriptedScorer()
    enrolled(database, "s1")
    record_rows(database, marks("s1", 10))
    client.is_down = True
    assert tick(database, client).scored == 0
    client.is_down = False
    assert tick(database, client, now=utc_now() + timedelta(minutes=1)).scored == 1


def test_retention_erases_students_whose_time_is_over(database: Database) -> None:
    gone, recent, active = enrolled(database, "gone", "recent", "active")
    now = utc_now()
    long_ago = (now - timedelta(days=400)).date()
    with database.write() as session:
        set_status(session, gone.id, EnrolmentStatus.LEFT, actor=None, on=long_ago)
        set_status(session, recent.id, EnrolmentStatus.LEFT, actor=None)
        queue_message(
            session,
            active.student_id,
            recipient="student",
            channel="email",
            subject="s",
            body="b",
            actor=1,
        )
        assert apply_retention(session, now).erased == 0
        set_retention(session, RetentionKind.STUDENTS, 365)
        set_retention(session, RetentionKind.MESSAGES, 30)
        set_retention(session, RetentionKind.IMPORTS, 30)
        assert retention(session)["students"] == 365
    with database.write() as session:
        done = apply_retention(session, now)
        assert (done.erased, done.messages) == (1, 0)
        assert apply_retention(session, now).erased == 0
        assert apply_retention(session, now + timedelta(days=31)).messages == 1
        left = session.scalars(select(Student.id).where(Student.erased_at.is_(None))).all()
        assert sorted(left) == sorted([recent.student_id, active.student_id])
        set_retention(session, RetentionKind.STUDENTS, None)
        assert "students" not in retention(session)


def test_a_backup_holds_everything_and_is_restored_into_an_empty_database(
    database: Database, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    enrolled(database, "s1")
    play(database, ScriptedScorer(), "s1", 10, 20)
    out = tmp_path / "backup"
    back_up(database, out)
    assert out.stat().st_mode & 0o077 == 0
    with pytest.raises(StoreError, match="exists"):
        back_up(database, out)
    with pytest.raises(StoreError, match="empty"):
        restore(database, out)
    if database.is_sqlite:
        url = f"sqlite:///{tmp_path}/other.db"
    else:
        server: PostgresServer = request.getfixturevalue("postgres")
        url = server.create(f"restored{id(out)}")
    with closing(open_database(url)) as other:
        wrong = tmp_path / "wrong"
        wrong.write_text("no backup")
        with pytest.raises(StoreError):
            restore(other, wrong)
        restore(other, out)
        with other.write() as session:
            assert rebuild_cases(session).changed == 0
            assert session.scalars(select(Case.state)).one() == "new"
