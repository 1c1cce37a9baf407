"""The demonstration is a real term: recorded, scored by a real bundle, worked on, rebuilt."""

from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import func, select

from cases.demo.seed import seed_demo
from cases.reading.filters import Filters
from cases.reading.worklist import worklist
from cases.scope import Scope
from cases.tables.events import Case, CaseEvent
from cases.tables.records import Assessment, Outcome
from cases.upkeep.rebuild import rebuild_cases, rebuild_standings
from database.store import Database
from records.load import load_cohort
from tests.cases.real_scorer import RealScorer

NOW = datetime(2026, 11, 30, 9, tzinfo=UTC)


def test_a_demonstration_is_a_term_that_is_half_over(database: Database, bundle_dir: Path) -> None:
    client = RealScorer(bundle_dir)
    cohort = load_cohort("simulated", students=60, seed=5)
    made = seed_demo(database, client, cohort, advisers=[1, 2, 3], finished=15, now=NOW)
    assert (made.students, made.finished, made.period) == (45, 15, 5)
    with database.write() as session:
        number = {
            table: session.scalars(select(func.count()).select_from(table)).one()
            for table in (Assessment, Case, Outcome)
        }
        assert number[Assessment] >= 15 * 8 + 40 * 5
        assert number[Case] > 0
        assert number[Outcome] == 15
        assert session.scalars(select(func.max(CaseEvent.at))).one() < NOW
        assert rebuild_cases(session).changed == 0
        assert rebuild_standings(session, client.policy()).changed == 0
        page = worklist(session, Scope.all_students(), Filters(), now=NOW)
        ranks = [row.rank for row in page.rows]
        assert ranks == sorted(ranks, reverse=True)
