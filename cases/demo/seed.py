"""Fill an empty store with a term that is half over, period by period, through the real functions.

Values come from a cohort of the contract, estimates from the scoring service, work from simulated
advisers: most cases are seen, many students answer, some steps are done. An earlier intake has
finished and brings outcomes.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import numpy as np

from cases.calendar import set_periods
from cases.casework.lifecycle import raise_concern
from cases.demo.advisers import Advisers
from cases.demo.names import invent_names
from cases.people import NewStudent, add_students, assign_person, enrol, set_status
from cases.recording.outcomes import OutcomeRow, set_outcomes
from cases.recording.queue import drain
from cases.recording.record import RecordRow, record
from cases.scoring import ScoringClient
from cases.tables.people import EnrolmentStatus
from database.base import utc_now
from database.store import Database
from records.cohort import Cohort
from records.contract import Contract, Feature, Kind

_PROGRAMMES = ("BIO", "CSC", "ECO", "EDU", "ENG", "HIS", "LAW", "NUR")
_SOURCE = "sis"
_DAYS = 7
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Seeded:
    """What was made.

    Attributes:
        period: The last period that was recorded of the present intake.
    """

    students: int
    finished: int
    period: int


def seed_demo(
    database: Database,
    client: ScoringClient,
    cohort: Cohort,
    *,
    advisers: Sequence[int],
    finished: int = 0,
    seed: int = 7,
    now: datetime | None = None,
    progress: Progress | None = None,
) -> Seeded:
    """Seed an empty store.

    Args:
        database: With all tables, empty.
        client: The scoring service of the cohort's contract.
        cohort: Records of the contract, such as `load_cohort("simulated", students=500)`.
        advisers: Numbers of users who look after students.
        finished: How many of the records belong to the intake before, with outcomes.
        seed: Of names and of what advisers do.
        now: The present; the term began half its length before.
        progress: Called with a text, what is done and what there is to do.
    """
    contract, now = client.contract(), now or utc_now()
    # A demonstration has to look the same each time it is seeded.
    chance = random.Random(seed)  # noqa: S311
    last = contract.periods.maximum
    middle = max(2, round(last * 0.6))
    begins = now.date() - timedelta(days=_DAYS * middle)
    earlier = begins - timedelta(days=_DAYS * last + 60)
    report = progress or (lambda _text, _done, _total: None)
    people = _People(database, contract, chance, advisers)
    old = people.add(cohort.take(np.arange(finished)), "before", earlier, seed) if finished else []
    new = people.add(cohort.take(np.arange(finished, len(cohort))), "now", begins, seed + 1)
    workers = Advisers(database, chance, advisers)
    total = middle + (last if old else 0)
    for period in range(1, last + 1 if old else 1):
        report("Seeding the demonstration", period, total)
        _play_period(database, client, old, period, _evening(earlier, period))
        workers.work(_evening(earlier, period) + timedelta(hours=14))
    if old:
        _finish(database, contract, old, _evening(earlier, last) + timedelta(days=14))
    for period in range(1, middle + 1):
        report("Seeding the demonstration", total - middle + period, total)
        _play_period(database, client, new, period, _evening(begins, period))
        if period < middle:
            workers.work(_evening(begins, period) + timedelta(hours=14))
            _disturb(database, new, chance, advisers, _evening(begins, period))
    return Seeded(len(new), len(old), middle)


@dataclass(frozen=True, slots=True)
class _Member:
    student_id: int
    enrolment_id: int
    key: str
    rows: list[RecordRow]
    failed: float


@dataclass(frozen=True, slots=True)
class _People:
    database: Database
    contract: Contract
    chance: random.Random
    advisers: Sequence[int]

    def add(self, cohort: Cohort, intake: str, begins: date, seed: int) -> list[_Member]:
        names = invent_names(len(cohort), seed)
        keys = [f"{begins.year % 100:02}{intake[0].upper()}{at:05}" for at in range(len(cohort))]
        members = []
        with self.database.write() as session:
            students = add_students(
                session,
                [
                    NewStudent(name, _SOURCE, key, f"{key.lower()}@students.example.org")
                    for name, key in zip(names, keys, strict=True)
                ],
            )
            for at, (student, key) in enumerate(zip(students, keys, strict=True)):
                enrolment = enrol(
                    session,
                    student.id,
                    contract=self.contract.name,
                    source=_SOURCE,
                    key=key,
                    programme=self.chance.choice(_PROGRAMMES),
                    year=self.chance.randint(1, 3),
                    on=begins,
                )
                # One student in twenty has no adviser yet.
                if self.advisers and self.chance.random() > 0.05:
                    adviser = self.chance.choice(self.advisers)
                    assign_person(session, student.id, adviser, "adviser", starts_on=begins)
                failed = cohort.risk[at, max(int(cohort.lengths[at]) - 1, 0)]
                rows = record_rows_of(cohort, at, key)
                members.append(_Member(student.id, enrolment.id, key, rows, float(failed)))
            ends = [
                begins + timedelta(days=_DAYS * n) for n in range(self.contract.periods.maximum)
            ]
            set_periods(
                session,
                self.contract.name,
                "*",
                [(start, start + timedelta(days=_DAYS - 1)) for start in ends],
            )
        return members


def record_rows_of(cohort: Cohort, at: int, key: str) -> list[RecordRow]:
    """Return the periods of one record of a cohort as rows to be recorded under a key."""
    return [
        RecordRow(
            key,
            period + 1,
            {
                feature.name: _plain(feature, float(cohort.values[at, period, column]))
                for column, feature in enumerate(cohort.contract.features)
            },
        )
        for period in range(int(cohort.lengths[at]))
    ]


def _plain(feature: Feature, value: float) -> float | str | bool | None:
    if np.isnan(value):
        return None
    if feature.levels:
        return feature.levels[int(value)]
    return bool(value) if feature.kind is Kind.FLAG else round(value, 2)


def _play_period(
    database: Database,
    client: ScoringClient,
    members: Sequence[_Member],
    period: int,
    at: datetime,
) -> None:
    rows = [row for one in members for row in one.rows if row.period == period]
    with database.write() as session:
        record(
            session,
            client.contract(),
            rows,
            source=_SOURCE,
            actor=None,
            filename=f"week-{period:02}.csv",
            at=at,
        )
    drain(database, client, now=at + timedelta(minutes=5))


def _finish(
    database: Database, contract: Contract, members: Sequence[_Member], at: datetime
) -> None:
    """The earlier intake ends: outcomes are recorded, and the enrolments are over."""
    rows = [
        OutcomeRow(one.key, "risk", one.failed, happened_on=at.date())
        for one in members
        if one.failed in {0.0, 1.0}
    ]
    with database.write() as session:
        set_outcomes(session, contract.name, rows, source=_SOURCE, at=at)
        for one in members:
            set_status(
                session, one.enrolment_id, EnrolmentStatus.LEFT, actor=None, on=at.date(), at=at
            )


def _disturb(
    database: Database,
    members: Sequence[_Member],
    chance: random.Random,
    advisers: Sequence[int],
    at: datetime,
) -> None:
    """Lecturers raise a few concerns, and now and then a student leaves or is suspended."""
    moment = at + timedelta(hours=20)
    with database.write() as session:
        for one in chance.sample(members, min(2, len(members))):
            words, topic = chance.choice(_CONCERNS)
            raise_concern(
                session,
                one.student_id,
                topic=topic,
                words=words,
                actor=chance.choice(advisers) if advisers else None,
                enrolment_id=one.enrolment_id,
                at=moment,
            )
        one = chance.choice(members)
        status = chance.choice((EnrolmentStatus.LEFT, EnrolmentStatus.SUSPENDED))
        set_status(session, one.enrolment_id, status, actor=None, on=moment.date(), at=moment)


_CONCERNS = (
    ("Has not been in the laboratory for two weeks; group mates have not heard either.", "absence"),
    ("Asked for a second extension and seemed worried about money.", "finance"),
    ("Very quiet in the seminar since the change of group.", "wellbeing"),
    ("Submitted work is good, but always late since the new job.", "workload"),
)


def _evening(begins: date, period: int) -> datetime:
    """Return when the values of a period came in: on its last day, at six in the evening."""
    return datetime.combine(begins + timedelta(days=_DAYS * period - 1), time(18), UTC)
