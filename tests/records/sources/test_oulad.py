from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from records.cohort import Cohort
from records.errors import CohortError
from records.sources import raw_files
from records.sources.oulad import load_oulad
from tests.records.sources.oulad_files import FILES
from tests.records.sources.raw_folder import write

NAN = float("nan")


@pytest.fixture
def cohort(tmp_path: Path) -> Cohort:
    return load_oulad(write(tmp_path, FILES))


def of(cohort: Cohort, student: str, feature: str, weeks: int = 4) -> list[float]:
    (row,) = np.flatnonzero(cohort.students == student)
    column = cohort.contract.feature_names.index(feature)
    return [round(float(value), 4) for value in cohort.values[row, :weeks, column]]


def same(actual: NDArray[np.floating], expected: NDArray[np.floating]) -> bool:
    return np.array_equal(actual, expected, equal_nan=True)


def test_a_record_is_an_enrolment_named_by_module_presentation_and_student(cohort: Cohort) -> None:
    assert cohort.ids.tolist() == [f"AAA-2013J-{student}" for student in (1, 2, 4, 5)]
    assert cohort.cohorts.tolist() == ["2013J"] * 4
    assert cohort.audit["imd_band"].tolist() == ["10-20%", "", "90-100%", "90-100%"]
    assert cohort.audit["disability"].tolist() == ["N", "Y", "N", "N"]


def test_who_left_before_the_start_is_left_out(cohort: Cohort) -> None:
    assert "3" not in cohort.students


def test_lengths_count_begun_weeks_until_leaving_or_the_end(cohort: Cohort) -> None:
    assert cohort.lengths.tolist() == [4, 2, 4, 4]


def test_eligible_are_registered_students_in_a_running_presentation(cohort: Cohort) -> None:
    assert cohort.eligible[:, :5].tolist() == [
        [True, True, True, False, False],
        [True, False, False, False, False],
        [False, True, True, False, False],
        [True, True, True, False, False],
    ]


def test_risk_is_known_where_eligible_and_the_outcome_has_a_date(cohort: Cohort) -> None:
    expected = [[0, 0, 0, NAN], [1, NAN, NAN, NAN], [NAN, 1, 1, NAN], [NAN, NAN, NAN, NAN]]
    assert same(cohort.risk[:, :4], np.array(expected, np.float32))


def test_the_score_target_is_the_next_tutor_marked_score_handed_in(cohort: Cohort) -> None:
    expected = [[70, 70, NAN, NAN], [30, NAN, NAN, NAN], [NAN] * 4, [90, NAN, NAN, NAN]]
    assert same(cohort.score[:, :4, 0], np.array(expected, np.float32))


@pytest.mark.parametrize(
    ("feature", "expected"),
    [
        ("module", [0, 0, 0, 0]),
        ("previous_attempts", [1, 1, 1, 1]),
        ("studied_credits", [60, 60, 60, 60]),
        ("registered_before", [10, 10, 10, 10]),
        ("banked", [0, 0, 0, 0]),
        ("submitted", [1, 1, 1, 0]),
        ("ahead", [0, 0, 0, 0]),
        ("due", [1, 2, 3, 3]),
        ("missing", [0, 0, 0, 0]),
        ("missing_share", [0, 0, 0, 0]),
        ("missed_in_row", [0, 0, 0, 0]),
        ("weight_due", [40, 50, 100, 100]),
        ("weight_missing", [0, 0, 0, 0]),
        ("days_overdue", [0, 0, 0, 0]),
        ("days_since_deadline", [2, 2, 1, 8]),
        ("days_to_deadline", [5, 6, NAN, NAN]),
        ("score_mean", [80, 70, 70, 70]),
        ("score_lowest", [80, 60, 60, 60]),
        ("tma_latest", [80, 80, 70, 70]),
        ("tma_change", [NAN, NAN, -10, -10]),
        ("cma_mean", [NAN, 60, 60, 60]),
        ("coursework_mark", [80, 76, 73, 73]),
        ("failed", [0, 0, 0, 0]),
        ("lateness_latest", [-1, 1, -1, -1]),
        ("lateness_mean", [-1, 0, -0.3333, -0.3333]),
        ("days_since_submission", [3, 1, 2, 9]),
        ("clicks", [11, 0, NAN, 0]),
        ("clicks_material", [10, 0, NAN, 0]),
        ("clicks_forum", [1, 0, NAN, 0]),
        ("clicks_practice", [0, 0, NAN, 0]),
        ("clicks_home", [0, 0, NAN, 0]),
        ("clicks_before", [3, 3, NAN, 3]),
        ("sites", [2, 0, NAN, 0]),
        ("new_sites", [2, 0, NAN, 0]),
        ("active_days", [3, 0, NAN, 0]),
        ("days_since_click", [0, 7, NAN, 21]),
    ],
)
def test_the_weeks_of_a_student_who_stays(
    cohort: Cohort, feature: str, expected: list[float]
) -> None:
    assert of(cohort, "1", feature) == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize(
    ("feature", "expected"),
    [
        ("submitted", [0, 1, NAN]),
        ("missing", [1, 1, NAN]),
        ("missing_share", [100, 50, NAN]),
        ("missed_in_row", [1, 1, NAN]),
        ("weight_missing", [40, 10, NAN]),
        ("days_overdue", [2, 2, NAN]),
        ("score_mean", [NAN, 30, NAN]),
        ("coursework_mark", [0, 24, NAN]),
        ("failed", [0, 1, NAN]),
        ("lateness_latest", [NAN, 3, NAN]),
        ("days_since_submission", [NAN, 6, NAN]),
        ("clicks", [0, 4, NAN]),
        ("sites", [0, 1, NAN]),
        ("new_sites", [0, 1, NAN]),
        ("days_since_click", [NAN, 0, NAN]),
    ],
)
def test_the_weeks_of_a_student_who_hands_in_late_and_leaves(
    cohort: Cohort, feature: str, expected: list[float]
) -> None:
    assert of(cohort, "2", feature, weeks=3) == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize(
    ("feature", "expected"),
    [
        ("registered_before", [NAN, -9, -9, -9]),
        ("banked", [NAN, 1, 1, 1]),
        ("submitted", [NAN, 0, 0, 0]),
        ("missing", [NAN, 1, 2, 2]),
        ("missed_in_row", [NAN, 1, 2, 2]),
        ("days_overdue", [NAN, 2, 9, 16]),
        ("tma_latest", [NAN, 55, 55, 55]),
        ("coursework_mark", [NAN, 44, 22, 22]),
        ("lateness_latest", [NAN, NAN, NAN, NAN]),
        ("days_since_submission", [NAN, NAN, NAN, NAN]),
        ("clicks", [NAN, 0, NAN, 6]),
    ],
)
def test_the_weeks_of_a_student_who_comes_late_with_a_banked_result(
    cohort: Cohort, feature: str, expected: list[float]
) -> None:
    assert of(cohort, "4", feature) == pytest.approx(expected, nan_ok=True)


def test_work_that_was_handed_in_but_never_scored_is_not_missing(cohort: Cohort) -> None:
    assert of(cohort, "5", "missing") == [0, 1, 1, 1]
    assert of(cohort, "5", "ahead") == [0, 1, 0, 0]
    assert of(cohort, "5", "coursework_mark")[1:3] == [75, 75]
    assert np.isnan(of(cohort, "5", "coursework_mark")[0])
    assert np.isnan(of(cohort, "5", "registered_before")).all()


def test_where_nothing_has_weight_tutor_marked_work_counts_alike(tmp_path: Path) -> None:
    header, *rows = FILES["assessments"]
    weightless = [f"{row.rpartition(',')[0]},0" for row in rows]
    cohort = load_oulad(write(tmp_path, {**FILES, "assessments": [header, *weightless]}))
    assert of(cohort, "1", "weight_due") == [50, 50, 100, 100]
    assert of(cohort, "1", "coursework_mark") == [80, 80, 75, 75]


def test_a_presentation_that_was_never_logged_has_no_clicks_rather_than_none_made(
    tmp_path: Path,
) -> None:
    cohort = load_oulad(write(tmp_path, {**FILES, "studentVle": FILES["studentVle"][:1]}))
    for feature in ("clicks", "active_days", "days_since_click", "sites", "clicks_before"):
        assert np.isnan(of(cohort, "1", feature)).all()


def test_a_site_is_new_once_and_sites_that_are_not_listed_count_as_one(tmp_path: Path) -> None:
    clicks = ["9,1,2", "9,8,2", "8,9,1", "5,9,1", "6,10,1", "5,26,3", "9,28,1"]
    log = FILES["studentVle"] + [f"AAA,2013J,5,{click}" for click in clicks]
    cohort = load_oulad(write(tmp_path, {**FILES, "studentVle": log}))
    assert of(cohort, "5", "sites") == pytest.approx([1, 3, NAN, 2], nan_ok=True)
    assert of(cohort, "5", "new_sites") == pytest.approx([1, 2, NAN, 0], nan_ok=True)
    assert of(cohort, "5", "clicks_material")[1] == 2
    assert of(cohort, "5", "clicks") == pytest.approx([2, 5, NAN, 4], nan_ok=True)


def test_question_marks_and_empty_cells_and_gzip_make_no_difference(
    tmp_path: Path, cohort: Cohort
) -> None:
    empty = {name: [line.replace("?", "") for line in lines] for name, lines in FILES.items()}
    (tmp_path / "zipped").mkdir()
    zipped = load_oulad(write(tmp_path / "zipped", empty, zipped=True))
    assert zipped.fingerprint() == cohort.fingerprint()


def test_the_click_log_is_read_in_blocks_whose_size_makes_no_difference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = FILES["studentVle"] + [f"AAA,2013J,1,{site},2,1" for site in range(400)]
    folder = write(tmp_path, {**FILES, "studentVle": log})
    whole = load_oulad(folder)
    assert of(whole, "1", "clicks") == pytest.approx([411, 0, NAN, 0], nan_ok=True)
    reports: list[tuple[str, int, int]] = []
    monkeypatch.setattr(raw_files, "_BLOCK", 1000)
    in_blocks = load_oulad(folder, progress=lambda *report: reports.append(report))
    assert in_blocks.fingerprint() == whole.fingerprint()
    clicks = [report for report in reports if "studentVle" in report[0]]
    assert len(clicks) > 5
    assert clicks[-1][1] == clicks[-1][2]


def test_presentations_can_be_chosen(tmp_path: Path) -> None:
    files = {name: list(lines) for name, lines in FILES.items()}
    for name in ("courses", "studentInfo", "studentRegistration"):
        files[name] += [line.replace("2013J", "2014B") for line in FILES[name][1:]]
    folder = write(tmp_path, files)
    assert len(load_oulad(folder)) == 8
    chosen = load_oulad(folder, presentations=["2013J"])
    (tmp_path / "only").mkdir()
    assert chosen.fingerprint() == load_oulad(write(tmp_path / "only", FILES)).fingerprint()
    with pytest.raises(CohortError, match=r"of presentation 2015B .*choose from 2013J, 2014B"):
        load_oulad(folder, presentations=["2015B"])
