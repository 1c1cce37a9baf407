"""What is derived equals what the events say; what is erased can be read nowhere."""

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from cases.casework import interventions, lifecycle
from cases.casework.messages import queue_message
from cases.casework.notes import write_note
from cases.casework.overrides import Verdict, give_feedback, set_override
from cases.casework.states import CaseOutcome, CloseReason, DismissReason
from cases.errors import NotAllowedError
from cases.people import assign_person
from cases.reading.filters import Filters
from cases.reading.student import events
from cases.reading.worklist import worklist
from cases.scope import Scope
from cases.tables.events import Case, CaseEvent, Intervention
from cases.tables.people import Student
from cases.tables.records import Assessment, Standing
from cases.upkeep.erase import erase
from cases.upkeep.rebuild import rebuild_cases, rebuild_standings
from database.base import Base, utc_now
from database.store import Database
from tests.cases.scripted import POLICY, ScriptedScorer, enrolled, play

EVERYONE = Scope.all_students()
_STEPS = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 3)), min_size=1, max_size=25)


def take_step(database: Database, kind: int, which: int) -> None:
    """Do one of the things that people do; what a state forbids changes nothing."""
    soon = utc_now().date() + timedelta(days=4)
    try:
        with database.write() as session:
            cases = session.scalars(select(Case).order_by(Case.id)).all()
            steps = session.scalars(select(Intervention).order_by(Intervention.id)).all()
            case = cases[which % len(cases)]
            step = steps[which % len(steps)]
            actions: list[Any] = [
                lambda: lifecycle.mark_seen(session, case.id, actor=1),
                lambda: lifecycle.assign(session, case.id, to=which, actor=1),
                lambda: lifecycle.record_contact(
                    session, case.id, how="call", answered=which > 1, actor=1
                ),
                lambda: lifecycle.wait(session, case.id, until=soon, reason="exam", actor=1),
                lambda: lifecycle.snooze(session, case.id, until=soon, reason="ill", actor=1),
                lambda: lifecycle.plan_step(session, case.id, next_step="x", due=soon, actor=1),
                lambda: lifecycle.close(
                    session,
                    case.id,
                    reason=CloseReason.RESOLVED,
                    outcome=CaseOutcome.IMPROVED,
                    actor=1,
                ),
                lambda: lifecycle.reopen(session, case.id, words="again", actor=1),
                lambda: interventions.plan(session, step.id, owner=2, due=soon, actor=1),
                lambda: interventions.start(session, step.id, actor=1),
                lambda: interventions.finish(session, step.id, dose=20, actor=1),
                lambda: interventions.dismiss(
                    session, step.id, reason=DismissReason.DECLINED, actor=1
                ),
                lambda: interventions.suggest(session, case.id, action="Talk", actor=1),
            ]
            actions[kind]()
    except NotAllowedError:
        pass


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=_STEPS)
def test_a_rebuild_of_what_was_done_changes_nothing(
    database: Database, steps: list[tuple[int, int]]
) -> None:
    with database.read() as session:
        is_new = session.scalars(select(Student.id)).first() is None
    if is_new:
        enrolled(database, "s1", "s2")
        client = ScriptedScorer()
        play(database, client, "s1", 20, 55, 20)
        play(database, client, "s2", 55, 55)
    for kind, which in steps:
        take_step(database, kind, which)
    with database.write() as session:
        rebuilt = rebuild_cases(session)
        assert rebuilt.changed == 0
        assert rebuilt.cases >= 2
        assert rebuild_standings(session, POLICY).changed == 0


def test_a_rebuild_puts_rows_right_that_were_changed_or_lost(database: Database) -> None:
    enrolled(database, "s1", "s2")
    client = ScriptedScorer()
    play(database, client, "s1", 20, 30)
    play(database, client, "s2", 10)
    before = snapshot(database)
    with database.write() as session:
        session.execute(update(Case).values(state="closed", owner_id=99, version=77))
        session.execute(update(Standing).values(tier="low", rank=0, change=0.5))
        session.execute(update(Intervention).values(state="done"))
    with database.write() as session:
        assert rebuild_cases(session).changed == 4
        assert rebuild_standings(session, POLICY).changed == 2
    assert snapshot(database) == before


def snapshot(database: Database) -> list[Any]:
    with database.read() as session:
        return [
            list(session.execute(select(table).order_by(*table.primary_key.columns)))
            for table in (Base.metadata.tables[name] for name in ("cases", "interventions"))
        ] + [session.execute(select(Base.metadata.tables["standings"])).all()]


def test_nothing_of_an_erased_student_can_be_read_in_any_table(database: Database) -> None:
    secret, other = enrolled(database, "Secret-Key", "Other-Key")
    client = ScriptedScorer()
    for key in ("Secret-Key", "Other-Key"):
        play(database, client, key, 12.25, 13.5)
    student = secret.student_id
    with database.write() as session:
        case = session.scalars(select(Case).where(Case.student_id == student)).one()
        write_note(session, student, text="Secret note", author=1, case_id=case.id)
        lifecycle.refer(session, case.id, to="Secret office", words="Secret words", actor=1)
        made = session.scalars(
            select(Assessment.id).where(Assessment.enrolment_id == secret.id)
        ).first()
        assert made is not None
        give_feedback(session, made, verdict=Verdict.HELPED, actor=1)
        today = utc_now().date()
        set_override(
            session, secret.id, tier="low", reason="Secret reason", expires_on=today, actor=1
        )
        queue_message(
            session,
            student,
            recipient="student",
            channel="email",
            subject="Secret subject",
            body="Secret body",
            actor=1,
        )
        assign_person(session, student, 3, "tutor")
    with database.write() as session:
        erase(session, student)
    with database.write() as session:
        erase(session, student)

    left = rows_by_table(database)
    assert "Secret" not in json.dumps(left, default=repr)
    assert "12.25" in json.dumps(left, default=repr)  # the other student's
    for name, rows in left.items():
        of_student = [row for row in rows if row.get("student_id") == student]
        assert not of_student or name == "case_events", name
        assert all(row.get("enrolment_id") != secret.id for row in rows), name
    with database.read() as session:
        assert session.scalars(select(CaseEvent.id).where(CaseEvent.student_id == student)).all()
        opened = events(session, EVERYONE, student_id=student)
        assert opened
        assert all(one.payload == {} for one in opened)
        page = worklist(session, EVERYONE, Filters())
        assert [row.student_id for row in page.rows] == [other.student_id]
    with database.write() as session:
        assert rebuild_cases(session).changed == 0


def rows_by_table(database: Database) -> dict[str, list[dict[str, Any]]]:
    with database.read() as session:
        return {
            name: [dict(row._mapping) for row in session.execute(table.select())]
            for name, table in Base.metadata.tables.items()
        }


@pytest.mark.parametrize("missing", [0, 10_000])
def test_erasing_nobody_is_refused(database: Database, missing: int) -> None:
    with pytest.raises(Exception, match="no such student"), database.write() as session:
        erase(session, missing)
