"""The law: nothing that happened after a cutoff changes what was known at it."""

import tempfile
from pathlib import Path
from typing import get_args

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from records.cohort import Cohort
from records.sources.midfield import Risk, load_midfield
from tests.records.sources.midfield_files import degree, student, tables
from tests.records.sources.raw_folder import Table, write

CALENDAR = [10 * year + season for year in range(2000, 2008) for season in (1, 3, 4)]
STANDINGS = ["Good Standing", "Academic Warning", "Academic Dismissal", "NA"]


@st.composite
def rows_of(draw: st.DrawFn, name: str, term_codes: list[int]) -> list[str]:
    """Rows of the term table with anything in them."""
    grades = st.sampled_from(["NA", "0.9", "1.9", "2.0", "3.1", "4"])
    hours = st.integers(0, 20)
    rows = []
    for code in term_codes:
        level = draw(st.sampled_from(["01 First-year", "02 Second-year"]))
        words = f"{level},{draw(st.sampled_from(STANDINGS))},{draw(st.sampled_from(['Yes', 'No']))}"
        numbers = ",".join(str(draw(hours)) for _ in range(4))
        cip = draw(st.sampled_from(["140101", "240102", "NA"]))
        rows.append(
            f"{name},{code},{cip},Institution B,{words},{numbers},{draw(grades)},{draw(grades)}"
        )
    return rows


@st.composite
def histories(draw: st.DrawFn) -> tuple[int, dict[str, Table], dict[str, Table]]:
    """A cutoff, and two sets of files that are equal up to it and differ at random after it."""
    cutoff = draw(st.integers(1, 6))
    names = ["ONE", "TWO", "SIX"]
    term_rows: tuple[list[str], list[str]] = ([], [])
    degrees: tuple[list[str], list[str]] = ([], [])
    for name in names:
        codes = draw(st.lists(st.sampled_from(CALENDAR), min_size=1, unique=True).map(sorted))
        past, last = codes[:cutoff], codes[:cutoff][-1]
        known = draw(rows_of(name, past))
        earned = draw(st.sampled_from(["no", "past", "later"])) if name != "ONE" else "later"
        when = draw(st.sampled_from(past))
        for world in range(2):
            term_rows[world].extend(known)
            if len(past) == cutoff:
                # Far or near: where an institution's records end must not matter either.
                until = draw(st.sampled_from([last, 20033, 20074]))
                future = [code for code in CALENDAR if last < code <= until and draw(st.booleans())]
                term_rows[world].extend(draw(rows_of(name, future)))
            if earned == "past":
                degrees[world].append(degree(name, when))
            if draw(st.booleans()):
                degrees[world].append(degree(name, draw(st.integers(2008, 2019)) * 10 + 1))
            elif earned == "later" and draw(st.booleans()):
                degrees[world].append(degree(name, last + 1))
    students = [student(name) for name in names]
    one, other = (tables(students, term_rows[world], degrees[world]) for world in range(2))
    return cutoff, one, other


def load_files(files: dict[str, Table], risk: Risk) -> Cohort:
    with tempfile.TemporaryDirectory() as folder:
        return load_midfield(write(Path(folder), files), risk=risk)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(histories(), st.sampled_from(get_args(Risk)))
def test_nothing_after_a_cutoff_changes_what_was_known_at_it(
    history: tuple[int, dict[str, Table], dict[str, Table]], risk: Risk
) -> None:
    cutoff, one, other = history
    known, again = load_files(one, risk).at(cutoff), load_files(other, risk).at(cutoff)
    assert known.ids.tolist() == again.ids.tolist()
    assert np.array_equal(known.values, again.values, equal_nan=True)
    assert np.array_equal(known.lengths, again.lengths)
    assert np.array_equal(known.eligible, again.eligible)
