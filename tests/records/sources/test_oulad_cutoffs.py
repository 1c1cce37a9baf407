"""The law: nothing that happened after a cutoff changes what was known at it."""

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from records.cohort import Cohort
from records.contract import Contract, load_contract
from records.sources import oulad
from records.sources.oulad import load_oulad
from tests.records.sources.oulad_files import FILES
from tests.records.sources.raw_folder import Table, write

STUDENTS = range(1, 6)
# 2013B still runs when 2013J starts 242 days after it.
LENGTHS = {"2013B": 273, "2013J": 35}
BETWEEN = 242
WEEKS = 4
ENROLMENTS = [(name, student) for name in LENGTHS for student in STUDENTS]
SCHEDULE = {"2013B": [(20, "TMA", 6, 30), (21, "CMA", 250, 20), (22, "TMA", 262, 50)]}
SCHEDULE["2013J"] = [(30, "TMA", 7, 0), (31, "CMA", 25, 0), (32, "CMA", 26, 0)]
PAIRS = [(work[0], student) for each in SCHEDULE.values() for work in each for student in STUDENTS]


@dataclass(frozen=True)
class Events:
    """What happened: by piece of work and student, by enrolment, and as a log."""

    submissions: dict[tuple[int, int], tuple[int, bool, int | None]] = field(default_factory=dict)
    registrations: dict[tuple[str, int], int] = field(default_factory=dict)
    unregistrations: dict[tuple[str, int], int] = field(default_factory=dict)
    clicks: list[tuple[tuple[str, int], int, int]] = field(default_factory=list)

    def then(self, later: "Events") -> "Events":
        return Events(
            {**later.submissions, **self.submissions},
            {**later.registrations, **self.registrations},
            {**later.unregistrations, **self.unregistrations},
            [*self.clicks, *later.clicks],
        )

    def only(self, presentation: str) -> "Events":
        works = {work[0] for work in SCHEDULE[presentation]}
        return Events(
            {key: value for key, value in self.submissions.items() if key[0] in works},
            _of(presentation, self.registrations),
            _of(presentation, self.unregistrations),
            [click for click in self.clicks if click[0][0] == presentation],
        )


def _of(name: str, days: dict[tuple[str, int], int]) -> dict[tuple[str, int], int]:
    return {enrolment: day for enrolment, day in days.items() if enrolment[0] == name}


def events(first: int, last: int) -> st.SearchStrategy[Events]:
    # The days on both sides of a cutoff are where mistakes show.
    days = st.sampled_from([first, last]) | st.integers(first, last)
    scores = st.none() | st.integers(0, 100)
    enrolments = st.sampled_from(ENROLMENTS)
    return st.builds(
        Events,
        st.dictionaries(st.sampled_from(PAIRS), st.tuples(days, st.booleans(), scores)),
        st.dictionaries(enrolments, days),
        # Student 1 stays, so that somebody is always there.
        st.dictionaries(enrolments.filter(lambda enrolment: enrolment[1] > 1), days),
        st.lists(st.tuples(enrolments, days, st.integers(1, 9)), max_size=12),
    )


@st.composite
def histories(draw: st.DrawFn) -> tuple[int, Events, Events]:
    """Give a week of 2013J, and two histories that part at its end: in both presentations."""
    cutoff = draw(st.integers(1, WEEKS))
    day = 7 * cutoff
    past = draw(events(-30, day)).only("2013J")
    past = past.then(draw(events(-30, day + BETWEEN)).only("2013B"))
    futures = [
        draw(events(day + 1, day + 200))
        .only("2013J")
        .then(draw(events(day + 1 + BETWEEN, day + BETWEEN + 200)).only("2013B"))
        for _ in range(2)
    ]
    # Students who were not registered by the cutoff register at some time after it.
    late = {
        (name, student): day + 9 + (BETWEEN if name == "2013B" else 0)
        for name, student in ENROLMENTS
    }
    one, other = (past.then(future).then(Events(registrations=late)) for future in futures)
    return cutoff, one, other


def as_files(happened: Events, results: list[str]) -> dict[str, Table]:
    info, registration = FILES["studentInfo"][:1], FILES["studentRegistration"][:1]
    for (name, student), result in zip(ENROLMENTS, results, strict=True):
        info.append(f"BBB,{name},{student},M,Wales,?,?,0-35,0,30,N,{result}")
        joined = happened.registrations[name, student]
        left = happened.unregistrations.get((name, student), "?")
        registration.append(f"BBB,{name},{student},{joined},{left}")
    courses = FILES["courses"][:1] + [f"BBB,{name},{days}" for name, days in LENGTHS.items()]
    assessments = FILES["assessments"][:1] + [
        f"BBB,{name},{work},{kind},{due},{weight}"
        for name, schedule in SCHEDULE.items()
        for work, kind, due, weight in schedule
    ]
    submissions = FILES["studentAssessment"][:1] + [
        f"{work},{student},{day},{int(banked)},{'?' if score is None else score}"
        for (work, student), (day, banked, score) in happened.submissions.items()
    ]
    clicks = FILES["studentVle"][:1] + [
        f"BBB,{name},{student},{7 + count % 3},{day},{count}"
        for (name, student), day, count in happened.clicks
    ]
    return {
        "vle": FILES["vle"],
        "courses": courses,
        "studentInfo": info,
        "studentRegistration": registration,
        "assessments": assessments,
        "studentAssessment": submissions,
        "studentVle": clicks,
    }


def with_small_classes(name: str) -> Contract:
    content = load_contract(name).model_dump()
    for feature in content["features"]:
        if feature["relative"]:
            feature["relative"]["fewest"] = 2
    return Contract.model_validate(content)


def load_events(happened: Events, results: list[str]) -> Cohort:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        # Five students are a class to stand in, so that standings are under the law too.
        patch.setattr(oulad, "load_contract", with_small_classes)
        return load_oulad(write(Path(folder), as_files(happened, results)))


RESULT_LISTS = st.lists(
    st.sampled_from(["Pass", "Distinction", "Fail", "Withdrawn", "?"]),
    min_size=len(ENROLMENTS),
    max_size=len(ENROLMENTS),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(histories(), RESULT_LISTS, RESULT_LISTS)
def test_nothing_after_a_day_of_the_calendar_changes_what_was_known_on_it(
    history: tuple[int, Events, Events], results: list[str], other_results: list[str]
) -> None:
    cutoff, one, other = history
    known, again = load_events(one, results), load_events(other, other_results)
    # On that day 2013B is as many full weeks further; its results come out only later.
    for name, week in (("2013J", cutoff), ("2013B", cutoff + BETWEEN // 7)):
        before, after = (each.take(each.cohorts == name).at(week) for each in (known, again))
        assert before.ids.tolist() == after.ids.tolist()
        assert np.array_equal(before.values, after.values, equal_nan=True)
        assert np.array_equal(before.lengths, after.lengths)
        assert np.array_equal(before.eligible, after.eligible)
