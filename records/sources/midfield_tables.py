"""Read the MIDFIELD files and check that they fit together."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from records.contract import Contract
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

ID: Final = "mcid"
TRANSFER: Final = ("First-Time in College", "First-Time Transfer")
NO_YES: Final = ("No", "Yes")
_NO_STANDING: Final = "No Credit Courses Attempted"

_SENIOR: Final = 3  # levels below the fourth year

_HOURS: Final = number(low=0)
_GPA: Final = number(low=0, high=4)
_TERM: Final = whole(low=19001, high=21006)


@dataclass(frozen=True, eq=False)
class MidfieldTables:
    """The files as tables that fit together, with the official column names.

    Attributes:
        students: One row per student with at least one term, in the order of the file, indexed
            from 0; `first_degree` is the term of the first degree, NaN where there is none.
        terms: One row per student and term up to the first degree, ordered by student and term,
            with `row`, the position of the student, and `major`, a number for each programme.
        years: One row per institution and academic year with terms: `last_term`, `seniors`, the
            students in their fourth year or beyond, and `degrees`, those who earned their first.
    """

    students: pd.DataFrame
    terms: pd.DataFrame
    years: pd.DataFrame


def read_midfield_tables(folder: Path, contract: Contract) -> MidfieldTables:
    """Read the files `student`, `term` and `degree`.

    Raises:
        CohortError: A file or column is absent, a cell is wrong, the files do not fit together,
            or no record is left.
    """
    students = read_columns(folder, "student", _student_columns(contract))
    refuse_duplicates(students, [ID], "student.csv")
    terms = read_columns(folder, "term", _term_columns(contract))
    refuse_duplicates(terms, [ID, "term"], "term.csv")
    degrees = read_columns(folder, "degree", {ID: text(required=True), "term_degree": _TERM})
    for file, codes in (("term.csv", terms["term"]), ("degree.csv", degrees["term_degree"])):
        reason = "expected YYYYT with T from 1 (fall) to 6 (summer); correct the cell."
        refuse_rows(~(codes % 10).between(1, 6), file, str(codes.name), reason)
    owner = pd.Index(students[ID]).get_indexer(pd.Index(terms[ID]))
    reason = "not in student.csv; use files of one release."
    refuse_rows(pd.Series(owner < 0), "term.csv", ID, reason)

    first_degree = students[ID].map(degrees.groupby(ID)["term_degree"].min())
    students["first_degree"] = first_degree.astype("float64")
    years = _years(students, terms, ranked(contract.feature("level").levels)[_SENIOR:])
    # A term after the first degree belongs to another course of study.
    kept = ~(terms["term"].to_numpy() > students["first_degree"].to_numpy()[owner])
    terms, owner = terms[kept], owner[kept]
    enrolled = np.unique(owner)
    if not enrolled.size:
        raise CohortError(f"{folder} holds no student with a term before the first degree.")
    major = pd.factorize(terms["cip6"])[0]
    terms = terms.assign(
        row=np.searchsorted(enrolled, owner), major=np.where(major < 0, np.nan, major)
    )
    return MidfieldTables(
        students.iloc[enrolled].reset_index(drop=True), terms.sort_values(["row", "term"]), years
    )


def _years(students: pd.DataFrame, terms: pd.DataFrame, senior: Sequence[str]) -> pd.DataFrame:
    year = (terms["term"] // 10).rename("year")
    by_year = terms.groupby(["institution", year])
    graduates = students.dropna(subset="first_degree")
    of_graduates = ["institution", (graduates["first_degree"] // 10).astype("int64")]
    return pd.DataFrame(
        {
            "last_term": by_year["term"].max(),
            "seniors": terms[ID]
            .where(terms["level"].isin(senior))
            .groupby([terms["institution"], year])
            .nunique(),
            "degrees": graduates.groupby(of_graduates).size(),
        }
    )


def ranked(levels: Sequence[str]) -> list[str]:
    """Name the levels of study as the file does, with their rank before: '01 First-year'."""
    return [f"{rank:02d} {level}" for rank, level in enumerate(levels, start=1)]


def _student_columns(contract: Contract) -> dict[str, Column]:
    return {
        ID: text(required=True),
        "institution": text(*contract.feature("institution").levels, required=True),
        "transfer": text(*TRANSFER),
        "hours_transfer": _HOURS,
        "sat_math": number(low=200, high=800),
        "sat_verbal": number(low=200, high=800),
        "act_comp": number(low=1, high=36),
        **{attribute.name: text() for attribute in contract.audit},
    }


def _term_columns(contract: Contract) -> dict[str, Column]:
    return {
        ID: text(required=True),
        "term": _TERM,
        "cip6": text(),
        "institution": text(*contract.feature("institution").levels, required=True),
        "level": text(*ranked(contract.feature("level").levels)),
        "standing": text(*contract.feature("standing").levels, _NO_STANDING),
        "coop": text(*NO_YES),
        "hours_term": _HOURS,
        "hours_term_attempt": _HOURS,
        "hours_cumul": _HOURS,
        "hours_cumul_attempt": _HOURS,
        "gpa_term": _GPA,
        "gpa_cumul": _GPA,
    }
