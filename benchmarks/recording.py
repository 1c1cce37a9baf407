"""`python -m benchmarks.recording BUNDLE`: how long recording and scoring a period takes.

Starts the scoring service, records one period after another of simulated students in a database of
its own, and lets the queue be scored through the service's public API, as the desk does.
"""

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.command import print_table, run_command
from benchmarks.server import HOST, bellwether, running
from cases.demo.seed import record_rows_of
from cases.people import NewStudent, add_students, enrol
from cases.recording.queue import drain
from cases.recording.record import record
from cases.scoring import ScoringClient
from database.migrate import upgrade
from database.store import Database, open_database
from desk.scoring_client import ScorerClient
from records.load import load_cohort


def main(
    bundle: Annotated[Path, typer.Argument(help="Bundle of simulated students.")],
    students: Annotated[int, typer.Option(min=1)] = 10_000,
    periods: Annotated[int, typer.Option(min=1, max=8)] = 3,
    database: Annotated[str | None, typer.Option(help="An empty one; SQLite by default.")] = None,
) -> None:
    """Measure recording a period."""
    with tempfile.TemporaryDirectory() as folder:
        url = database or f"sqlite:///{folder}/desk.db"
        with (
            closing(open_database(url)) as store,
            running(bellwether(bundle), log=Path(folder) / "log") as server,
            closing(ScorerClient(f"http://{HOST}:{server.port}")) as client,
        ):
            upgrade(store)
            print_table(
                f"{students:,} students, {store.engine.dialect.name}",
                ("period", "recorded, s", "scored and followed up, s", "together, s"),
                lambda: measured(store, client, students, periods),
            )


def measured(
    store: Database, client: ScoringClient, students: int, periods: int
) -> Iterator[Sequence[str]]:
    """Yield a row of the table for each period."""
    contract = client.contract()
    cohort = load_cohort("simulated", students=students, seed=11)
    keys = [f"k{at}" for at in range(students)]
    with store.write() as session:
        made = add_students(session, [NewStudent(key, "sis", key) for key in keys])
        for student, key in zip(made, keys, strict=True):
            enrol(
                session,
                student.id,
                contract=contract.name,
                source="sis",
                key=key,
                programme="all",
            )
    rows = [record_rows_of(cohort, at, key) for at, key in enumerate(keys)]
    for period in range(1, periods + 1):
        started = time.perf_counter()
        with store.write() as session:
            record(
                session,
                contract,
                [row for one in rows for row in one if row.period == period],
                source="sis",
                actor=None,
            )
        recorded = time.perf_counter()
        drain(store, client)
        done = time.perf_counter()
        yield tuple(
            [str(period)]
            + [f"{s:.1f}" for s in (recorded - started, done - recorded, done - started)]
        )


if __name__ == "__main__":
    run_command(main)
