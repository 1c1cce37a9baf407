from pathlib import Path

import numpy as np
import pytest

from records.cohort import Cohort
from records.contract import load_contract
from records.errors import CohortError
from records.sources.midfield import load_midfield
from tests.records.sources.midfield_files import FILES, student, tables, terms
from tests.records.sources.raw_folder import write

NAN = float("nan")


@pytest.fixture
def cohort(tmp_path: Path) -> Cohort:
    return load_midfield(write(tmp_path, FILES))


def of(cohort: Cohort, name: str, feature: str, periods: int) -> list[float]:
    (row,) = np.flatnonzero(cohort.ids == name)
    column = cohort.contract.feature_names.index(feature)
    return [round(float(value), 4) for value in cohort.values[row, :periods, column]]


def test_a_record_is_a_student_who_enrolled_before_any_degree(cohort: Cohort) -> None:
    assert cohort.ids.tolist() == ["ANN", "BOB"]
    assert cohort.students.tolist() == ["ANN", "BOB"]
    assert cohort.cohorts.tolist() == ["2000", "2000"]
    assert cohort.audit["race"].tolist() == ["White", "White"]


def test_lengths_count_terms_up_to_the_first_degree(cohort: Cohort) -> None:
    assert cohort.lengths.tolist() == [5, 3]


def test_eligible_are_the_terms_before_the_first_degree(cohort: Cohort) -> None:
    assert cohort.eligible[:, :6].tolist() == [
        [True, True, True, True, True, False],
        [True, True, False, False, False, False],
    ]


@pytest.mark.parametrize(
    ("feature", "expected"),
    [
        ("institution", [2, 2, 2, 2, 2, NAN]),
        ("transfer", [1, 1, 1, 1, 1, NAN]),
        ("hours_transfer", [30, 30, 30, 30, 30, NAN]),
        ("sat_math", [560, 560, 560, 560, 560, NAN]),
        ("sat_verbal", [230, 230, 230, 230, 230, NAN]),
        ("act_comp", [21, 21, 21, 21, 21, NAN]),
        ("season", [0, 2, 2, 3, 0, NAN]),
        ("gpa_term", [2, 1, 3, NAN, 1.9, NAN]),
        ("gpa_change", [NAN, -1, 2, NAN, NAN, NAN]),
        ("gpa_lowest", [2, 1, 1, 1, 1, NAN]),
        ("gpa_cumul", [2, 1.6, 2, 2, 2, NAN]),
        ("hours_attempted", [15, 9, 6, 3, 9, NAN]),
        ("hours_earned", [12, 3, 6, 0, 9, NAN]),
        ("hours_attempted_total", [15, 24, 30, 33, 42, NAN]),
        ("hours_earned_total", [12, 15, 21, 21, 30, NAN]),
        ("standing", [3, 1, 2, NAN, 0, NAN]),
        ("level", [0, 0, 1, 4, 1, NAN]),
        ("coop", [0, 0, 1, 0, 0, NAN]),
        ("terms_skipped", [0, 0, 1, 0, 0, NAN]),
        ("terms_since_entry", [0, 1, 3, 4, 4, NAN]),
        ("changed_major", [0, 0, 1, 0, 0, NAN]),
        ("majors_changed", [0, 0, 1, 1, 1, NAN]),
    ],
)
def test_the_terms_of_a_student(cohort: Cohort, feature: str, expected: list[float]) -> None:
    assert of(cohort, "ANN", feature, 6) == pytest.approx(expected, nan_ok=True)


def test_what_was_not_recorded_at_entry_is_missing(cohort: Cohort) -> None:
    assert of(cohort, "BOB", "transfer", 1) == [0]
    for feature in ("hours_transfer", "sat_math", "sat_verbal", "act_comp"):
        assert np.isnan(of(cohort, "BOB", feature, 3)).all()


def test_terms_are_ordered_by_time_whatever_the_file_does(cohort: Cohort) -> None:
    assert of(cohort, "BOB", "gpa_term", 2) == [1.5, 3.5]


def test_the_score_is_the_next_terms_average_times_25(cohort: Cohort) -> None:
    expected = [[25, 75, NAN, 47.5, NAN, NAN], [87.5, NAN, NAN, NAN, NAN, NAN]]
    assert np.array_equal(cohort.score[:, :6, 0], np.array(expected, np.float32), equal_nan=True)


def test_the_risk_is_a_next_term_below_two(cohort: Cohort) -> None:
    expected = [[1, 0, NAN, 1, NAN, NAN], [0, NAN, NAN, NAN, NAN, NAN]]
    assert np.array_equal(cohort.risk[:, :6], np.array(expected, np.float32), equal_nan=True)


def test_the_fifteenth_term_is_the_target_of_the_fourteenth_and_no_period(tmp_path: Path) -> None:
    grades = {10 * year + season: 3.0 for year in range(2000, 2008) for season in (1, 3)}
    grades[20071] = 1.0
    cohort = load_midfield(write(tmp_path, tables([student("EVE")], terms("EVE", grades), [])))
    assert cohort.lengths.tolist() == [14]
    assert cohort.score[0, 12:, 0].tolist() == [75, 25]


def test_na_and_empty_cells_and_gzip_make_no_difference(tmp_path: Path, cohort: Cohort) -> None:
    empty = {name: [line.replace("NA,", ",") for line in lines] for name, lines in FILES.items()}
    (tmp_path / "zipped").mkdir()
    zipped = load_midfield(write(tmp_path / "zipped", empty, zipped=True))
    assert zipped.fingerprint() == cohort.fingerprint()


def test_progress_ends_when_everything_is_done(tmp_path: Path) -> None:
    reports: list[tuple[str, int, int]] = []
    load_midfield(write(tmp_path, FILES), progress=lambda *report: reports.append(report))
    assert reports[-1][1] == reports[-1][2]


def test_the_contract_says_which_outcome_it_warns_of(tmp_path: Path) -> None:
    folder = write(tmp_path, FILES)
    low, none = load_midfield(folder), load_midfield(folder, risk="no_degree")
    assert low.contract == load_contract("midfield")
    assert "below 2.0" in low.contract.targets.risk.label
    assert "No degree within six years" in none.contract.targets.risk.label
    assert low.contract.fingerprint != none.contract.fingerprint
    assert low.contract.features == none.contract.features
    assert np.array_equal(low.values, none.values, equal_nan=True)


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    (write(tmp_path, FILES) / f"{name}.csv").unlink()
    with pytest.raises(CohortError, match=rf"neither {name}\.csv nor {name}\.csv\.gz"):
        load_midfield(tmp_path)


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("student", "sat_math", "maths", r"student\.csv lacks the column\(s\) sat_math"),
        ("student", "Institution B", "Institution X", r"row 4 .*'institution': .* Institution C"),
        ("student", "BOB", "ANN", r"row 3, column 'mcid': a second row"),
        ("student", "560", "900", r"row 2, column 'sat_math': expected a number from 200 to 800"),
        ("term", "20013,52", "20010,52", r"row 8, column 'term': expected YYYYT"),
        ("term", "20013,52", "2001,52", r"row 8, column 'term': expected a number from 19001"),
        ("term", "20015", "20013", r"row 9, column 'term': a second row with the same mcid, term"),
        ("term", "3.0,2.0", "4.3,2.0", r"row 8, column 'gpa_term': expected a number from 0 to 4"),
        ("term", "3.0,2.0", "A,2.0", r"row 8, column 'gpa_term': expected a number"),
        ("term", "Academic Warning", "Fine", r"row 8, column 'standing': expected one of Academic"),
        ("term", "02 Second", "2nd", r"row 8 \(and 1 more rows\), column 'level': .*01 First-year"),
        ("term", "DAN", "DEE", r"row 11, column 'mcid': not in student\.csv"),
        ("degree", "20011", "", r"row 3, column 'term_degree': a value is needed"),
    ],
)
def test_what_is_wrong_is_named_by_file_row_and_column(
    tmp_path: Path, name: str, old: str, new: str, message: str
) -> None:
    assert any(old in line for line in FILES[name])
    wrong = {**FILES, name: [line.replace(old, new) for line in FILES[name]]}
    with pytest.raises(CohortError, match=message) as caught:
        load_midfield(write(tmp_path, wrong))
    assert name in str(caught.value)


def test_nobody_left_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CohortError, match="no student with a term before the first degree"):
        load_midfield(write(tmp_path, {name: lines[:1] for name, lines in FILES.items()}))
