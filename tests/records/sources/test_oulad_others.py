from pathlib import Path

import numpy as np
import pytest

from records.cohort import Cohort
from records.sources.oulad import load_oulad
from tests.records.sources.oulad_files import INFO
from tests.records.sources.raw_folder import Table, write

NAN = float("nan")
# Student 1: AAA 2013B passed with distinction, BBB 2013B failed, CCC 2013J beside DDD 2013J, which
# is left on day 10. Student 2 studies CCC 2013J alone. Student 3: EEE 2013J, registered for on day
# 12 of CCC 2013J.
ENROLMENTS = [
    ("AAA", "2013B", 1, -20, "?", "Distinction"),
    ("BBB", "2013B", 1, -20, "?", "Fail"),
    ("CCC", "2013J", 1, -20, "?", "Pass"),
    ("DDD", "2013J", 1, -20, "10", "Withdrawn"),
    ("CCC", "2013J", 2, -20, "?", "Pass"),
    ("CCC", "2013J", 3, -20, "?", "Pass"),
    ("EEE", "2013J", 3, 12, "?", "Pass"),
]
MODULES = sorted({(module, presentation) for module, presentation, *_ in ENROLMENTS})


def files() -> dict[str, Table]:
    return {
        "courses": [
            "code_module,code_presentation,module_presentation_length",
            *(f"{module},{name},240" for module, name in MODULES),
        ],
        "studentInfo": [
            ",".join(INFO),
            *(
                f"{module},{name},{student},M,Wales,?,?,0-35,0,30,N,{result}"
                for module, name, student, _, _, result in ENROLMENTS
            ),
        ],
        "studentRegistration": [
            "code_module,code_presentation,id_student,date_registration,date_unregistration",
            *(
                f"{module},{name},{student},{joined},{left}"
                for module, name, student, joined, left, _ in ENROLMENTS
            ),
        ],
        "assessments": [
            "code_module,code_presentation,id_assessment,assessment_type,date,weight",
            "AAA,2013B,1,TMA,20,100",
            "BBB,2013B,2,TMA,20,100",
            "DDD,2013J,3,TMA,5,50",
            "DDD,2013J,4,TMA,9,50",
            "CCC,2013J,5,TMA,3,100",
        ],
        "studentAssessment": [
            "id_assessment,id_student,date_submitted,is_banked,score",
            "1,1,20,0,90",
            "3,1,5,0,30",
            "5,1,3,0,77",
        ],
        "vle": ["id_site,activity_type"],
        "studentVle": ["code_module,code_presentation,id_student,id_site,date,sum_click"],
    }


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    return load_oulad(write(tmp_path_factory.mktemp("others"), files()))


def of(cohort: Cohort, record: str, feature: str) -> list[float]:
    (row,) = np.flatnonzero(cohort.ids == record)
    column = cohort.contract.feature_names.index(feature)
    return [float(value) for value in cohort.values[row, :, column]]


@pytest.mark.parametrize(
    ("feature", "week", "expected"),
    [
        # Beside it, DDD runs until day 10; both of 2013B ran out but their results are not known.
        ("other_running", 1, 3),
        ("other_running", 2, 2),
        ("other_left", 1, 0),
        ("other_left", 2, 1),
        # 242 days after 2013B's start, and 14 days of doubt: results after 240 + 45 days come
        # out between the ends of weeks 8 (day 284) and 9 (day 291).
        ("other_passed", 8, 0),
        ("other_passed", 9, 1),
        ("other_distinctions", 9, 1),
        ("other_failed", 8, 0),
        ("other_failed", 9, 1),
        ("other_running", 9, 0),
        # BBB's only assessment was never handed in; the means are AAA's 90 and DDD's 30.
        ("other_missing_share", 1, 100),
        ("other_score_mean", 1, 60),
    ],
)
def test_other_enrolments_count_by_the_calendar(
    cohort: Cohort, feature: str, week: int, expected: float
) -> None:
    assert of(cohort, "CCC-2013J-1", feature)[week - 1] == expected


def test_a_later_presentation_says_nothing_of_an_earlier_one_before_registration(
    cohort: Cohort,
) -> None:
    # CCC and DDD 2013J were registered for 20 days before day 242; the doubt makes it day 236.
    assert of(cohort, "AAA-2013B-1", "other_running")[:34] == [1] * 33 + [3]
    assert np.isnan(of(cohort, "AAA-2013B-1", "other_missing_share")[:2]).all()
    assert of(cohort, "AAA-2013B-1", "other_missing_share")[2] == 100


def test_within_a_presentation_the_days_are_the_same(cohort: Cohort) -> None:
    assert of(cohort, "CCC-2013J-3", "other_running")[:3] == [0, 1, 1]
    # DDD sees CCC, handed in on day 3, beside AAA's 90.
    assert of(cohort, "DDD-2013J-1", "other_score_mean")[0] == pytest.approx((90 + 77) / 2)


def test_a_student_without_other_enrolments_has_none(cohort: Cohort) -> None:
    assert of(cohort, "CCC-2013J-2", "other_running")[:5] == [0] * 5
    assert np.isnan(of(cohort, "CCC-2013J-2", "other_score_mean")).all()


def test_choosing_presentations_forgets_nothing_of_the_others(
    tmp_path: Path, cohort: Cohort
) -> None:
    chosen = load_oulad(write(tmp_path, files()), presentations=["2013J"])
    rows = np.flatnonzero(cohort.cohorts == "2013J")
    assert chosen.fingerprint() == cohort.take(rows).fingerprint()
