"""Recorders, scoring workers and people at the same time: nothing is lost, doubled or blocked."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from sqlalchemy import func, select

from cases.casework import lifecycle
from cases.casework.states import CaseState
from cases.errors import ConflictError
from cases.recording.queue import queue_status, score_queued
from cases.recording.values import histories
from cases.tables.events import Case, CaseEvent
from cases.tables.people import Enrolment
from cases.tables.records import Assessment, RecordedValue, Standing
from cases.upkeep.rebuild import rebuild_cases, rebuild_standings
from database.base import utc_now
from database.store import Database
from tests.cases.scripted import POLICY, ScriptedScorer, enrolled, marks, play, record_rows

KEYS = [f"c{number:02}" for number in range(30)]


def test_recorders_workers_and_people_leave_a_whole_store(database: Database) -> None:
    enrolled(database, *KEYS)

    def recorder(shift: int) -> Callable[[], None]:
        def run() -> None:
            for period in range(1, 6):
                keys = KEYS if shift % 2 else KEYS[::-1]
                rows = [row for key in keys for row in marks(key, 15 + 20 * shift, start=period)]
                record_rows(database, rows)

        return run

    def worker() -> None:
        for _ in range(12):
            score_queued(database, ScriptedScorer(), limit=7)

    work = [recorder(0), recorder(1), worker, worker, lambda: contacts(database, 25)]
    with ThreadPoolExecutor(len(work)) as pool:
        for future in [pool.submit(one) for one in work]:
            future.result()
    later = utc_now() + timedelta(minutes=10)
    while score_queued(database, ScriptedScorer(), now=later).leased:
        pass

    check(database, 2 * 5 * len(KEYS))


def check(database: Database, writes: int) -> None:
    with database.write() as session:
        assert queue_status(session).waiting == 0
        # Each of two recorders wrote each period once; what the other wrote before it corrected.
        versions = session.scalars(select(func.count()).select_from(RecordedValue)).one()
        assert versions == writes
        values = histories(session, session.scalars(select(Enrolment.id)).all())
        for one in session.scalars(select(Enrolment)):
            latest = session.get_one(Assessment, session.get_one(Standing, one.id).latest_id)
            assert latest.generation == one.generation
            final = values[one.id][5]["mark"]
            assert latest.probability == round(1 - final / 100, 6)
        numbers = session.execute(
            select(CaseEvent.case_id, func.count(), func.max(CaseEvent.seq)).group_by(
                CaseEvent.case_id
            )
        )
        assert all(count == last for _, count, last in numbers)
        assert rebuild_cases(session).changed == 0
        assert rebuild_standings(session, POLICY).changed == 0


def contacts(database: Database, number: int) -> None:
    """Record contacts on whatever cases are open."""
    for turn in range(number):
        with database.write() as session:
            found = select(Case.id).where(Case.state != CaseState.CLOSED).order_by(Case.id)
            if ids := session.scalars(found).all():
                lifecycle.record_contact(
                    session, ids[turn % len(ids)], how="call", answered=True, actor=1
                )


def test_of_two_people_with_the_same_version_one_is_refused(database: Database) -> None:
    enrolled(database, "s1")
    play(database, ScriptedScorer(), "s1", 10)
    with database.read() as session:
        case = session.scalars(select(Case)).one()

    def take(user: int) -> bool:
        try:
            with database.write() as session:
                lifecycle.assign(session, case.id, to=user, actor=user, version=case.version)
        except ConflictError:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(take, range(4))) == 1
