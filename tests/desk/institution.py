"""An institution in mid-term: people, students, recorded periods, estimates of a real scorer, cases."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
from sqlalchemy import select

from access.roles import Grant, Role
from cases.casework.interventions import suggest
from cases.casework.lifecycle import raise_concern
from cases.people import NewStudent, add_students, assign_person, enrol
from cases.recording.queue import drain
from cases.recording.record import RecordRow, record
from cases.tables.events import Case
from cases.tables.people import Assignment
from records.cohort import Cohort
from records.load import load_cohort
from tests.desk.running_desk import RunningDesk

PROGRAMMES = ("Nursing", "Computing")
PERIODS = 5
PEOPLE = {
    "adviser": ("Ada Okafor", [Grant(Role.ADVISER)]),
    "other": ("Ben Whitfield", [Grant(Role.ADVISER)]),
    "lead": ("Lea Brandt", [Grant(Role.LEAD, "Nursing")]),
    "viewer": ("Vic Moreau", [Grant(Role.VIEWER, "Nursing")]),
    "administrator": ("Ama Reyes", [Grant(Role.ADMINISTRATOR)]),
    "auditor": ("Otto Lind", [Grant(Role.AUDITOR)]),
    "none": ("Noa Weiss", []),
}
NAMES = ("Adaeze Okonkwo-Featherstonehaugh", "Bo Li", "Chiara Bianchi", "Dmitri Petrov")


@dataclass(frozen=True)
class Institution:
    """The desk with its institution.

    Attributes:
        running: The desk.
        users: Numbers of people by the names above.
        students: Numbers of students, in the order in which they were added: even ones are
            assigned to the adviser, odd ones to the other, every ninth to none.
    """

    running: RunningDesk
    users: dict[str, int]
    students: list[int]


def address(person: str) -> str:
    """Return the address of one of the people."""
    return f"{person}@example.edu"


def found(running: RunningDesk, students: int) -> Institution:
    """Fill a desk with an institution of so many students, and score five periods."""
    cohort = load_cohort("simulated", students=students, seed=11)
    users = {
        person: running.add_person(address(person), name, *grants)
        for person, (name, grants) in PEOPLE.items()
    }
    numbers = _add_students(running, users, min(students, len(cohort.ids)))
    for period in range(1, PERIODS + 1):
        record_period(running, cohort, numbers, period)
    _raise_concerns(running, users, numbers[:8])
    return Institution(running, users, numbers)


def record_period(
    running: RunningDesk, cohort: Cohort, numbers: Sequence[int], period: int
) -> None:
    """Record a period of everybody who is still there, and have it scored."""
    names = [feature.name for feature in cohort.contract.features]
    rows = [
        RecordRow(
            f"S-{index}",
            period,
            {
                name: None if np.isnan(value) else float(value)
                for name, value in zip(names, cohort.values[index, period - 1], strict=True)
            },
            line=index + 1,
        )
        for index in range(len(numbers))
        if period <= cohort.lengths[index]
    ]
    desk = running.desk
    at = datetime(2026, 9, 28, 18, tzinfo=UTC) + timedelta(days=7 * period)
    with desk.database.write() as session:
        record(session, cohort.contract, rows, source="sis", actor=None, at=at)
    progress = drain(desk.database, desk.scorer, limit=500)
    assert progress.committed
    assert not progress.failed


def _raise_concerns(running: RunningDesk, users: dict[str, int], numbers: Sequence[int]) -> None:
    """Let the lead raise concerns: how many cases estimates open depends on the tiny network."""
    with running.desk.database.write() as session:
        for number in numbers:
            case = raise_concern(
                session, number, topic="attendance", words="Rarely seen.", actor=users["lead"]
            )
            action = "Invite the student to a short talk."
            suggest(session, case.id, action=action, actor=None, due=date(2026, 12, 7))


def _add_students(running: RunningDesk, users: dict[str, int], count: int) -> list[int]:
    with running.desk.database.write() as session:
        new = [
            NewStudent(f"{NAMES[index % len(NAMES)]} {index}", "sis", f"S-{index}")
            for index in range(count)
        ]
        students = add_students(session, new)
        for index, student in enumerate(students):
            enrol(
                session,
                student.id,
                contract="simulated",
                source="sis",
                key=f"S-{index}",
                programme=PROGRAMMES[index // 2 % 2],
                year=1 + index % 3,
                on=date(2026, 9, 14),
            )
            if index % 9 != 8:
                person = "adviser" if index % 2 == 0 else "other"
                assign_person(
                    session, student.id, users[person], "tutor", starts_on=date(2026, 9, 1)
                )
        return [student.id for student in students]


def open_cases(institution: Institution, person: str) -> list[Case]:
    """Return the open cases of students who are assigned to a person, the most urgent first."""
    with institution.running.desk.database.read() as session:
        assigned = select(Assignment.student_id).where(
            Assignment.user_id == institution.users[person]
        )
        found = session.scalars(
            select(Case)
            .where(Case.student_id.in_(assigned), Case.state != "closed")
            .order_by(Case.rank.desc())
        )
        return list(found)
