"""A process that is killed at any moment loses and doubles nothing that was acknowledged."""

import random
import time
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from cases.casework.states import EventKind
from cases.recording.queue import queue_status, score_queued
from cases.recording.values import histories
from cases.tables.events import Case, CaseEvent, Decision, Intervention
from cases.tables.people import Enrolment
from cases.tables.records import Assessment, RecordedValue, Standing
from cases.upkeep.rebuild import rebuild_cases, rebuild_standings
from database.store import Database
from tests.cases.recorder import KEYS, mark_of, place_of, start
from tests.cases.scripted import POLICY, ScriptedScorer, enrolled


@pytest.mark.parametrize("kills", [4, pytest.param(100, marks=pytest.mark.long)])
def test_kills_lose_and_double_nothing_that_was_acknowledged(
    database: Database, database_url: str, tmp_path: Path, kills: int
) -> None:
    enrolled(database, *KEYS)
    log = tmp_path / "acknowledged"
    chance = random.Random(kills)  # noqa: S311 - moments of kills
    for _ in range(kills):
        before = len(steps_of(log))
        process = start(database_url, log)
        # The moment of the kill is spread over what one step takes, after some steps were done.
        while len(steps_of(log)) < before + chance.randint(1, 6):
            assert process.is_alive()
            time.sleep(0.002)
        time.sleep(chance.random() * 0.02)
        process.kill()
        process.join()
    while score_queued(database, ScriptedScorer(), lease=timedelta(0)).leased:
        pass
    check(database, steps_of(log))


def steps_of(log: Path) -> list[int]:
    if not log.exists():
        return []
    return [int(line) for line in log.read_text().splitlines(keepends=True) if line.endswith("\n")]


def check(database: Database, acknowledged: list[int]) -> None:
    assert acknowledged == sorted(set(acknowledged))
    with database.write() as session:
        enrolments = {one.key: one for one in session.scalars(select(Enrolment))}
        values = histories(session, [one.id for one in enrolments.values()])
        # The last acknowledged step of each place holds; one more may have been committed when the
        # process died before it could acknowledge.
        last = {place_of(step): step for step in acknowledged}
        beyond = place_of(acknowledged[-1] + 1)
        for (key, period), step in last.items():
            allowed = {mark_of(step)}
            if (key, period) == beyond:
                allowed.add(mark_of(acknowledged[-1] + 1))
            assert values[enrolments[key].id][period]["mark"] in allowed
        versions = session.scalars(select(func.count()).select_from(RecordedValue)).one()
        assert len(acknowledged) <= versions <= len(acknowledged) + 1
        assert queue_status(session).waiting == 0
        for one in (one for one in enrolments.values() if one.id in values):
            latest = session.get_one(Assessment, session.get_one(Standing, one.id).latest_id)
            assert latest.generation == one.generation
            final = values[one.id][max(values[one.id])]
            assert latest.probability == round(1 - final["mark"] / 100, 6)
        opened = session.scalars(
            select(func.count()).select_from(CaseEvent).where(CaseEvent.kind == EventKind.OPENED)
        ).one()
        assert opened == session.scalars(select(func.count()).select_from(Case)).one()
        suggested = session.scalars(select(Intervention.decision_id)).all()
        assert sorted(one for one in suggested if one) == sorted(
            session.scalars(select(Decision.id))
        )
        assert rebuild_cases(session).changed == 0
        assert rebuild_standings(session, POLICY).changed == 0
