"""Read the Open University files and check that they fit together.

Kuzilek, Hlosta, Zdrahal, Open University Learning Analytics dataset, Scientific Data 4:170171.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from records.errors import CohortError
from records.sources.raw_files import (
    Column,
    number,
    read_columns,
    refuse_duplicates,
    refuse_rows,
    text,
    whole,
)

PRESENTATION: Final = ["code_module", "code_presentation"]
ENROLMENT: Final = [*PRESENTATION, "id_student"]
RESULTS: Final = {"Pass": 0.0, "Distinction": 0.0, "Fail": 1.0, "Withdrawn": 1.0}

_KEY: Final[dict[str, Column]] = {
    "code_module": text(required=True),
    "code_presentation": text(required=True),
}
_INFO: Final[dict[str, Column]] = {
    **_KEY,
    "id_student": whole(),
    "gender": text(),
    "region": text(),
    "highest_education": text(),
    "imd_band": text(),
    "age_band": text(),
    "disability": text("Y", "N"),
    "num_of_prev_attempts": number(low=0),
    "studied_credits": number(low=0),
    "final_result": text(*RESULTS),
}
_REGISTRATION: Final[dict[str, Column]] = {
    **_KEY,
    "id_student": whole(),
    "date_registration": number(),
    "date_unregistration": number(),
}
_ASSESSMENTS: Final[dict[str, Column]] = {
    **_KEY,
    "id_assessment": whole(),
    "assessment_type": text("TMA", "CMA", "Exam", required=True),
    "date": number(),
    "weight": number(required=True, low=0, high=100),
}
_SUBMISSIONS: Final[dict[str, Column]] = {
    "id_assessment": whole(),
    "id_student": whole(),
    "date_submitted": number(required=True),
    "is_banked": whole(low=0, high=1),
    "score": number(low=0, high=100),
}
_OTHER_RELEASE: Final = "is absent there; use files of one release."


@dataclass(frozen=True, eq=False)
class OuladTables:
    """The files as tables that fit together, with the official column names.

    Attributes:
        enrolments: One row per enrolment that reached the first day, in the order of studentInfo,
            with its registration and the length of its presentation; indexed from 0.
        coursework: One row per assessment that is no exam, in the order of the deadlines.
        submissions: One row per piece of coursework handed in, with `row`, the position of its
            enrolment, and its presentation.
        registrations: Every enrolment, also those that never reached the first day, with `row`,
            its position among `enrolments`, -1 where it is not there.
    """

    enrolments: pd.DataFrame
    coursework: pd.DataFrame
    submissions: pd.DataFrame
    registrations: pd.DataFrame


def read_oulad_tables(folder: Path, *, modules: Sequence[str], longest: int) -> OuladTables:
    """Read all files but the clicks.

    Args:
        folder: Where the official files lie.
        modules: The modules that the contract knows.
        longest: Most days that a presentation may last.

    Raises:
        CohortError: A file or column is absent, a cell is wrong, the files do not fit together,
            or no enrolment is left.
    """
    registrations = _read_enrolments(folder, modules, longest)
    reached = ~(registrations["date_unregistration"] <= 0)
    registrations["row"] = np.where(reached, np.cumsum(reached) - 1, -1)
    enrolments = registrations[reached].drop(columns="row").reset_index(drop=True)
    if enrolments.empty:
        raise CohortError(f"{folder} holds no enrolment that reached its first day.")
    coursework, submissions = _read_assessments(folder)
    rows = enrolments[ENROLMENT].assign(row=np.arange(len(enrolments)))
    # Results of an exam, and of enrolments that are left out, find no partner here.
    kept = submissions.merge(coursework[[*PRESENTATION, "id_assessment"]], on="id_assessment")
    return OuladTables(enrolments, coursework, kept.merge(rows, on=ENROLMENT), registrations)


def _read_enrolments(folder: Path, modules: Sequence[str], longest: int) -> pd.DataFrame:
    known = {"code_module": text(*modules, required=True)}
    info = read_columns(folder, "studentInfo", {**_INFO, **known})
    refuse_duplicates(info, ENROLMENT, "studentInfo.csv")
    undated = ~info["code_presentation"].str.fullmatch(r"\d{4}[BJ]")
    reason = "expected a year and B (February) or J (October), such as 2013J."
    refuse_rows(undated, "studentInfo.csv", "code_presentation", reason)
    registration = read_columns(folder, "studentRegistration", _REGISTRATION)
    refuse_duplicates(registration, ENROLMENT, "studentRegistration.csv")
    lengths = {**_KEY, "module_presentation_length": whole(low=1, high=longest)}
    courses = read_columns(folder, "courses", lengths)
    refuse_duplicates(courses, PRESENTATION, "courses.csv")
    joined = info.merge(registration, on=ENROLMENT, how="left", indicator="registration")
    unregistered = joined["registration"] == "left_only"
    reason = f"the enrolment's row in studentRegistration.csv {_OTHER_RELEASE}"
    refuse_rows(unregistered, "studentInfo.csv", "id_student", reason)
    joined = joined.merge(courses, on=PRESENTATION, how="left")
    reason = f"the presentation's row in courses.csv {_OTHER_RELEASE}"
    absent = joined["module_presentation_length"].isna()
    refuse_rows(absent, "studentInfo.csv", "code_presentation", reason)
    return joined


def _read_assessments(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    assessments = read_columns(folder, "assessments", _ASSESSMENTS)
    refuse_duplicates(assessments, ["id_assessment"], "assessments.csv")
    exam = assessments["assessment_type"] == "Exam"
    reason = "coursework needs the day on which it is due; only an exam may lack it."
    refuse_rows(~exam & assessments["date"].isna(), "assessments.csv", "date", reason)
    submissions = read_columns(folder, "studentAssessment", _SUBMISSIONS)
    refuse_duplicates(submissions, ["id_assessment", "id_student"], "studentAssessment.csv")
    unknown = ~submissions["id_assessment"].isin(assessments["id_assessment"])
    reason = f"the assessment's row in assessments.csv {_OTHER_RELEASE}"
    refuse_rows(unknown, "studentAssessment.csv", "id_assessment", reason)
    return assessments[~exam].sort_values(["date", "id_assessment"]), submissions
