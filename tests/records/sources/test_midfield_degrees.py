from pathlib import Path

import numpy as np
import pytest

from records.cohort import Cohort
from records.sources.midfield import load_midfield
from tests.records.sources.midfield_files import degree, student, tables, terms
from tests.records.sources.raw_folder import Table, write

SENIOR = "04 Fourth-year"


def outcomes(cohort: Cohort, period: int = 1) -> dict[str, float]:
    return dict(zip(cohort.ids.tolist(), cohort.risk[:, period - 1].tolist(), strict=True))


def load(folder: Path, files: dict[str, Table]) -> Cohort:
    return load_midfield(write(folder, files), risk="no_degree")


def test_a_degree_counts_only_within_six_years_of_entry(tmp_path: Path) -> None:
    # Entry in fall 2000: the six years end before fall 2006.
    cohort = load(
        tmp_path,
        tables(
            [student(name) for name in ("IN_TIME", "LATE", "NEVER", "RECENT")],
            [
                *terms("IN_TIME", {20001: 3.0, 20053: 3.0}),
                *terms("LATE", {20001: 3.0, 20061: 3.0}),
                *terms("NEVER", {20001: 3.0, 20003: 3.0}),
                *terms("RECENT", {20053: 3.0, 20071: 3.0}),
            ],
            [degree("IN_TIME", 20054), degree("LATE", 20061), degree("RECENT", 20071)],
        ),
    )
    known = outcomes(cohort)
    assert (known["IN_TIME"], known["LATE"], known["NEVER"]) == (0, 1, 1)
    # Six years are not over at the institution's last recorded term, degree or not.
    assert np.isnan(known["RECENT"])


def test_predictions_end_with_the_degree_or_with_the_six_years(tmp_path: Path) -> None:
    cohort = load(
        tmp_path,
        tables(
            [student("QUICK"), student("SLOW")],
            [
                *terms("QUICK", {20001: 3.0, 20003: 3.0, 20011: 3.0}),
                *terms("SLOW", {20001: 3.0, 20054: 3.0, 20061: 3.0, 20063: 3.0}),
            ],
            [degree("QUICK", 20003)],
        ),
    )
    assert cohort.eligible[:, :4].tolist() == [
        [True, False, False, False],
        [True, True, False, False],
    ]
    assert cohort.lengths.tolist() == [2, 4]
    assert np.array_equal(~np.isnan(cohort.risk), cohort.eligible)


@pytest.mark.parametrize(
    ("last", "entry", "known"),
    [
        (20053, 20001, False),  # the summer after the sixth year is not recorded
        (20054, 20001, True),
        (20056, 20001, True),
        (20054, 20003, False),
        (20061, 20003, False),
        (20062, 20003, True),
        (20063, 20003, True),
        (20063, 20004, True),
    ],
)
def test_each_institution_is_censored_by_its_own_last_term(
    tmp_path: Path, last: int, entry: int, known: bool
) -> None:
    cohort = load(
        tmp_path,
        tables(
            [student("HERE"), student("LAST"), student("ELSE", "C")],
            [
                *terms("HERE", {entry: 3.0}),
                *terms("LAST", {last: 3.0}),
                *terms("ELSE", {20001: 3.0, 20101: 3.0}, "C"),
            ],
            [],
        ),
    )
    assert np.isnan(outcomes(cohort)["HERE"]) != known
    assert outcomes(cohort)["ELSE"] == 1


def test_years_whose_degrees_were_not_recorded_tell_nothing(tmp_path: Path) -> None:
    # Every year from 2000 to 2015 has one senior who graduates, but 2006 has none.
    seniors = {f"S{year}": 10 * year + 3 for year in range(2000, 2016)}
    entries = {"BEFORE": 20001, "INTO": 20003, "WITHIN": 20061, "AFTER": 20071}
    cohort = load(
        tmp_path,
        tables(
            [student(name) for name in [*seniors, *entries]],
            [
                *(
                    row
                    for name, at in seniors.items()
                    for row in terms(name, {at: 3.0}, level=SENIOR)
                ),
                *(row for name, entry in entries.items() for row in terms(name, {entry: 3.0})),
            ],
            [degree(name, at) for name, at in seniors.items() if at != 20063],
        ),
    )
    known = outcomes(cohort)
    # Fall 2000 to summer 2006 lies before the academic year 2006, spring 2001 to fall 2006 not.
    assert {name: known[name] for name in ("BEFORE", "AFTER")} == {"BEFORE": 1, "AFTER": 1}
    assert np.isnan([known["INTO"], known["WITHIN"]]).all()
