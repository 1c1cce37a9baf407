"""Lists show what their scope allows, in the order that they promise, in a fixed number of queries."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, select

from cases.casework import lifecycle
from cases.casework.notes import write_note
from cases.casework.states import InterventionState
from cases.errors import InvalidError, NotFoundError
from cases.people import assign_person
from cases.reading.board import board
from cases.reading.filters import Filters
from cases.reading.student import student_detail
from cases.reading.student_copy import export_student
from cases.reading.students import find_students, names_of, programmes, unassigned
from cases.reading.views import delete_view, refresh_view, save_view, stays, views_of
from cases.reading.worklist import case_rows, counts, worklist
from cases.recording.queue import score_queued
from cases.scope import Scope
from cases.tables.events import Case
from cases.tables.records import ScoreSwitch
from database.base import utc_now
from database.store import Database
from tests.cases.scripted import ScriptedScorer, enrolled, marks, record_rows

EVERYONE = Scope.all_students()


@contextmanager
def counted(database: Database) -> Iterator[list[str]]:
    """Collect the statements that are executed meanwhile."""
    statements: list[str] = []

    def note(*args: Any) -> None:
        if args[2] != "BEGIN":
            statements.append(args[2])

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(database.engine, "before_cursor_execute", note)


@pytest.fixture
def school(database: Database) -> Database:
    """Twelve students with a case each: 6 high, 6 moderate; two programmes; tutor 7 has four."""
    keys = [f"k{number:02}" for number in range(12)]
    arts = enrolled(database, *keys[:6])
    enrolled(database, *keys[6:], programme="law")
    client = ScriptedScorer()
    for number, key in enumerate(keys):
        record_rows(database, marks(key, 55, 55 if number % 2 else 20 - number))
    score_queued(database, client)
    with database.write() as session:
        for one in arts[:4]:
            assign_person(session, one.student_id, 7, "tutor")
    return database


def test_the_worklist_is_in_order_of_need_and_pages_miss_nothing(school: Database) -> None:
    with school.read() as session:
        whole = worklist(session, EVERYONE, Filters(), limit=50).rows
        keys = [(-row.rank, -(row.change or 0)) for row in whole]
        assert keys == sorted(keys)
        assert {row.tier for row in whole[:6]} == {"high"}
        paged, after = [], None
        while True:
            page = worklist(session, EVERYONE, Filters(), limit=5, after=after)
            paged += page.rows
            if (after := page.next) is None:
                break
        assert [row.case_id for row in paged] == [row.case_id for row in whole]
        assert len(whole) == 12
        first = whole[0]
        assert (first.first_reason, first.next_step, first.name[:9]) == ("Mark", None, "Student k")


def test_scopes_show_their_own_students_only(school: Database) -> None:
    with school.read() as session:
        shown = {
            scope: {row.student_id for row in worklist(session, scope, Filters()).rows}
            for scope in (
                EVERYONE,
                Scope.of(user_id=7),
                Scope.of(programmes=["law"]),
                Scope.of(programmes=["law"], user_id=7),
                Scope.nobody(),
            )
        }
        sizes = [len(found) for found in shown.values()]
        assert sizes == [12, 4, 6, 10, 0]
        mine = Scope.of(user_id=7)
        assert counts(session, mine, Filters()).total == 4
        assert len(find_students(session, mine, "student")) == 4
        assert [c.total for c in board(session, mine, Filters())] == [4, 0, 0, 0, 0]
        assert programmes(session, mine) == ["arts"]
        hidden = (shown[EVERYONE] - shown[mine]).pop()
        assert student_detail(session, mine, hidden) is None
        case = session.scalars(select(Case.id).where(Case.student_id == hidden)).one()
        assert case_rows(session, mine, [case]) == []


def test_an_assignment_that_ended_shows_nothing(school: Database) -> None:
    with school.read() as session:
        later = utc_now() - timedelta(days=400)
        assert worklist(session, Scope.of(user_id=7), Filters(), now=later).rows == []


def test_filters_find_what_they_name(school: Database) -> None:
    with school.write() as session:
        first = worklist(session, EVERYONE, Filters()).rows[0]
        lifecycle.assign(session, first.case_id, to=5, actor=5)
        second = worklist(session, EVERYONE, Filters()).rows[1]
        until = utc_now().date() + timedelta(days=9)
        lifecycle.snooze(session, second.case_id, until=until, reason="away", actor=5)
    with school.read() as session:

        def number(**filters: Any) -> int:
            total = counts(session, EVERYONE, Filters(**filters)).total
            assert total == len(worklist(session, EVERYONE, Filters(**filters)).rows)
            return total

        assert number() == 11
        assert number(snoozed=True) == 1
        assert number(owner=5) == 1
        assert number(unowned=True) == 10
        assert number(tiers=("moderate",)) == 6
        assert number(programmes=("law",), tiers=("moderate",)) == 3
        assert number(states=("new",)) == 11
        assert number(text="K0") == 9
        assert number(text="student k11") == 1
        assert number(text="100%") == 0
        assert number(closed=True) == 0
        assert number(assigned=7) == 4
        later = utc_now() + timedelta(days=10)
        assert counts(session, EVERYONE, Filters(), now=later).total == 12
        assert counts(session, EVERYONE, Filters(overdue=True), now=later).total == 12


def test_filters_survive_being_written() -> None:
    filters = Filters(owner=3, tiers=("high", "low"), text="a", overdue=True)
    assert Filters.from_json(filters.to_json()) == filters
    with pytest.raises(InvalidError):
        Filters.from_json({"strange": 1})


def test_a_page_takes_as_many_queries_for_many_cases_as_for_few(school: Database) -> None:
    with school.read() as session:
        for limit in (1, 12):
            with counted(school) as statements:
                worklist(session, EVERYONE, Filters(), limit=limit)
            assert len(statements) == 2
            with counted(school) as statements:
                board(session, EVERYONE, Filters(), limit=limit)
            assert len(statements) == 2
            with counted(school) as statements:
                find_students(session, EVERYONE, "student", limit=limit)
            assert len(statements) == 1


def test_hidden_scores_are_shown_nowhere(school: Database) -> None:
    with school.write() as session:
        session.add(ScoreSwitch(contract="school", hidden_at=utc_now(), reason="drift"))
    record_rows(school, marks("k00", 1, start=3))
    assert score_queued(school, ScriptedScorer()).leased == 0
    with school.read() as session:
        rows = worklist(session, EVERYONE, Filters()).rows
        assert {(row.tier, row.probability, row.first_reason) for row in rows} == {
            (None, None, None)
        }
        detail = student_detail(session, EVERYONE, rows[0].student_id)
        assert detail is not None
        assert detail.enrolments[0].standing is None
        assert detail.enrolments[0].scores_hidden


def test_students_without_anybody_are_listed_in_pages(school: Database) -> None:
    with school.read() as session:
        first = unassigned(session, EVERYONE, limit=5)
        assert first.next is not None
        second = unassigned(session, EVERYONE, limit=5, after=first.next)
        found = [one.student_id for one in first.rows + second.rows]
        assert (len(found), len(set(found)), second.next) == (8, 8, None)
        assert len(names_of(session, found)) == 8
        assert {one.programme for one in first.rows} == {"arts", "law"}


def test_a_broken_cursor_is_refused(school: Database) -> None:
    with school.read() as session:
        for cursor in ("nonsense", "WzFd", "W251bGwsMSwxLDFd"):
            with pytest.raises(InvalidError, match="cursor"):
                worklist(session, EVERYONE, Filters(), after=cursor)


def test_the_board_has_a_column_for_each_state(school: Database) -> None:
    with school.read() as session:
        columns = board(session, EVERYONE, Filters(), limit=3)
        assert [column.state for column in columns] == list(InterventionState)
        assert (len(columns[0].cards), columns[0].total) == (3, 12)


def test_a_saved_view_remembers_who_entered_and_left(school: Database) -> None:
    filters = Filters(tiers=("high",), unowned=True)
    with school.write() as session:
        view = save_view(session, 3, " Urgent ", filters)
        first = refresh_view(session, view.id, 3, EVERYONE)
        assert (len(first.entered), first.left) == (6, [])
        again = refresh_view(session, view.id, 3, EVERYONE)
        assert (again.entered, again.left) == ([], [])
        lifecycle.assign(session, first.entered[0], to=3, actor=3)
    with school.write() as session:
        moved = refresh_view(session, view.id, 3, EVERYONE)
        assert (moved.entered, moved.left) == ([], first.entered[:1])
        lifecycle.assign(session, first.entered[0], to=None, actor=3)
        assert refresh_view(session, view.id, 3, EVERYONE).entered == first.entered[:1]
        history = stays(session, view.id, 3, EVERYONE)
        assert len(history) == 7
        assert sum(one.left_at is not None for one in history) == 1
        assert stays(session, view.id, 3, Scope.nobody()) == []
        assert [one.name for one in views_of(session, 3)] == ["Urgent"]
        assert save_view(session, 3, "Urgent", Filters()).id == view.id
        with pytest.raises(NotFoundError):
            delete_view(session, view.id, 4)
        delete_view(session, view.id, 3)
        assert views_of(session, 3) == []


def test_a_students_copy_holds_everything_and_is_plain_json(school: Database) -> None:
    with school.write() as session:
        student = find_students(session, EVERYONE, "k00")[0].student_id
        write_note(session, student, text="Open words", author=1)
        write_note(session, student, text="Closed words", author=1, restricted=True)
    with school.read() as session:
        content = export_student(session, EVERYONE, student, reader=9)
        written = json.dumps(content)
        assert "Open words" in written
        assert "Closed words" not in written
        assert '"restricted_notes_left_out": 1' in written
        assert content is not None
        (enrolment,) = content["enrolments"]
        assert len(enrolment["recorded"]) == 2
        assert content["cases"][0]["interventions"][0]["rule"] == "talk"
        assert export_student(session, Scope.nobody(), student, reader=9) is None
