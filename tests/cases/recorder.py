"""A process that records and scores until it is killed; what it acknowledged it writes down."""

from datetime import timedelta
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path

from cases.recording.queue import score_queued
from database.store import open_database
from tests.cases.scripted import ScriptedScorer, marks, record_rows

KEYS = [f"s{number}" for number in range(8)]
_LAST_PERIOD = 12


def mark_of(step: int) -> float:
    """The mark that a step records: over and under the tiers' bounds."""
    return float(step * 37 % 90)


def place_of(step: int) -> tuple[str, int]:
    """Key and period that a step records; after the last period they are corrected."""
    return KEYS[step % len(KEYS)], step // len(KEYS) % _LAST_PERIOD + 1


def work(url: str, acknowledged: Path) -> None:
    """Record step after step and score; begin after the last step that was acknowledged."""
    database, client = open_database(url), ScriptedScorer()
    done = acknowledged.read_text().split() if acknowledged.exists() else []
    step = int(done[-1]) + 1 if done else 0
    with acknowledged.open("a", buffering=1) as log:
        while True:
            key, period = place_of(step)
            record_rows(database, marks(key, mark_of(step), start=period))
            log.write(f"{step}\n")
            if step % 3 == 0:
                # No lease: what a killed worker left is taken over at once.
                score_queued(database, client, limit=4, lease=timedelta(0))
            step += 1


def start(url: str, acknowledged: Path) -> BaseProcess:
    """Start the process; a server that has everything imported forks it."""
    context = get_context("forkserver")
    context.set_forkserver_preload(["tests.cases.recorder"])
    process = context.Process(target=work, args=(url, acknowledged), daemon=True)
    process.start()
    return process
