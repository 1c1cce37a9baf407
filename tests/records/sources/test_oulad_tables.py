from pathlib import Path

import pytest

from records.errors import CohortError
from records.sources.oulad import load_oulad
from tests.records.sources.oulad_files import FILES
from tests.records.sources.raw_folder import Table, write


def changed(name: str, old: str, new: str) -> dict[str, Table]:
    assert any(old in line for line in FILES[name])
    return {**FILES, name: [line.replace(old, new) for line in FILES[name]]}


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    (write(tmp_path, FILES) / f"{name}.csv").unlink()
    with pytest.raises(CohortError, match=rf"neither {name}\.csv nor {name}\.csv\.gz"):
        load_oulad(tmp_path)


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("studentInfo", "final_result", "result", r"studentInfo\.csv lacks .* final_result"),
        ("studentInfo", "AAA,2013J,4", "XYZ,2013J,4", r"row 5, column 'code_module': .* AAA, BBB"),
        ("studentInfo", "Pass", "Passed", r"row 2, column 'final_result': expected one of Pass"),
        ("studentInfo", "AAA,2013J,4", "AAA,2013X,4", r"row 5, .*_presentation': expected a year"),
        ("studentInfo", ",Y,", ",maybe,", r"row 3, column 'disability': expected one of Y, N"),
        ("studentInfo", "AAA,2013J,5", "AAA,2013J,4", r"row 6, column 'id_student': a second row"),
        ("studentInfo", "AAA,2013J,5", "AAA,2013J,6", r"row 6, .*row in studentRegistration\.csv"),
        ("studentRegistration", "-5,10", "-5,soon", r"row 3, .*'date_unreg.*expected a number"),
        ("courses", "28", "280", r"'module_presentation_length': expected a number from 1 to 273"),
        (
            "courses",
            "AAA",
            "BBB",
            r"row 2 .*'code_presentation': the presentation's row in courses",
        ),
        ("assessments", "CMA,12,", "CMA,?,", r"row 4, column 'date': coursework needs the day"),
        ("assessments", "CMA", "QUIZ", r"row 4, column 'assessment_type': expected one of TMA"),
        ("assessments", "J,11", "J,10", r"row 4, column 'id_assessment': a second row"),
        ("studentAssessment", "0,80", "0,801", r"row 2, column 'score': .*from 0 to 100"),
        ("studentAssessment", "8,0,30", "inf,0,30", r"row 6, .*'date_submitted': .*finite"),
        ("studentAssessment", "8,0,30", "?,0,30", r"row 6, .*'date_submitted': a value is needed"),
        ("studentAssessment", "13,1,", "14,1,", r"row 5, .*row in assessments\.csv is absent"),
        ("studentAssessment", "11,1,", "10,1,", r"row 3, column 'id_student': a second row"),
        ("studentVle", "-4,3", "-4,many", r"row 2, column 'sum_click': expected a whole number"),
        ("studentVle", "1,9,-4,3", "?,9,-4,3", r"studentVle\.csv: column 'id_student' has empty"),
        ("studentVle", "1,9,-4,3", "1,9,-4,3,3", r"studentVle\.csv: row 2 has 7 cells where"),
    ],
)
def test_what_is_wrong_is_named_by_file_row_and_column(
    tmp_path: Path, name: str, old: str, new: str, message: str
) -> None:
    with pytest.raises(CohortError, match=message) as caught:
        load_oulad(write(tmp_path, changed(name, old, new)))
    assert name in str(caught.value)


def test_nobody_left_is_an_error(tmp_path: Path) -> None:
    only = {name: lines[:1] for name, lines in FILES.items()}
    with pytest.raises(CohortError, match="no enrolment that reached its first day"):
        load_oulad(write(tmp_path, only))
