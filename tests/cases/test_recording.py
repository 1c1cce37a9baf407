"""Values come in, are scored once, and change cases, whatever dies in between."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from cases.casework.states import CaseState
from cases.people import set_objection, set_status
from cases.recording.queue import queue_status, score_queued
from cases.recording.record import RecordRow, preview
from cases.recording.undo import undo_import
from cases.tables.events import Case
from cases.tables.people import EnrolmentStatus
from cases.tables.records import Assessment, QueuedScore, RecordedValue, Standing
from database.base import utc_now
from database.store import Database
from tests.cases.scripted import CONTRACT, ScriptedScorer, enrolled, marks, play, record_rows


def test_values_become_one_assessment_and_an_empty_queue(database: Database) -> None:
    (enrolment,) = enrolled(database, "s1")
    report = record_rows(database, marks("s1", 70, 30))
    assert (report.new, report.changed, report.unchanged, report.rejected) == (2, 0, 0, 0)

    progress = score_queued(database, ScriptedScorer())

    assert (progress.leased, progress.committed) == (1, 1)
    with database.read() as session:
        made = session.scalars(select(Assessment)).one()
        assert (made.enrolment_id, made.period, made.probability) == (enrolment.id, 2, 0.7)
        assert made.tier == "high"
        standing = session.get_one(Standing, enrolment.id)
        assert (standing.latest_id, standing.tier, standing.change) == (made.id, "high", 0.4)
        assert queue_status(session).waiting == 0


def test_the_same_rows_again_change_nothing(database: Database) -> None:
    enrolled(database, "s1")
    record_rows(database, marks("s1", 70, 60))
    score_queued(database, ScriptedScorer())
    again = record_rows(database, [RecordRow("s1", 1, {"mark": 70.0, "visits": 3.0})])
    assert (again.new, again.changed, again.unchanged) == (0, 0, 1)
    with database.read() as session:
        assert queue_status(session).waiting == 0


def test_a_correction_makes_a_new_assessment_and_leaves_the_old_one(database: Database) -> None:
    enrolled(database, "s1")
    client = ScriptedScorer()
    play(database, client, "s1", 60)
    corrected = record_rows(database, marks("s1", 80))
    assert corrected.changed == 1
    score_queued(database, client)
    with database.read() as session:
        made = session.scalars(select(Assessment).order_by(Assessment.id)).all()
        assert [one.probability for one in made] == [0.4, 0.2]
        assert session.scalars(select(Standing.latest_id)).one() == made[1].id


def test_faulty_rows_are_rejected_alone_and_without_their_values(database: Database) -> None:
    enrolled(database, "s1")
    rows = [
        *marks("s1", 70),
        RecordRow("s1", 2, {"mark": 181.25}, line=3),
        RecordRow("s1", 3, {"grade": 1}, line=4),
        RecordRow("stranger", 1, {"mark": 50}, line=5),
    ]
    report = record_rows(database, rows)
    assert (report.new, report.rejected) == (1, 3)
    assert [(fault.row, fault.field) for fault in report.faults] == [
        (3, "mark"),
        (4, "grade"),
        (5, "id"),
    ]
    assert "181" not in "".join(fault.message for fault in report.faults)


def test_unknown_keys_can_create_students(database: Database) -> None:
    report = record_rows(database, marks("new", 20), unknown="create", programme="law")
    assert report.new == 1
    assert score_queued(database, ScriptedScorer()).committed == 1


def test_a_preview_counts_and_writes_nothing(database: Database) -> None:
    enrolled(database, "s1")
    record_rows(database, marks("s1", 70))
    with database.read() as session:
        seen = preview(session, CONTRACT, [*marks("s1", 71, 50), *marks("x", 1)], source="sis")
        assert (seen.new, seen.changed, seen.rejected, seen.import_id) == (1, 1, 1, None)
        assert session.scalar(select(func.count()).select_from(RecordedValue)) == 1


def test_values_are_accepted_while_the_scorer_is_down(database: Database) -> None:
    enrolled(database, "s1")
    client = ScriptedScorer()
    client.is_down = True
    record_rows(database, marks("s1", 20))
    now = utc_now()
    assert score_queued(database, client, now=now).failed == 1
    with database.read() as session:
        status = queue_status(session)
        assert (status.waiting, status.failing) == (1, 1)
    client.is_down = False
    # Not at once: a scorer that is down gets time.
    assert score_queued(database, client, now=now).leased == 0
    assert score_queued(database, client, now=now + timedelta(minutes=1)).committed == 1


def test_values_that_change_during_the_call_make_the_answer_stale(database: Database) -> None:
    enrolled(database, "s1")
    client = ScriptedScorer()
    record_rows(database, marks("s1", 60))
    client.before_answering = lambda: record_rows(database, marks("s1", 10))
    assert score_queued(database, client).stale == 1
    client.before_answering = lambda: None
    assert score_queued(database, client).committed == 1
    with database.read() as session:
        assert session.scalars(select(Assessment.probability)).all() == [0.9]


def test_a_batch_whose_worker_died_is_taken_over_once(database: Database) -> None:
    enrolled(database, "s1")
    client = ScriptedScorer()
    record_rows(database, marks("s1", 60))
    later = utc_now() + timedelta(minutes=6)

    def another_worker() -> None:
        client.before_answering = lambda: None
        assert score_queued(database, client, now=later).committed == 1

    # While the first worker waits for its answer its lease ends, and another one does the work.
    client.before_answering = another_worker
    first = score_queued(database, client)
    assert (first.committed, first.stale) == (0, 1)
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(Assessment)) == 1
        assert session.scalar(select(func.count()).select_from(QueuedScore)) == 0


def test_undoing_an_import_restores_what_was_before(database: Database) -> None:
    enrolled(database, "s1", "s2")
    client = ScriptedScorer()
    record_rows(database, marks("s1", 90))
    score_queued(database, client)
    second = record_rows(database, [*marks("s1", 10, 10), *marks("s2", 10, 10)])
    score_queued(database, client)
    with database.write() as session:
        assert second.import_id is not None
        assert undo_import(session, second.import_id, actor=1) == 2
    score_queued(database, client)
    with database.read() as session:
        standing = session.scalars(select(Standing)).one()
        latest = session.get_one(Assessment, standing.latest_id)
        assert (latest.period, latest.probability) == (1, 0.1)
        cases = session.scalars(select(Case).order_by(Case.student_id)).all()
        assert [(one.state, one.close_reason) for one in cases] == [
            (CaseState.NEW, None),
            (CaseState.CLOSED, "withdrawn"),
        ]
    again = record_rows(database, marks("s1", 10))
    assert (again.changed, again.new) == (1, 0)


@pytest.mark.parametrize("status", [EnrolmentStatus.LEFT, EnrolmentStatus.SUSPENDED])
def test_who_left_or_is_suspended_leaves_at_once(
    database: Database, status: EnrolmentStatus
) -> None:
    (enrolment,) = enrolled(database, "s1")
    client = ScriptedScorer()
    play(database, client, "s1", 10)
    record_rows(database, marks("s1", 10, start=2))
    with database.write() as session:
        set_status(session, enrolment.id, status, actor=1)
    assert score_queued(database, client).leased == 0
    with database.read() as session:
        assert session.scalars(select(Case.close_reason)).one() == status
    record_rows(database, marks("s1", 10, start=3))
    assert score_queued(database, client).leased == 0
    with database.write() as session:
        set_status(session, enrolment.id, EnrolmentStatus.ACTIVE, actor=1)
    assert score_queued(database, client).committed == 1


def test_an_objection_ends_scoring_until_it_is_taken_back(database: Database) -> None:
    (enrolment,) = enrolled(database, "s1")
    client = ScriptedScorer()
    play(database, client, "s1", 10)
    with database.write() as session:
        set_objection(session, enrolment.student_id, objects=True, actor=1)
    record_rows(database, marks("s1", 10, start=2))
    assert score_queued(database, client).leased == 0
    with database.read() as session:
        assert session.scalars(select(Case.close_reason)).one() == "objected"
    with database.write() as session:
        set_objection(session, enrolment.student_id, objects=False, actor=1)
    assert score_queued(database, client).committed == 1
